//! What systemd hears of the station, by a socket of our own in its place.

mod workshop;

use plumb_station::{
    config,
    ear::Ear,
    service_manager::ServiceManager,
    station::{Station, Wiring},
};
use std::{
    os::unix::net::UnixDatagram,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use workshop::{RECIPE, Workshop, wait_until};

/// A camera that is there once somebody puts its picture into the folder.
fn station_toml(picture: &std::path::Path) -> String {
    format!(
        r#"
[station]
name = "test"
listen = "127.0.0.1:0"
recipe = "bottle"

[[camera]]
id = "top"
source = {{ kind = "pipeline", launch = "filesrc location={} ! pngdec ! videoconvert ! imagefreeze is-live=true ! video/x-raw,format=BGR,width=32,height=32,framerate=30/1" }}

[trigger]
kind = "api"
"#,
        picture.display()
    )
}

/// The manager's end.
struct Manager(UnixDatagram);

impl Manager {
    fn in_folder(workshop: &Workshop) -> Self {
        let socket = UnixDatagram::bind(workshop.path("notify")).expect("a socket");
        socket.set_nonblocking(true).expect("not blocking");
        Self(socket)
    }

    /// Every assignment that has come since.
    fn heard(&self) -> Vec<String> {
        let mut heard = Vec::new();
        let mut datagram = [0; 4096];
        while let Ok(length) = self.0.recv(&mut datagram) {
            let text = String::from_utf8(datagram[..length].to_vec()).expect("text");
            heard.extend(text.lines().map(str::to_owned));
        }
        heard
    }

    /// What comes in `time`, while `meanwhile` is done over and over.
    fn listen(&self, time: Duration, mut meanwhile: impl FnMut()) -> Vec<String> {
        let end = Instant::now() + time;
        let mut heard = Vec::new();
        while Instant::now() < end {
            meanwhile();
            heard.extend(self.heard());
            std::thread::park_timeout(Duration::from_millis(20));
        }
        heard
    }
}

fn feeds(heard: &[String]) -> usize {
    heard.iter().filter(|line| *line == "WATCHDOG=1").count()
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn ready_is_said_when_it_would_judge_and_not_before() {
    let workshop = Workshop::new("", RECIPE);
    let picture = workshop.path("pictures/late.png");
    workshop.write("station.toml", &station_toml(&picture));
    let manager = Manager::in_folder(&workshop);
    let station = Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args(["run", "-q"])
        .arg(workshop.path("station.toml"))
        .env("NOTIFY_SOCKET", workshop.path("notify"))
        .stderr(Stdio::null())
        .spawn()
        .expect("plumb starts");
    let mut station = Running(station);

    let mut heard = Vec::new();
    wait_until("the station to say that it has no camera", Duration::from_secs(60), || {
        heard.extend(manager.heard());
        heard.iter().any(|line| line.starts_with("STATUS=degraded: camera top"))
    });
    heard.extend(manager.listen(Duration::from_secs(2), || ()));
    assert_eq!(heard[0], "STATUS=loading and warming models");
    let prolonged = heard.iter().filter(|line| line.starts_with("EXTEND_TIMEOUT_USEC=")).count();
    assert!(prolonged >= 3, "it lives, and may take its time: {heard:?}");
    assert!(!heard.contains(&"READY=1".to_owned()) && feeds(&heard) == 0, "{heard:?}");

    workshop.pictures(&[true]);
    std::fs::rename(workshop.path("pictures/000.png"), &picture).expect("the picture comes");
    let mut heard = Vec::new();
    wait_until("the station to judge", Duration::from_secs(60), || {
        heard.extend(manager.heard());
        feeds(&heard) >= 3
    });
    assert_eq!(heard.iter().filter(|line| *line == "READY=1").count(), 1, "{heard:?}");
    assert!(heard.contains(&"STATUS=running".to_owned()), "{heard:?}");

    let pid = rustix::process::Pid::from_child(&station.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it is told to stop");
    assert!(station.0.wait().expect("it ends").success());
    assert!(manager.heard().contains(&"STOPPING=1".to_owned()));
}

#[test]
fn the_watchdog_starves_when_a_stage_that_a_verdict_needs_hangs() {
    for hung in ["verdict", "infer"] {
        let workshop = Workshop::new("", RECIPE);
        workshop.pictures(&[true]);
        workshop.write("station.toml", &station_toml(&workshop.path("pictures/000.png")));
        let manager = Manager::in_folder(&workshop);
        let mut told = ServiceManager::at(workshop.path("notify").as_os_str()).expect("the manager is there");
        let hangs = Arc::new(AtomicBool::new(false));
        let hanging = hangs.clone();
        let ear = Ear::new(move |stage| {
            while stage == hung && hanging.load(Ordering::Relaxed) {
                std::thread::park_timeout(Duration::from_millis(10));
            }
        });
        let plan =
            config::read(&workshop.path("station.toml")).unwrap_or_else(|problems| panic!("{problems}"));
        let station = Station::start(plan, Wiring { ear, ..Wiring::default() }).expect("it starts");
        let mut look = || told.look(Instant::now(), station.heartbeats(), || station.condition());
        wait_until("the station to judge", Duration::from_secs(60), || station.condition().is_ready());
        let heard = manager.listen(Duration::from_secs(3), &mut look);
        assert!(feeds(&heard) >= 3, "{hung}: {heard:?}");

        hangs.store(true, Ordering::Relaxed);
        station.trigger();
        manager.listen(Duration::from_secs(2), &mut look); // silence is told after one second
        let heard = manager.listen(Duration::from_secs(3), &mut look);
        assert_eq!(feeds(&heard), 0, "{hung} hangs, though this thread asks on: {heard:?}");

        hangs.store(false, Ordering::Relaxed);
        let heard = manager.listen(Duration::from_secs(3), &mut look);
        assert!(feeds(&heard) >= 1, "{hung} goes on: {heard:?}");
        station.stop().expect("the ledger closes");
    }
}
