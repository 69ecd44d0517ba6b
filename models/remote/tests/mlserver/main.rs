//! Against a real server: MLServer, in a process of its own, with models that ONNX Runtime runs there.

#![allow(clippy::unwrap_used)] // a test's helpers are part of the test

mod server;

use half::f16;
use plumb_remote::{Answer, Datatype, Options, Remote, RemoteError, Tensor, TensorInfo, Values, Why};
use serde_json::{Value, json};
use server::{START, Server, Site, onnx, patient, python};
use std::{
    io::Write,
    net::{TcpListener, TcpStream},
    num::NonZeroUsize,
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const CLASSIFIER: &str = "inference/tests/models/classifier.onnx";
const SHAPE: [usize; 4] = [1, 3, 32, 32];

/// A server for all tests that do it no harm. It ends with this process.
struct Shared {
    site: Site,
    _server: Server,
    /// Where requests for model `slow` wait to be let through.
    slow: TcpListener,
    /// The same for model `full`.
    full: TcpListener,
}

fn shared() -> &'static Shared {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED.get_or_init(|| {
        let [slow, full] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let gate = |gate: &TcpListener| json!({ "gate": gate.local_addr().unwrap().port() });
        let any = |name: &str, shape: &[i64]| json!([{ "name": name, "datatype": "FP32", "shape": shape }]);
        let says_any =
            json!({ "inputs": any("picture", &[-1, -1, -1, -1]), "outputs": any("logits", &[-1, -1]) });
        let says_two =
            json!({ "inputs": any("picture", &[1, 3, 32, 32]), "outputs": any("logits", &[1, 2]) });
        let says_less =
            json!({ "inputs": any("picture", &[1, 3, 240, 320]), "outputs": any("scores", &[1, 7, 6, 8]) });
        let site = Site::new("shared")
            .with("classifier", &onnx(CLASSIFIER), json!({}))
            .with("classifier-u8", &onnx("inference/tests/models/classifier-u8.onnx"), json!({}))
            .with("classifier-f16", &onnx("inference/tests/models/classifier-f16.onnx"), json!({}))
            .with("classes", &onnx("inference/tests/models/segmenter-classes.onnx"), json!({}))
            .with("two-inputs", &onnx("inference/tests/models/refused-two-inputs.onnx"), json!({}))
            .with("line-parts", &onnx("zoo/line-parts/line-parts.onnx"), json!({}))
            .with("slow", &onnx(CLASSIFIER), gate(&slow))
            .with("full", &onnx(CLASSIFIER), gate(&full))
            .with("says-any", &onnx(CLASSIFIER), json!({ "declared": says_any }))
            .with("says-two", &onnx(CLASSIFIER), json!({ "declared": says_two }))
            .with("says-less", &onnx("zoo/line-parts/line-parts.onnx"), json!({ "declared": says_less }));
        let server = site.start();
        Shared { site, _server: server, slow, full }
    })
}

fn connect(model: &str) -> Remote {
    shared().site.connect(model, patient())
}

/// For what is not the matter of a test.
fn in_a_minute() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// Red 0.25, green 0.5, blue 0.125 everywhere: exact in every number type that is used.
fn picture() -> Vec<f32> {
    [0.25, 0.5, 0.125].iter().flat_map(|colour| [*colour; 32 * 32]).collect()
}

fn classify(remote: &Remote, by: Instant) -> Result<Answer, RemoteError> {
    remote.infer(&[Tensor::lent("picture", &SHAPE, &picture()[..])], by)
}

/// The mean of each colour, times ten.
fn assert_classified(answer: &Answer) {
    let logits = answer.output("logits").unwrap();
    assert_eq!(*logits.shape, [1, 3]);
    let Values::F32(values) = &logits.values else { panic!("{logits:?}") };
    for (value, expected) in values.iter().zip([2.5, 5.0, 1.25]) {
        assert!((value - expected).abs() < 1e-5, "{values:?}");
    }
}

/// The next request that reached the model behind this gate; it goes on when this is dropped.
fn arrived(gate: &TcpListener) -> TcpStream {
    gate.accept().unwrap().0
}

/// Does `work` while every request is let through.
fn with_open<T: Send>(gate: &TcpListener, work: impl FnOnce() -> T + Send) -> T {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let working = scope.spawn(|| {
            let result = work();
            done.store(true, Ordering::Release);
            drop(TcpStream::connect(gate.local_addr().unwrap()).unwrap()); // wakes the loop below
            result
        });
        while !done.load(Ordering::Acquire) {
            drop(arrived(gate));
        }
        working.join().unwrap()
    })
}

#[test]
fn a_server_finds_what_a_local_run_finds() {
    let remote = connect("line-parts");
    let mut state = 7u32; // any picture will do, as long as it is not flat
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let picture: Vec<f32> = (0..3 * 240 * 320).map(|_| noise()).collect();
    let answer =
        remote.infer(&[Tensor::lent("picture", &[1, 3, 240, 320], &picture[..])], in_a_minute()).unwrap();
    let scores = answer.output("scores").unwrap();
    assert_eq!(*scores.shape, [1, 7, 60, 80]);
    let Values::F32(scores) = &scores.values else { panic!("not FP32") };

    let local = run_local("zoo/line-parts/line-parts.onnx", &picture);
    let apart = scores.iter().zip(&local).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert_eq!(scores.len(), local.len());
    assert!(apart <= 1e-5, "apart by {apart}");
    let (low, high) = local.iter().fold((f32::MAX, f32::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
    assert!(high - low > 1.0, "the picture tells nothing: {low} to {high}");
    assert_eq!(answer.model_version, "v7");
    assert_eq!(*answer.endpoint, *shared().site.endpoint());
}

fn run_local(model: &str, picture: &[f32]) -> Vec<f32> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mlserver/local.py");
    let mut python = Command::new(python())
        .args(["-B", script, onnx(model).to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let bytes: Vec<u8> = picture.iter().flat_map(|value| value.to_le_bytes()).collect();
    python.stdin.take().unwrap().write_all(&bytes).unwrap();
    let out = python.wait_with_output().unwrap();
    assert!(out.status.success());
    out.stdout.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

#[test]
fn bytes_halves_and_whole_numbers_go_through_unharmed() {
    assert_classified(&classify(&connect("classifier"), in_a_minute()).unwrap());

    let bytes: Vec<u8> = [4u8, 2, 1].iter().flat_map(|colour| [*colour; 32 * 32]).collect();
    let answer =
        connect("classifier-u8").infer(&[Tensor::lent("picture", &SHAPE, &bytes[..])], in_a_minute());
    let answer = answer.unwrap();
    let Values::F32(values) = &answer.output("logits").unwrap().values else { panic!("{answer:?}") };
    assert!(values[0] > values[1] && values[1] > values[2] && values[2] > 0.0, "{values:?}");

    let halves: Vec<f16> = picture().into_iter().map(f16::from_f32).collect();
    let answer =
        connect("classifier-f16").infer(&[Tensor::lent("picture", &SHAPE, &halves[..])], in_a_minute());
    let answer = answer.unwrap();
    let expected = [2.5, 5.0, 1.25].map(f16::from_f32);
    assert_eq!(answer.output("logits").unwrap().values, Values::from(&expected[..]));

    let mut red_left = vec![0f32; 3 * 32 * 32];
    for row in 0..32 {
        red_left[row * 32..row * 32 + 16].fill(1.0);
    }
    let answer =
        connect("classes").infer(&[Tensor::lent("picture", &SHAPE, &red_left[..])], in_a_minute()).unwrap();
    let expected: Vec<i64> = (0..16 * 16).map(|at| i64::from(at % 16 < 8)).collect();
    assert_eq!(answer.output("classes").unwrap().values, Values::from(&expected[..]));
}

#[test]
fn what_goes_in_and_comes_out_is_known_from_the_start() {
    let remote = connect("two-inputs");
    let picture =
        |name: &str| TensorInfo { name: name.to_owned(), datatype: Datatype::F32, shape: vec![1, 3, 32, 32] };
    assert_eq!(remote.metadata().inputs, [picture("picture"), picture("golden")]);
    assert_eq!(remote.metadata().outputs, [picture("logits")]);
}

#[test]
fn a_model_that_no_server_has_is_told_without_waiting() {
    let endpoint = shared().site.endpoint();
    let _up = connect("classifier");
    let error = Remote::connect(std::slice::from_ref(&endpoint), "clasifier", patient()).unwrap_err();
    let RemoteError::NoServer { servers, .. } = &error else { panic!("{error}") };
    assert_eq!(servers[0].1, Why::UnknownModel);
    let says = error.to_string();
    assert!(says.contains("\"clasifier\"") && says.contains(&format!("{endpoint} does not have")), "{says}");
}

#[test]
fn the_wrong_port_is_told_with_each_server_that_does_not_work() {
    let _up = connect("classifier");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let options = Options { connect_within: Duration::from_secs(2), ..Options::default() };
    let http = shared().site.http_endpoint();
    let says = Remote::connect(&[http.clone(), free.clone()], "classifier", options).unwrap_err().to_string();
    assert!(says.contains(&format!("{http} cannot be reached")) && says.contains("its gRPC port"), "{says}");
    assert!(says.contains(&format!("{free} cannot be reached (Connection refused")), "{says}");
}

#[test]
fn an_input_of_another_shape_is_refused_before_it_is_sent() {
    let remote = connect("classifier");
    let values = vec![0f32; 3 * 16 * 16];
    let given = [Tensor::lent("picture", &[1, 3, 16, 16], &values[..])];
    let error = remote.infer(&given, in_a_minute()).unwrap_err();
    assert!(matches!(error, RemoteError::Input { .. }), "{error}");
    let says = error.to_string();
    assert!(says.contains("[1, 3, 16, 16]") && says.contains("[1, 3, 32, 32]"), "{says}");
    assert_classified(&classify(&remote, in_a_minute()).unwrap());
}

#[test]
fn a_server_that_fails_is_quoted_and_goes_on_serving() {
    let remote = connect("says-any");
    let values = vec![0f32; 3 * 16 * 16];
    let given = [Tensor::lent("picture", &[1, 3, 16, 16], &values[..])];
    for _ in 0..3 {
        let error = remote.infer(&given, in_a_minute()).unwrap_err();
        let says = error.to_string();
        assert!(matches!(error, RemoteError::Failed { .. } | RemoteError::Refused { .. }), "{says}");
        assert!(says.contains("invalid dimensions") && says.contains(&shared().site.endpoint()), "{says}");
        assert_classified(&classify(&remote, in_a_minute()).unwrap());
    }
}

#[test]
fn an_answer_that_is_not_what_the_metadata_says_is_no_answer() {
    let says = classify(&connect("says-two"), in_a_minute()).unwrap_err().to_string();
    assert!(says.contains("malformed") && says.contains("[1, 3]") && says.contains("[1, 2]"), "{says}");

    let values = vec![0f32; 3 * 240 * 320];
    let given = [Tensor::lent("picture", &[1, 3, 240, 320], &values[..])];
    let says = connect("says-less").infer(&given, in_a_minute()).unwrap_err().to_string();
    assert!(says.contains("malformed") && says.contains("larger than its metadata allows"), "{says}");
}

#[test]
fn a_slow_model_is_given_up_at_the_deadline_and_the_next_request_is_answered() {
    let remote = connect("slow");
    let by = Instant::now() + Duration::from_millis(200);
    let error = classify(&remote, by).unwrap_err();
    let waited_until = Instant::now();
    assert!(waited_until >= by, "it was given the whole time");
    let RemoteError::Deadline { asked, .. } = &error else { panic!("{error}") };
    assert_eq!(asked.as_deref(), Some(&*shared().site.endpoint()), "{error}");
    let next = with_open(&shared().slow, || classify(&remote, in_a_minute()));
    assert_classified(&next.unwrap());

    let late = classify(&remote, Instant::now()).unwrap_err();
    assert!(matches!(late, RemoteError::Deadline { asked: None, .. }), "{late}");
}

#[test]
fn one_request_too_many_is_refused_at_once() {
    let gate = &shared().full;
    let options = Options { in_flight_max: NonZeroUsize::new(2).unwrap(), ..patient() };
    let remote = shared().site.connect("full", options);
    thread::scope(|scope| {
        let under_way = [(); 2].map(|()| scope.spawn(|| classify(&remote, in_a_minute())));
        let held = [arrived(gate), arrived(gate)];
        let error = classify(&remote, in_a_minute()).unwrap_err();
        assert!(matches!(error, RemoteError::Busy { in_flight_max: 2, .. }), "{error}");
        drop(held);
        for answer in under_way {
            assert_classified(&answer.join().unwrap().unwrap());
        }
        let next = scope.spawn(|| classify(&remote, in_a_minute()));
        drop(arrived(gate));
        assert_classified(&next.join().unwrap().unwrap());
    });
}

#[test]
fn a_server_may_start_after_its_client_and_die_in_the_middle_of_a_request() {
    let gate = TcpListener::bind("127.0.0.1:0").unwrap();
    let extra: Value = json!({ "gate": gate.local_addr().unwrap().port() });
    let site = Site::new("late").with("held", &onnx(CLASSIFIER), extra);
    let nobody = Options { connect_within: Duration::from_millis(300), ..Options::default() };
    let error = Remote::connect(&[site.endpoint()], "held", nobody).unwrap_err();
    assert!(error.to_string().contains("Connection refused"), "{error}");

    thread::scope(|scope| {
        let connecting = scope.spawn(|| site.connect("held", patient()));
        let server = site.start();
        let remote = connecting.join().unwrap();

        let asking = scope.spawn(|| (classify(&remote, in_a_minute()), remote));
        let _held = arrived(&gate);
        drop(server); // killed
        let (answer, remote) = asking.join().unwrap();
        let error = answer.unwrap_err();
        assert!(matches!(error, RemoteError::NoServer { .. }), "long before the deadline: {error}");
        let error = classify(&remote, in_a_minute()).unwrap_err();
        assert!(error.to_string().contains("Connection refused"), "{error}");

        let _server = site.start(); // and comes back
        remote.wait_until_served(Instant::now() + START).unwrap();
        let asking = scope.spawn(move || classify(&remote, in_a_minute()));
        drop(arrived(&gate));
        assert_classified(&asking.join().unwrap().unwrap());
    });
}

#[test]
fn a_server_that_falls_silent_is_an_error_by_the_deadline_until_it_speaks_again() {
    let site = Site::new("silent").with("classifier", &onnx(CLASSIFIER), json!({}));
    let server = site.start();
    let alone = site.connect("classifier", Options { look_within: Duration::from_secs(3), ..patient() });
    let _up = connect("classifier");
    let options = Options {
        ping_after: Duration::from_millis(500),
        ping_within: Duration::from_millis(500),
        ..patient()
    };
    let both = Remote::connect(&[site.endpoint(), shared().site.endpoint()], "classifier", options).unwrap();
    assert_classified(&classify(&alone, in_a_minute()).unwrap());

    server.pause();
    let by = Instant::now() + Duration::from_millis(150);
    let error = classify(&alone, by).unwrap_err();
    assert!(Instant::now() >= by && matches!(error, RemoteError::Deadline { .. }), "{error}");

    // Time is left: a ping that is not answered tells of the silence, and another server answers.
    let answer = classify(&both, in_a_minute()).unwrap();
    assert_eq!(*answer.endpoint, *shared().site.endpoint());

    // Noticed here too: refused at once from now on, and not with a deadline's wait for each part.
    let error = loop {
        match classify(&alone, Instant::now() + Duration::from_millis(50)).unwrap_err() {
            RemoteError::Deadline { .. } => {}
            error => break error,
        }
    };
    assert!(error.to_string().contains("did not answer within 3000 ms"), "{error}");

    server.resume();
    alone.wait_until_served(in_a_minute()).unwrap();
    assert_classified(&classify(&alone, in_a_minute()).unwrap());
}

#[test]
fn no_request_is_lost_when_one_of_two_servers_is_killed() {
    let site = Site::new("mortal").with("classifier", &onnx(CLASSIFIER), json!({}));
    let server = site.start();
    drop(site.connect("classifier", patient()));
    let _up = connect("classifier");
    let servers = [site.endpoint(), shared().site.endpoint()];
    let remote = Remote::connect(&servers, "classifier", patient()).unwrap();
    let until_answered_by = |endpoint: &str| {
        for count in 1u32.. {
            let answer = classify(&remote, in_a_minute()).unwrap_or_else(|error| panic!("{count}: {error}"));
            assert_classified(&answer);
            if *answer.endpoint == *endpoint {
                break;
            }
        }
    };
    until_answered_by(&servers[0]);
    thread::scope(|scope| {
        let lines = [(); 3].map(|()| scope.spawn(|| until_answered_by(&servers[1])));
        drop(server); // killed, with up to three requests on it
        for line in lines {
            line.join().unwrap();
        }
    });
    let why = remote.servers()[0].1.clone();
    assert!(why.is_none_or(|why| matches!(why, Why::Unreachable { .. })));
    let _server = site.start();
    until_answered_by(&servers[0]); // the first is the first again
}
