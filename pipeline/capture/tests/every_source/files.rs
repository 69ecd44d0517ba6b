//! Folders, pictures and videos: whole, cut, empty, of the wrong kind, missing.

use crate::witness::{LONG, Witness, data, source};
use gstreamer::{self as gst, prelude::*};
use gstreamer_app as gst_app;
use image::{ImageFormat, RgbImage};
use plumb_capture::{Camera, CameraEvent, DownCause, WatchConfig};
use plumb_inspection::PixelFormat;
use std::{
    fs,
    io::Cursor,
    path::Path,
    sync::mpsc,
    time::{Duration, Instant},
};
use tempfile::tempdir;

fn play(path: &Path, more: &str) -> Witness {
    Witness::start(&format!("kind = 'files'\npath = '{}'\n{more}", path.display()))
}

fn picture(format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    RgbImage::from_fn(64, 48, |x, y| image::Rgb([x as u8, y as u8, 7]))
        .write_to(&mut bytes, format)
        .expect("encodes");
    bytes.into_inner()
}

#[test]
fn the_belt_video_gives_each_of_its_187_frames_once_and_in_order() {
    let Some(video) = data("video/capvision_IMG_4824.mkv") else { return };
    let began = Instant::now();
    let story = play(&video, "pace = 'free'").story();
    println!("{:.0} frames/s decoded from MJPEG 640x640", 187.0 / began.elapsed().as_secs_f64());
    assert_eq!(story.frames.len(), 187);
    assert_eq!((story.corrupt.len(), story.lost), (0, 0));
    for (i, frame) in story.frames.iter().enumerate() {
        assert_eq!(frame.seq, i as u64 + 1);
        assert_eq!((frame.image.width(), frame.image.height()), (640, 640));
        assert_eq!(frame.image.format(), PixelFormat::Bgr8);
    }
    let stamps: Vec<Instant> = story.frames.iter().map(|frame| frame.at.mono).collect();
    assert!(stamps.is_sorted());
    assert_ne!(story.frames[0].image.row(320), story.frames[186].image.row(320), "the belt moves");
}

#[test]
fn an_h264_video_gives_all_its_frames() {
    let Some(video) = data("video/bottle-detection.mp4") else { return };
    let camera = play(&video, "pace = 'free'");
    let mut frames = 0;
    camera.until("Ended", |event| {
        frames += u32::from(matches!(event, CameraEvent::Frame(_)));
        matches!(event, CameraEvent::Ended).then_some(())
    });
    assert_eq!(frames, 1189);
}

#[test]
fn folders_of_photographs_play_in_the_order_of_their_names() {
    for (folder, count, side) in [
        ("capvision/images", 60, Some((640, 640))),
        ("cookies/images", 24, Some((576, 768))),
        ("calib", 13, None),
    ] {
        let Some(path) = data(folder) else { return };
        let began = Instant::now();
        let story = play(&path, "").story();
        let rate = f64::from(count) / began.elapsed().as_secs_f64();
        println!("{folder}: {rate:.0} pictures/s");
        assert!(rate > 10.0, "{folder}: {rate} pictures/s");
        assert_eq!((story.frames.len() as i32, story.corrupt), (count, vec![]), "{folder}");
        if let Some(side) = side {
            assert!(
                story.frames.iter().all(|frame| (frame.image.width(), frame.image.height()) == side),
                "{folder}"
            );
        }
    }
}

#[test]
fn png_photographs_play() {
    let Some(path) = data("aliens/normal") else { return };
    let story = play(&path, "").story();
    assert_eq!((story.frames.len(), story.corrupt), (29, vec![]));
    assert_eq!(story.frames[0].image.format(), PixelFormat::Bgr8);
}

#[test]
fn damaged_pictures_are_named_and_the_others_are_played() {
    let folder = tempdir().expect("a temporary folder");
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).expect("writes");
    let (jpeg, png) = (picture(ImageFormat::Jpeg), picture(ImageFormat::Png));
    write("01-good.jpg", &jpeg);
    write("02-cut.jpg", &jpeg[..jpeg.len() / 2]);
    write("03-good.png", &png);
    write("04-empty.jpg", b"");
    write("05-text.png", b"these are no pixels");
    write("06-cut.png", &png[..png.len() * 2 / 3]);
    let mut garbled = jpeg.clone();
    garbled[2..200].fill(0);
    write("07-garbled.jpg", &garbled);
    write("08-good.bmp", &picture(ImageFormat::Bmp));
    write("09-good-jpeg-called.png", &jpeg);
    write("labels.csv", b"not a picture, and not meant to be one");
    let story = play(folder.path(), "").story();
    let names: Vec<&str> = story
        .corrupt
        .iter()
        .map(|says| says.rsplit_once('/').expect("names the file").1.split(' ').next().expect("a name"))
        .collect();
    assert_eq!(
        names,
        ["02-cut.jpg", "04-empty.jpg", "05-text.png", "06-cut.png", "07-garbled.jpg"],
        "{:?}",
        story.corrupt
    );
    assert_eq!(story.frames.len(), 4);
    assert_eq!(story.frames.iter().map(|frame| frame.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[test]
fn real_photographs_cut_short_are_never_taken_for_whole_ones() {
    let Some(photographs) = data("capvision/images") else { return };
    let folder = tempdir().expect("a temporary folder");
    let mut cut = 0;
    for (i, entry) in fs::read_dir(photographs).expect("readable").take(20).enumerate() {
        let bytes = fs::read(entry.expect("readable").path()).expect("readable");
        let keep = bytes.len() * (i + 1) / 21;
        fs::write(folder.path().join(format!("{i:02}.jpg")), &bytes[..keep]).expect("writes");
        cut += 1;
    }
    let story = play(folder.path(), "").story();
    assert_eq!((story.frames.len(), story.corrupt.len()), (0, cut));
}

#[test]
fn a_single_picture_is_played_as_often_as_asked() {
    let folder = tempdir().expect("a temporary folder");
    let path = folder.path().join("one.png");
    fs::write(&path, picture(ImageFormat::Png)).expect("writes");
    assert_eq!(play(&path, "").story().frames.len(), 1);
    let again = play(&path, "loop = true\npace = { fps = 500 }");
    again.until("the tenth frame", |event| {
        matches!(event, CameraEvent::Frame(frame) if frame.seq == 10).then_some(())
    });
}

#[test]
fn a_looped_video_begins_anew_without_going_down() {
    let Some(video) = data("video/capvision_IMG_4824.mkv") else { return };
    let camera = play(&video, "pace = 'free'\nloop = true");
    let mut ups = 0;
    camera.until("frame 400", |event| match event {
        CameraEvent::Up => {
            ups += 1;
            None
        }
        CameraEvent::Frame(frame) => (frame.seq == 400).then_some(()),
        other => panic!("{other:?}"),
    });
    assert_eq!(ups, 1);
}

#[test]
fn a_cut_video_gives_what_is_left_of_it_and_ends() {
    let Some(video) = data("video/capvision_IMG_4824.mkv") else { return };
    let folder = tempdir().expect("a temporary folder");
    let bytes = fs::read(video).expect("readable");
    let path = folder.path().join("cut.mkv");
    fs::write(&path, &bytes[..bytes.len() / 2]).expect("writes");
    let story = play(&path, "pace = 'free'").story();
    println!("half a video: {} frames, {:?}", story.frames.len(), story.corrupt);
    assert!((60..130).contains(&story.frames.len()), "{} frames", story.frames.len());
}

#[test]
fn a_video_with_holes_in_it_loses_pictures_and_never_invents_any() {
    let Some(video) = data("video/bottle-detection.mp4") else { return };
    let folder = tempdir().expect("a temporary folder");
    let mut bytes = fs::read(video).expect("readable");
    let len = bytes.len();
    for hole in 4..9 {
        bytes[len * hole / 10..][..2000].fill(0x55);
    }
    let path = folder.path().join("holes.mp4");
    fs::write(&path, &bytes).expect("writes");
    let camera = play(&path, "pace = 'free'");
    let (mut frames, mut corrupt) = (0, 0);
    camera.until("Ended", |event| {
        match event {
            CameraEvent::Frame(_) => frames += 1,
            CameraEvent::Corrupt { .. } => corrupt += 1,
            CameraEvent::Down { says, .. } => panic!("{says}"),
            _ => {}
        }
        matches!(event, CameraEvent::Ended).then_some(())
    });
    println!("five holes in 1189 pictures: {frames} frames, {corrupt} told as damaged");
    assert!((100..1189).contains(&frames), "{frames} frames");
}

#[test]
fn files_that_are_missing_empty_or_no_pictures_at_all_are_down_and_say_so() {
    let folder = tempdir().expect("a temporary folder");
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).expect("writes");
    write("empty.mp4", b"");
    write("text.mp4", "this is not a video. ".repeat(500).as_bytes());
    fs::create_dir(folder.path().join("bare")).expect("creates");
    for (name, why, says) in [
        ("nothing.mkv", DownCause::Unplugged, "there is no"),
        ("empty.mp4", DownCause::Corrupt, "is empty"),
        ("text.mp4", DownCause::Corrupt, "text.mp4"),
        ("bare", DownCause::Unplugged, "no picture in"),
    ] {
        let down = play(&folder.path().join(name), "").until_down();
        assert!(down.0 == why && down.1.contains(says), "{name}: {down:?}");
    }
}

#[test]
fn a_file_that_appears_later_is_found() {
    let folder = tempdir().expect("a temporary folder");
    let path = folder.path().join("later.png");
    let camera = play(&path, "");
    assert_eq!(camera.until_down().0, DownCause::Unplugged);
    fs::write(folder.path().join("draft"), picture(ImageFormat::Png)).expect("writes");
    fs::rename(folder.path().join("draft"), &path).expect("renames");
    camera.until_up();
    assert_eq!(camera.until_frame().seq, 1);
}

#[test]
fn a_folder_of_nothing_but_damage_does_not_spin() {
    let folder = tempdir().expect("a temporary folder");
    fs::write(folder.path().join("a.png"), b"no pixels").expect("writes");
    let camera = play(folder.path(), "loop = true");
    assert_eq!(camera.until_down().0, DownCause::Corrupt);
}

#[test]
fn playing_waits_for_a_slow_sink_and_loses_nothing() {
    let Some(video) = data("video/capvision_IMG_4824.mkv") else { return };
    let (tell, events) = mpsc::sync_channel(0); // every frame waits until it is taken
    let toml = format!("kind = 'files'\npath = '{}'\npace = 'free'", video.display());
    let camera = Camera::start("top".into(), source(&toml), WatchConfig::default(), None, move |event| {
        let _ = tell.send(event);
    })
    .expect("starts");
    let mut seqs = Vec::new();
    while let Ok(event) = events.recv_timeout(LONG) {
        match event {
            CameraEvent::Frame(frame) => seqs.push(frame.seq),
            CameraEvent::Ended => break,
            CameraEvent::Up => {}
            other => panic!("{other:?}"),
        }
    }
    drop(camera);
    assert_eq!(seqs, (1..=187).collect::<Vec<_>>());
}

#[test]
fn pictures_come_at_the_pace_asked_for() {
    let Some(video) = data("video/capvision_IMG_4824.mkv") else { return };
    for pace in ["{ fps = 50.0 }", "'recorded'"] {
        let wanted = if pace.contains("50") { 20.0 } else { 1000.0 / 30.0 };
        let camera = play(&video, &format!("pace = {pace}"));
        let first = camera.until_frame().at.mono;
        (0..19).for_each(|_| drop(camera.until_frame()));
        let last = camera.until_frame().at.mono;
        let each = (last - first).as_secs_f64() * 1000.0 / 20.0;
        assert!((each - wanted).abs() < wanted * 0.5, "{pace}: {each:.1} ms a frame");
    }
}

#[test]
fn a_paced_camera_stops_at_once() {
    let folder = tempdir().expect("a temporary folder");
    fs::write(folder.path().join("a.png"), picture(ImageFormat::Png)).expect("writes");
    let camera = play(folder.path(), "loop = true\npace = { fps = 0.01 }");
    camera.until_frame();
    let began = Instant::now();
    drop(camera);
    assert!(began.elapsed() < Duration::from_secs(5), "took {:?}", began.elapsed());
}

#[test]
fn a_cut_picture_inside_a_video_is_told_and_left_out() {
    let folder = tempdir().expect("a temporary folder");
    let path = folder.path().join("damaged.mkv");
    mux(&path, 10, |i, jpeg| if i == 4 { jpeg.len() / 2 } else { jpeg.len() });
    let story = play(&path, "pace = 'free'").story();
    assert_eq!((story.frames.len(), story.corrupt.len()), (9, 1), "{:?}", story.corrupt);
}

/// Writes an MJPEG video whose picture `i` is kept to `keep(i, picture)` bytes.
fn mux(path: &Path, count: u64, keep: impl Fn(u64, &[u8]) -> usize) {
    gst::init().expect("GStreamer starts");
    let launch = "appsrc name=in format=time caps=image/jpeg,width=64,height=48,framerate=10/1 ! matroskamux ! filesink name=out";
    let pipeline: gst::Pipeline =
        gst::parse::launch(launch).expect("installed").downcast().expect("a pipeline");
    pipeline.by_name("out").expect("named").set_property("location", path.to_str().expect("plain"));
    let entry: gst_app::AppSrc = pipeline.by_name("in").expect("named").downcast().expect("an appsrc");
    pipeline.set_state(gst::State::Playing).expect("plays");
    let jpeg = picture(ImageFormat::Jpeg);
    for i in 0..count {
        let mut buffer = gst::Buffer::from_slice(jpeg[..keep(i, &jpeg)].to_vec());
        let meta = buffer.get_mut().expect("ours alone");
        meta.set_pts(gst::ClockTime::from_mseconds(100 * i));
        meta.set_duration(gst::ClockTime::from_mseconds(100));
        entry.push_buffer(buffer).expect("taken");
    }
    entry.end_of_stream().expect("taken");
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let done = bus.timed_pop_filtered(
        gst::ClockTime::from_seconds(20),
        &[gst::MessageType::Eos, gst::MessageType::Error],
    );
    assert_eq!(done.map(|message| message.type_()), Some(gst::MessageType::Eos));
    pipeline.set_state(gst::State::Null).expect("stops");
}
