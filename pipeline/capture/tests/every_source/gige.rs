//! A real GigE Vision camera, played by Aravis: in a network namespace of its own, at the far end of a veth pair.
//! Needs root, `ip`, and `arv-fake-gv-camera-0.8` (Debian package aravis-tools).

use crate::witness::{QUICK, Witness, source};
use plumb_capture::{Camera, CameraEvent, CaptureError, DownCause, WatchConfig};
use plumb_inspection::PixelFormat;
use std::{
    collections::BTreeSet,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// One cable with one camera at its end.
struct Network {
    namespace: String,
    near: String,
    far: String,
    /// Of the camera.
    address: String,
}

struct FakeCamera<'a> {
    process: Child,
    network: &'a Network,
}

fn ip(args: &str) -> bool {
    let run = Command::new("ip").args(args.split(' ')).stdout(Stdio::null()).stderr(Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}

impl Network {
    /// `None`, said why, where this machine cannot have one.
    fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (pid, n) = (std::process::id(), COUNT.fetch_add(1, Relaxed));
        if Command::new("arv-fake-gv-camera-0.8").arg("--help").stdout(Stdio::null()).status().is_err() {
            println!("skipped: no arv-fake-gv-camera-0.8 here (Debian package aravis-tools)");
            return None;
        }
        let namespace = format!("plumb-{pid}-{n}");
        if !ip(&format!("netns add {namespace}")) {
            println!("skipped: network namespaces need root and `ip`");
            return None;
        }
        let (near, far) = (format!("pl{pid}n{n}"), format!("pl{pid}f{n}"));
        let subnet = format!("10.{}.{}", 128 + pid / 250 % 100, (pid + n * 7) % 250);
        let network = Self { address: format!("{subnet}.2"), namespace, near, far };
        let Self { namespace, near, far, address } = &network;
        for step in [
            format!("link add {near} mtu 9000 type veth peer name {far} mtu 9000 netns {namespace}"),
            format!("addr add {subnet}.1/24 dev {near}"),
            format!("link set {near} up"),
            format!("netns exec {namespace} ip addr add {address}/24 dev {far}"),
            format!("netns exec {namespace} ip link set {far} up"),
            format!("netns exec {namespace} ip link set lo up"),
        ] {
            assert!(ip(&step), "ip {step}");
        }
        Some(network)
    }

    fn plug_in(&self, more: &[&str]) -> FakeCamera<'_> {
        let process = Command::new("ip")
            .args([
                "netns",
                "exec",
                &self.namespace,
                "arv-fake-gv-camera-0.8",
                "-i",
                &self.far,
                "-s",
                &self.near,
            ])
            .args(more)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("was found above");
        FakeCamera { process, network: self }
    }

    fn config(&self, more: &str) -> String {
        format!("kind = 'gige'\ncamera = '{}'\n{more}", self.address)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        ip(&format!("netns del {}", self.namespace));
        ip(&format!("link del {}", self.near));
    }
}

impl Drop for FakeCamera<'_> {
    fn drop(&mut self) {
        // `ip netns exec` becomes the camera, so this is the camera's own process.
        let _ = self.process.kill();
        let _ = self.process.wait();
        assert!(self.network.address.starts_with("10."));
    }
}

#[test]
fn a_gige_camera_gives_every_frame_once_with_the_cameras_own_number() {
    let Some(network) = Network::new() else { return };
    let _plugged = network.plug_in(&[]);
    let camera = Witness::start(
        &network.config("pixel_format = 'Mono8'\nexposure_us = 2000.0\ngain_db = 0.0\nfps = 50.0"),
    );
    assert!(!camera.camera.frames_on_trigger());
    assert!(matches!(camera.camera.trigger(), Err(CaptureError::NotTriggerable { .. })));
    camera.until_up();
    let first = camera.until_frame();
    let (mut seq, mut id) = (1, first.camera_frame_id.expect("GigE Vision counts frames"));
    let span = (0..50).map(|_| camera.until_frame()).fold(Duration::ZERO, |_, frame| {
        assert_eq!(
            (frame.image.width(), frame.image.height(), frame.image.format()),
            (512, 512, PixelFormat::Gray8)
        );
        seq += 1;
        id = if id == 0xFFFF { 1 } else { id + 1 };
        assert_eq!((frame.seq, frame.camera_frame_id), (seq, Some(id)));
        frame.at.mono - first.at.mono
    });
    println!("50 frames in {span:?}");
    assert!(span < Duration::from_secs(10), "`fps = 50` was not taken: {span:?}");
}

#[test]
fn pixel_format_and_region_are_set_as_asked() {
    let Some(network) = Network::new() else { return };
    let _plugged = network.plug_in(&[]);
    for (name, format) in [
        ("BayerRG8", PixelFormat::BayerRggb),
        ("BayerGR8", PixelFormat::BayerGrbg),
        ("BayerGB8", PixelFormat::BayerGbrg),
        ("BayerBG8", PixelFormat::BayerBggr),
    ] {
        let camera = Witness::start(
            &network
                .config(&format!("pixel_format = '{name}'\nwidth = 202\nheight = 100\npacket_size = 1400")),
        );
        let image = camera.until_frame().image;
        assert_eq!((image.width(), image.height(), image.format()), (202, 100, format), "{name}");
    }
}

#[test]
fn a_setting_the_camera_does_not_have_is_refused_by_its_name() {
    let Some(network) = Network::new() else { return };
    let _plugged = network.plug_in(&[]);
    let (why, says) = Witness::start(&network.config("pixel_format = 'BGR8'")).until_down();
    assert_eq!(why, DownCause::Refused);
    assert!(says.contains("PixelFormat = BGR8"), "{says}");
}

#[test]
fn frames_lie_in_the_cameras_own_buffers_and_hoarding_them_costs_frames_that_are_told() {
    let Some(network) = Network::new() else { return };
    let _plugged = network.plug_in(&[]);
    let camera = Witness::start(&network.config("buffers = 4\nfps = 50.0"));
    camera.until_up();
    // Frames given back at once travel in the same few buffers: nothing is copied anywhere.
    let addresses: BTreeSet<usize> =
        (0..40).map(|_| camera.until_frame().image.bytes().as_ptr() as usize).collect();
    assert!(addresses.len() <= 4, "{} places for 4 buffers", addresses.len());
    // What is held is not written over, and what finds no buffer is lost and said so.
    let mut held = Vec::new();
    while let Some(CameraEvent::Frame(frame)) = camera.next(Duration::from_millis(500)) {
        held.push(frame);
    }
    assert!((1..=4).contains(&held.len()), "{} frames held", held.len());
    let before: Vec<Vec<u8>> = held.iter().map(|frame| frame.image.row(0).to_vec()).collect();
    let lost = {
        let watch_on = camera.next(Duration::from_millis(100));
        assert!(!matches!(watch_on, Some(CameraEvent::Frame(_))), "no buffer was free");
        assert_eq!(before, held.iter().map(|frame| frame.image.row(0).to_vec()).collect::<Vec<_>>());
        drop(held);
        camera.until("the loss", |event| {
            if let CameraEvent::FramesLost { count } = event { Some(count) } else { None }
        })
    };
    assert!(lost >= 10, "half a second at 50 frames a second lost {lost}");
}

#[test]
fn an_unplugged_camera_is_down_and_up_again_when_it_is_back() {
    let Some(network) = Network::new() else { return };
    let camera = Witness::start(&network.config("fps = 50.0"));
    let (why, says) = camera.until_down();
    assert_eq!(why, DownCause::Unplugged, "not there yet: {says}");
    assert!(says.contains(&network.address), "{says}");
    let plugged = network.plug_in(&[]);
    camera.until_up();
    let seq = camera.until_frame().seq;
    drop(plugged);
    let killed = Instant::now();
    let (why, says) = camera.until_down();
    println!("unplugged while free-running: {} after {:?} ({says})", why.as_str(), killed.elapsed());
    assert!(matches!(why, DownCause::Stalled | DownCause::Unplugged));
    let _plugged = network.plug_in(&[]);
    camera.until_up();
    assert!(camera.until_frame().seq > seq, "frames are counted on");
}

#[test]
fn a_software_trigger_is_one_frame_and_waiting_for_one_is_no_stall() {
    let Some(network) = Network::new() else { return };
    let plugged = network.plug_in(&[]);
    let camera = Witness::start(&network.config("trigger = 'software'"));
    assert!(camera.camera.frames_on_trigger());
    assert!(matches!(camera.camera.trigger(), Err(CaptureError::Down { .. })), "it is not open yet");
    camera.until_up();
    for seq in 1..=5 {
        let asked = Instant::now();
        camera.camera.trigger().expect("it is up");
        let took = asked.elapsed();
        let frame = camera.until_frame();
        assert_eq!(frame.seq, seq);
        println!("trigger taken after {took:?}, frame after {:?}", frame.at.mono - asked);
    }
    let quiet = camera.next(Duration::from_millis(3 * QUICK.stall_ms));
    assert!(quiet.is_none(), "without a trigger came {quiet:?}");
    drop(plugged);
    let killed = Instant::now();
    let (why, _) = camera.until_down();
    println!("unplugged while waiting for a trigger: noticed after {:?}", killed.elapsed());
    assert_eq!(why, DownCause::Unplugged, "its heartbeat is missed");
    let _plugged = network.plug_in(&[]);
    camera.until_up();
    camera.camera.trigger().expect("it is up again");
    camera.until_frame();
}

#[test]
fn a_camera_triggered_by_wire_is_up_and_silent() {
    let Some(network) = Network::new() else { return };
    let _plugged = network.plug_in(&[]);
    let camera = Witness::start(
        &network.config("trigger = { hardware = { source = 'Line0', activation = 'RisingEdge' } }"),
    );
    assert!(camera.camera.frames_on_trigger());
    camera.until_up();
    assert!(matches!(camera.camera.trigger(), Err(CaptureError::NotTriggerable { .. })));
    let quiet = camera.next(Duration::from_millis(2 * QUICK.stall_ms));
    assert!(quiet.is_none(), "nobody touched the wire, and there came {quiet:?}");
}

#[test]
fn over_a_bad_cable_every_frame_is_whole_or_told_as_damaged_or_lost() {
    let Some(network) = Network::new() else { return };
    let _plugged = network.plug_in(&["-r", "1"]);
    let watch = WatchConfig { stall_ms: 5000, ..QUICK };
    let camera = Witness::with(&network.config("packet_size = 1400\nfps = 50.0"), watch, None);
    camera.until_up();
    let (mut last, mut frames, mut lost, mut corrupt) = (None, 0, 0, 0);
    let span = camera.until("100 whole frames", |event| {
        match event {
            CameraEvent::Frame(frame) => {
                let id = frame.camera_frame_id.expect("GigE Vision counts frames");
                let Some((first, wraps, before)) = last else {
                    last = Some((id, 0, id));
                    (frames, lost, corrupt) = (1, 0, 0); // before the first number nothing can be reckoned
                    return None;
                };
                frames += 1;
                let wraps = wraps + u64::from(id < before);
                last = Some((first, wraps, id));
                return (frames == 100).then_some(id + 0xFFFF * wraps - first + 1);
            }
            CameraEvent::FramesLost { count } => lost += count,
            CameraEvent::Corrupt { .. } => corrupt += 1,
            other => panic!("{other:?}"),
        }
        None
    });
    println!(
        "one packet in a thousand lost: {frames} frames whole, {corrupt} damaged, {lost} lost, of {span}"
    );
    assert_eq!(span, frames + corrupt + lost);
}

#[test]
fn a_lent_frame_outlives_its_camera() {
    let Some(network) = Network::new() else { return };
    let _plugged = network.plug_in(&[]);
    let camera = Witness::start(&network.config(""));
    let frame = camera.until_frame();
    let before = frame.image.row(100).to_vec();
    drop(camera);
    assert_eq!(frame.image.row(100), before);
}

#[test]
fn a_camera_that_is_not_there_does_not_keep_the_station_from_stopping() {
    let started =
        Camera::start("top".into(), source("kind = 'gige'\ncamera = '10.255.255.1'"), QUICK, None, |_| ());
    let camera = started.expect("a camera that is away is no error");
    let began = Instant::now();
    drop(camera);
    assert!(began.elapsed() < Duration::from_secs(10), "took {:?}", began.elapsed());
}
