//! A network camera: GStreamer's own RTSP server, in this process, on a real socket.

use crate::witness::{Witness, source};
use gstreamer as gst;
use gstreamer::glib;
use gstreamer_rtsp_server::{self as rtsp_server, prelude::*};
use plumb_capture::{Camera, CameraEvent, CaptureError, DownCause};
use plumb_inspection::PixelFormat;
use std::{net::TcpListener, thread};

struct Server {
    main: glib::MainLoop,
    thread: Option<thread::JoinHandle<()>>,
    port: u16,
}

const MJPEG: &str = "( videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! jpegenc ! rtpjpegpay name=pay0 )";
const H264: &str = "( videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! openh264enc gop-size=15 ! rtph264pay name=pay0 config-interval=1 )";
const WITH_SOUND: &str = "( audiotestsrc is-live=true ! alawenc ! rtppcmapay name=pay0 videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! jpegenc ! rtpjpegpay name=pay1 )";

impl Server {
    fn start(port: u16, launch: &str) -> Self {
        gst::init().expect("GStreamer starts");
        let context = glib::MainContext::new();
        let main = glib::MainLoop::new(Some(&context), false);
        let (server, factory) = (rtsp_server::RTSPServer::new(), rtsp_server::RTSPMediaFactory::new());
        server.set_address("127.0.0.1");
        server.set_service(&port.to_string());
        factory.set_launch(launch);
        factory.set_shared(true);
        server.mount_points().expect("a server has them").add_factory("/belt", factory);
        let listening = server.attach(Some(&context)).expect("the port is free");
        let running = main.clone();
        let thread = thread::spawn(move || {
            running.run();
            context.find_source_by_id(&listening).expect("attached above").destroy();
            // As when the camera loses power: every connection is closed.
            server.client_filter(Some(&mut |_, _| rtsp_server::RTSPFilterResult::Remove));
            while context.iteration(false) {}
        });
        Self { main, thread: Some(thread), port }
    }

    fn url(&self) -> String {
        format!("rtsp://127.0.0.1:{}/belt", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.main.quit();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server stops");
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port is free").port()
}

#[test]
fn mjpeg_and_h264_give_colour_frames_over_tcp_and_udp() {
    gst::init().expect("GStreamer starts");
    for (launch, needs) in [(MJPEG, "jpegenc"), (H264, "openh264enc"), (WITH_SOUND, "alawenc")] {
        if gst::ElementFactory::find(needs).is_none() {
            println!("skipped: no {needs} here");
            continue;
        }
        let server = Server::start(free_port(), launch);
        for transport in ["tcp", "udp"] {
            let camera = Witness::start(&format!(
                "kind = 'rtsp'\nurl = '{}'\ntransport = '{transport}'",
                server.url()
            ));
            let frame = camera.until("ten frames", |event| match event {
                CameraEvent::Frame(frame) => (frame.seq == 10).then_some(frame),
                CameraEvent::Down { says, .. } => panic!("{needs} over {transport}: {says}"),
                _ => None,
            });
            assert_eq!((frame.image.width(), frame.image.height()), (320, 240));
            assert_eq!(frame.image.format(), PixelFormat::Bgr8);
        }
    }
}

#[test]
fn a_server_that_stops_is_down_and_found_again_when_it_is_back() {
    let server = Server::start(free_port(), MJPEG);
    let (url, port) = (server.url(), server.port);
    let camera = Witness::start(&format!("kind = 'rtsp'\nurl = '{url}'"));
    camera.until_up();
    let before = camera.until_frame().seq;
    drop(server);
    let (why, says) = camera.until_down();
    println!("a stopped server: {} ({says})", why.as_str());
    // While it is away, each try fails to connect.
    camera.until("a refused connection", |event| {
        matches!(event, CameraEvent::Down { why: DownCause::Unplugged, .. }).then_some(())
    });
    let _server = Server::start(port, MJPEG);
    camera.until_up();
    assert!(camera.until_frame().seq > before, "frames are counted on");
}

#[test]
fn a_camera_that_never_was_there_is_down_and_not_an_error() {
    let camera = Witness::start(&format!("kind = 'rtsp'\nurl = 'rtsp://127.0.0.1:{}/belt'", free_port()));
    let (why, says) = camera.until_down();
    assert_eq!(why, DownCause::Unplugged, "{says}");
}

#[test]
fn a_path_the_server_does_not_have_is_down() {
    let server = Server::start(free_port(), MJPEG);
    let url = server.url().replace("belt", "nobelt");
    let (_, says) = Witness::start(&format!("kind = 'rtsp'\nurl = '{url}'")).until_down();
    println!("a wrong path: {says}");
}

#[test]
fn settings_that_can_never_work_are_refused_by_their_key() {
    for (toml, key) in [
        ("url = 'http://10.0.0.1/'", "`url`"),
        ("url = 'rtsp://10.0.0.1/'\npassword_env = 'PLUMB_NO_SUCH_VARIABLE'", "`password_env`"),
    ] {
        let started = Camera::start(
            "top".into(),
            source(&format!("kind = 'rtsp'\n{toml}")),
            Default::default(),
            None,
            |_| (),
        );
        match started {
            Err(error @ CaptureError::Setting { .. }) => assert!(error.to_string().contains(key), "{error}"),
            _ => panic!("{toml} was taken"),
        }
    }
}
