//! The console as people use it: a real Chromium at a real station whose camera can be unplugged.
//!
//! Skipped, with a word, where there is no Chromium or no Playwright: `deploy/setup.sh --test` brings the latter.

#![allow(clippy::print_stdout, reason = "says what is skipped, and each step, to whoever reads along")]

mod workshop;

use plumb_capture::{LineCamera, LineExposure};
use plumb_inspection::{Image, PixelFormat};
use plumb_station::{
    config,
    station::{Station, Wiring},
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use workshop::{RECIPE, Workshop, browser::browser, wait_until};

const STATION: &str = r#"
[station]
name = "station 3"
listen = "127.0.0.1:0"
recipe = "bottle"

[[camera]]
id = "top"
source = { kind = "line" }
frame_wait_ms = 100

[trigger]
kind = "api"

[line]
product = "washer"
"#;

/// Ten parts a second.
const PITCH: Duration = Duration::from_millis(100);

/// Sees a bright bottle, unless its plug is pulled.
#[derive(Default)]
struct Eye {
    frames: AtomicU64,
    is_cut: AtomicBool,
}

impl LineCamera for Eye {
    fn expose(&self) -> Option<LineExposure> {
        while self.is_cut.load(Relaxed) {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let image = Image::packed(320, 240, PixelFormat::Bgr8, vec![255; 320 * 240 * 3]).expect("a picture");
        Some(LineExposure { image, frame_id: self.frames.fetch_add(1, Relaxed) + 1 })
    }
}

#[test]
fn a_person_logs_in_watches_the_line_sees_that_a_picture_is_old_and_keeps_forty_tabs_open() {
    let Some((mut node, chrome)) = browser() else { return };
    let workshop = Workshop::new(STATION, RECIPE);
    let plan = config::read(&workshop.path("station.toml")).unwrap_or_else(|problems| panic!("{problems}"));
    let eye = Arc::new(Eye::default());
    let wiring = Wiring { line: Some(eye.clone()), ..Wiring::default() };
    let station = Arc::new(Station::start(plan, wiring).unwrap_or_else(|error| panic!("{error}")));
    wait_until("the station", Duration::from_secs(20), || station.condition().is_ready());
    let password = station.first_password.clone().expect("nobody could log in before");

    let runs = Arc::new(AtomicBool::new(true));
    let (belt, belt_runs) = (station.clone(), runs.clone());
    let belt = std::thread::spawn(move || {
        while belt_runs.load(Relaxed) {
            belt.trigger();
            std::thread::sleep(PITCH);
        }
    });

    let wish = json!({
        "base": format!("http://{}", station.address.expect("HTTP")),
        "password": password,
        "chrome": chrome,
        "tabs": 40,
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console/browser.cjs");
    let mut child = node
        .arg(script)
        .arg(wish.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Node.js starts");
    let (mut hands, told) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
    let (mut station, mut belt) = (Some(station), Some(belt));
    let mut steps = Vec::new();
    for line in BufReader::new(told).lines() {
        let line = line.expect("UTF-8");
        println!("{line}");
        let step: Value = serde_json::from_str(&line).expect("a JSON document a line");
        match step["step"].as_str().expect("a step") {
            "failed" => panic!("{line}"),
            "login" => assert_eq!(step["sent_to_login"], true),
            "live" => {
                assert_eq!((&step["word"], &step["stale"]), (&json!("PASS"), &json!(false)), "{line}");
                assert_eq!((&step["drawn"], &step["last"]), (&json!(320), &json!(12)), "{line}");
            }
            "cut the camera" => {
                eye.is_cut.store(true, Relaxed);
                writeln!(hands, "cut").expect("it listens");
            }
            "cut" => {
                let (after_ms, period_ms) = (step["after_ms"].as_f64(), step["period_ms"].as_f64());
                // Two periods, the tenth of a second after which the page looks again, and a browser that is busy.
                assert!(
                    after_ms.zip(period_ms).is_some_and(|(after, period)| after <= 2.0 * period + 500.0),
                    "{line}"
                );
                assert!(
                    step["stale"].as_str().is_some_and(|says| says.starts_with("No picture for")),
                    "{line}"
                );
            }
            "missed" => {
                assert!(step["grey"].as_str().is_some_and(|filter| filter.contains("grayscale(1)")), "{line}")
            }
            "mend the camera" => {
                eye.is_cut.store(false, Relaxed);
                writeln!(hands, "mended").expect("it listens");
            }
            "tabs" => assert_eq!(step["live"], 40),
            "count the parts" => {
                // Forty-one that look, and every part is accounted for all the same.
                let metrics = &station.as_ref().expect("it runs").metrics;
                wait_until("every part to be answered", Duration::from_secs(10), || {
                    metrics.triggers().abs_diff(metrics.answers.get()) <= 2
                });
                writeln!(hands, "counted").expect("it listens");
            }
            "part" => assert!(
                step["heading"].as_str().is_some_and(|heading| heading.starts_with("Part ")),
                "{line}"
            ),
            "stop the station" => {
                runs.store(false, Relaxed);
                belt.take().expect("once").join().expect("the belt ran");
                let station = Arc::into_inner(station.take().expect("once")).expect("the belt has let go");
                station.stop().unwrap_or_else(|error| panic!("{error}"));
                writeln!(hands, "stopped").expect("it listens");
            }
            "lost" => assert!(
                step["stale"].as_str().is_some_and(|says| says.starts_with("No connection")),
                "{line}"
            ),
            "end" => assert_eq!(step["complaints"], json!([]), "{line}"),
            _ => {}
        }
        steps.push(step["step"].as_str().expect("a step").to_owned());
    }
    assert!(child.wait().expect("it ends").success());
    assert_eq!(steps.last().map(String::as_str), Some("end"), "{steps:?}");
}
