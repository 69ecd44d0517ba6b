//! Raw launch lines: what passes through untouched, what is refused, and how breaking off and silence are noticed.

use crate::witness::{QUICK, Witness};
use plumb_capture::{CameraEvent, CaptureError, DownCause, WatchConfig};
use plumb_inspection::PixelFormat;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc,
    },
    time::{Duration, Instant},
};

fn launch(launch: &str) -> String {
    format!("kind = 'pipeline'\nlaunch = '{launch}'")
}

const TEST: &str = "videotestsrc is-live=true ! video/x-raw,width=322,height=240,framerate=100/1";

#[test]
fn every_format_of_ours_arrives_as_it_was_sent() {
    for (caps, format) in [
        ("video/x-raw,format=GRAY8", PixelFormat::Gray8),
        ("video/x-raw,format=BGR", PixelFormat::Bgr8),
        ("video/x-bayer,format=rggb", PixelFormat::BayerRggb),
        ("video/x-bayer,format=grbg", PixelFormat::BayerGrbg),
        ("video/x-bayer,format=gbrg", PixelFormat::BayerGbrg),
        ("video/x-bayer,format=bggr", PixelFormat::BayerBggr),
    ] {
        let caps = format!("{caps},width=322,height=240,framerate=50/1");
        let camera = Witness::start(&launch(&format!("videotestsrc is-live=true ! {caps}")));
        let frame = camera.until_frame();
        assert_eq!(frame.image.format(), format);
        assert_eq!((frame.image.width(), frame.image.height()), (322, 240));
        assert!(frame.image.stride() >= 322 * format.bytes_per_px());
        assert!(!camera.camera.frames_on_trigger());
    }
}

#[test]
fn a_grey_test_picture_has_its_bars_where_they_belong() {
    let grey = "videotestsrc is-live=true pattern=smpte75 ! video/x-raw,format=GRAY8,width=322,height=240,framerate=50/1";
    let image = Witness::start(&launch(grey)).until_frame().image;
    let bars: Vec<u8> = (0..7).map(|bar| image.row(100)[bar * 46 + 23]).collect();
    assert!(bars.is_sorted_by(|a, b| a > b), "seven bars, each darker than the last: {bars:?}");
}

#[test]
fn launch_lines_that_cannot_be_built_are_refused_at_the_start() {
    for (line, says) in [
        ("nosuchsrc ! videoconvert", "GStreamer element `nosuchsrc`"),
        ("videotestsrc pattern=nosuchpattern", "is not a GStreamer pipeline"),
        ("videotestsrc ! ! !", "is not a GStreamer pipeline"),
        ("aravissrc camera-name=x", "use `kind = \"gige\"`"),
    ] {
        let error = Witness::refused(&launch(line)).to_string();
        assert!(error.contains(says) && error.contains("camera top"), "{error}");
    }
    assert!(matches!(Witness::refused(&launch("v4l3src")), CaptureError::Missing { .. }));
}

#[test]
fn a_format_we_do_not_take_is_down_and_told_what_helps() {
    let line = "videotestsrc is-live=true ! video/x-raw,format=I420,width=64,height=64";
    let (_, says) = Witness::start(&launch(line)).until_down();
    assert!(says.contains("videoconvert"), "{says}");
}

#[test]
fn a_stream_that_ends_is_down_and_opened_again_and_counts_on() {
    let camera = Witness::start(&launch(&format!(
        "{} ! videoconvert",
        TEST.replace("is-live=true", "is-live=true num-buffers=5")
    )));
    let mut seen = Vec::new();
    let mut downs = 0;
    camera.until("15 frames", |event| {
        match event {
            CameraEvent::Frame(frame) => seen.push(frame.seq),
            CameraEvent::Down { why, retry_in, .. } => {
                assert_eq!(why, DownCause::Ended);
                assert_eq!(
                    retry_in,
                    Duration::from_millis(QUICK.backoff_min_ms),
                    "a good frame resets the wait"
                );
                downs += 1;
            }
            _ => {}
        }
        (seen.len() == 15).then_some(())
    });
    assert_eq!(seen, (1..=15).collect::<Vec<_>>());
    assert_eq!(downs, 2);
}

#[test]
fn a_camera_that_falls_silent_is_stalled_and_opened_again() {
    let watch = WatchConfig { stall_ms: 200, ..QUICK };
    let line = launch(&format!("{TEST} ! identity sleep-time=700000 ! videoconvert"));
    let camera = Witness::with(&line, watch, None);
    let last = camera.until_frame().at.mono;
    let (why, _) = camera.until_down();
    let noticed = last.elapsed();
    assert_eq!(why, DownCause::Stalled);
    assert!(noticed >= Duration::from_millis(200), "{noticed:?}");
    assert!(
        noticed < Duration::from_millis(QUICK.connect_ms / 2),
        "a stall right after the first frame: {noticed:?}"
    );
    camera.until_up();
}

#[test]
fn frames_missing_from_the_cameras_own_count_are_told_before_the_next() {
    let line = format!(
        "{}\noffset_counts_frames = true",
        launch(&format!("{TEST} ! identity drop-probability=0.4 ! videoconvert"))
    );
    let camera = Witness::start(&line);
    let (mut first, mut frames, mut lost, mut pending) = (None, 0, 0, 0);
    camera.until("60 frames", |event| {
        match event {
            CameraEvent::FramesLost { count } => (lost, pending) = (lost + count, count),
            CameraEvent::Frame(frame) => {
                let id = frame.camera_frame_id.expect("counts");
                let first = *first.get_or_insert(id);
                frames += 1;
                assert_eq!(id - first + 1, frames + lost, "every number is a frame or a loss");
                pending = 0;
                return (frames == 60).then_some(());
            }
            CameraEvent::Up => {}
            other => panic!("{other:?}"),
        }
        assert!(pending < 1000);
        None
    });
    assert!(lost > 0, "a dropping pipeline lost nothing");
}

#[test]
fn nothing_reaches_the_sink_after_a_camera_was_dropped() {
    let camera = Witness::start(&launch(&format!("{TEST} ! videoconvert")));
    camera.until_frame();
    let Witness { camera, events } = camera;
    drop(camera);
    let at_drop = Instant::now();
    for event in events.iter() {
        if let CameraEvent::Frame(frame) = event {
            assert!(frame.at.mono < at_drop);
        }
    } // ends only because the sink, and the channel's other end with it, is gone
}

#[test]
fn a_lent_frame_outlives_its_camera() {
    let camera = Witness::start(&launch(&format!("{TEST},format=GRAY8")));
    let frame = camera.until_frame();
    let row = frame.image.row(100).to_vec();
    drop(camera);
    assert_eq!(frame.image.row(100), row);
}

#[test]
fn a_sink_that_panics_takes_the_camera_down_and_not_the_station() {
    let (tell, events) = mpsc::channel();
    let panicked = Arc::new(AtomicBool::new(false));
    let config = crate::witness::source(&launch(&format!("{TEST} ! videoconvert")));
    let _camera = plumb_capture::Camera::start("top".into(), config, QUICK, None, move |event| {
        if matches!(event, CameraEvent::Frame(_)) && !panicked.swap(true, SeqCst) {
            panic!("a test of what happens when a sink panics");
        }
        let _ = tell.send(event);
    })
    .expect("starts");
    let next = || events.recv_timeout(crate::witness::LONG).expect("the camera goes on");
    while !matches!(next(), CameraEvent::Down { .. }) {}
    while !matches!(next(), CameraEvent::Frame(_)) {}
}

#[test]
fn our_share_of_a_frames_way_is_small() {
    let (tell, times) = mpsc::channel();
    let line = launch(
        "videotestsrc is-live=true pattern=black ! video/x-raw,format=BGR,width=1280,height=720,framerate=200/1",
    );
    let _camera = plumb_capture::Camera::start(
        "top".into(),
        crate::witness::source(&line),
        QUICK,
        None,
        move |event| {
            if let CameraEvent::Frame(frame) = event {
                let _ = tell.send(frame.at.mono.elapsed());
            }
        },
    )
    .expect("starts");
    let mut times: Vec<Duration> =
        (0..500).map(|_| times.recv_timeout(crate::witness::LONG).expect("frames")).collect();
    times.sort();
    println!("from arrival to sink, BGR 1280x720: p50 {:?}, p99 {:?}", times[250], times[495]);
    assert!(times[250] < Duration::from_micros(200), "p50 {:?}; a copy of 2.7 MB takes longer", times[250]);
}
