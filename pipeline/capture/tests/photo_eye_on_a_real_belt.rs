//! The photo-eye on 187 frames of bottles on a real belt, filmed with a telephone: light that adjusts itself, shadows, clear
//! glass, bottles that touch. The ground truth is what people drew: a box around each bottle, frame by frame.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use gstreamer as gst;
use gstreamer::prelude::*;
use plumb_capture::trigger::{PhotoEye, PhotoEyeConfig};
use plumb_inspection::{Frame, Image, PixelFormat, Stamp};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

/// The belt moves to the left. The line runs down the labels: above are the caps (a part without one must trigger too),
/// below is the belt's edge, in no gap free of reflections.
fn eye_at(x: u32) -> PhotoEyeConfig {
    toml::from_str(&format!("line_px = [{x}, 320, {x}, 400]\nsense = {{ kind = \"structure\" }}")).unwrap()
}

#[test]
fn each_bottle_fires_once_while_its_front_half_is_on_the_line() {
    let Some((frames, bottles)) = belt() else { return };
    let mut wrong = Vec::new();
    for x in (180..=480).step_by(20) {
        let fired = fired(&eye_at(x), &frames);
        let says = compare(x as f32, &bottles, &fired);
        eprintln!(
            "x {x}: {} bottles came, fired {fired:?} {}",
            expected(x as f32, &bottles),
            says.join(", ")
        );
        wrong.extend(says.into_iter().map(|s| format!("x {x}: {s}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn looking_costs_next_to_nothing() {
    let Some((frames, _)) = belt() else { return };
    let mut eye = PhotoEye::new(eye_at(200)).unwrap();
    let mut took: Vec<_> = frames
        .iter()
        .map(|frame| {
            let began = Instant::now();
            eye.see(frame);
            began.elapsed()
        })
        .collect();
    took.sort();
    let median = took[took.len() / 2];
    eprintln!("median {median:?}, worst {:?}", took[took.len() - 1]);
    assert!(median < Duration::from_micros(200), "{median:?}");
}

/// The frames at which the eye fires.
fn fired(config: &PhotoEyeConfig, frames: &[Frame]) -> Vec<usize> {
    let mut eye = PhotoEye::new(config.clone()).unwrap();
    frames.iter().enumerate().filter(|(_, frame)| eye.see(frame)).map(|(n, _)| n).collect()
}

/// Left and right edge in px, by frame number.
type Bottle = BTreeMap<usize, (f32, f32)>;

/// Bottles whose left edge comes to the line from the right.
fn expected(x: f32, bottles: &[Bottle]) -> usize {
    bottles.iter().filter(|bottle| comes(x, bottle)).count()
}

fn comes(x: f32, bottle: &Bottle) -> bool {
    bottle.values().next().is_some_and(|(left, _)| *left > x)
}

/// What is wrong with `fired`, compared with the bottles: empty if nothing is.
fn compare(x: f32, bottles: &[Bottle], fired: &[usize]) -> Vec<String> {
    let mut left_over = fired.to_vec();
    let mut says = Vec::new();
    for (n, bottle) in bottles.iter().enumerate() {
        let reaches = bottle.iter().find(|(_, (left, _))| *left <= x).map(|(t, _)| *t);
        let middle = bottle.iter().find(|(_, (left, right))| (left + right) / 2.0 <= x).map(|(t, _)| *t);
        let Some((reaches, middle)) = reaches.zip(middle) else { continue };
        // A frame or two of grace: people do not draw boxes to the pixel.
        let hits: Vec<_> = left_over
            .iter()
            .copied()
            .filter(|t| (reaches.saturating_sub(2)..=middle + 1).contains(t))
            .collect();
        left_over.retain(|t| !hits.contains(t));
        // A bottle that stands on the line in the first frame may fire or not.
        let on_the_line_at_first = !comes(x, bottle) && hits.len() <= 1;
        if hits.len() != 1 && !on_the_line_at_first {
            says.push(format!("bottle {n} passes in frames {reaches}..={middle}, fired {hits:?}"));
        }
    }
    if !left_over.is_empty() {
        says.push(format!("fired without a bottle at {left_over:?}"));
    }
    says
}

/// The clip and its bottles; `None`, said so, where the data is not.
fn belt() -> Option<(Vec<Frame>, Vec<Bottle>)> {
    let data = std::env::var_os("PLUMB_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let clip = data.join("video/capvision_IMG_4824.mkv");
    if !clip.exists() {
        eprintln!("skipped: no shared data at {}", data.display());
        return None;
    }
    let truth = std::fs::read_to_string(clip.with_extension("coco.json")).unwrap();
    let frames = decode(&clip);
    assert_eq!(frames.len(), 187);
    Some((frames, bottles(&serde_json::from_str(&truth).unwrap())))
}

fn decode(clip: &std::path::Path) -> Vec<Frame> {
    gst::init().unwrap();
    let description = format!(
        "filesrc location=\"{}\" ! matroskademux ! jpegdec ! videoconvert ! video/x-raw,format=BGR ! appsink name=out sync=false",
        clip.display()
    );
    let pipeline = gst::parse::launch(&description).unwrap().downcast::<gst::Pipeline>().unwrap();
    let out = pipeline.by_name("out").unwrap().downcast::<gstreamer_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let began = Instant::now();
    let mut frames = Vec::new();
    while let Ok(sample) = out.pull_sample() {
        let map = sample.buffer().unwrap().map_readable().unwrap();
        let image = Image::packed(640, 640, PixelFormat::Bgr8, map.to_vec()).unwrap();
        let seq = frames.len() as u64 + 1;
        let at = Stamp { mono: began + Duration::from_millis(seq * 33), wall: SystemTime::UNIX_EPOCH };
        frames.push(Frame { camera: "belt".into(), seq, camera_frame_id: None, at, image });
    }
    pipeline.set_state(gst::State::Null).unwrap();
    frames
}

/// Follows each bottle's box through the frames, from where it comes into the picture or stands at first.
fn bottles(coco: &serde_json::Value) -> Vec<Bottle> {
    let number =
        |image: &serde_json::Value| image["file_name"].as_str().unwrap()[..5].parse::<usize>().unwrap();
    let frame_of: BTreeMap<_, _> =
        coco["images"].as_array().unwrap().iter().map(|i| (i["id"].as_u64().unwrap(), number(i))).collect();
    let mut boxes: BTreeMap<usize, Vec<(f32, f32)>> = BTreeMap::new();
    for a in coco["annotations"].as_array().unwrap().iter().filter(|a| a["category_id"] == 1) {
        let (x, w) = (a["bbox"][0].as_f64().unwrap() as f32, a["bbox"][2].as_f64().unwrap() as f32);
        boxes.entry(frame_of[&a["image_id"].as_u64().unwrap()]).or_default().push((x, x + w));
    }
    let mut bottles: Vec<Bottle> = Vec::new();
    for (frame, mut here) in boxes {
        here.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (left, right) in here {
            // Cut by the left side of the picture, a box moves by its right edge alone.
            let moved = |(l, r): (f32, f32)| if left <= 2.0 { right - r } else { left - l };
            let known = bottles.iter_mut().find(|bottle| {
                frame
                    .checked_sub(1)
                    .and_then(|t| bottle.get(&t))
                    .is_some_and(|before| (-25.0..=6.0).contains(&moved(*before)))
            });
            match known {
                Some(bottle) => drop(bottle.insert(frame, (left, right))),
                None => bottles.push(Bottle::from([(frame, (left, right))])),
            }
        }
    }
    bottles
}
