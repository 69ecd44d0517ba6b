//! What a model on a server costs beyond its own run: a 1x3x256x256 FP32 tensor up, a few boxes down, on loopback.
//! Beside a bare TCP exchange of the same size, and beside what the server says its run took; all in turns, in one run.
//!
//! `cargo bench -p plumb-remote` prints one JSON line a path.

#![allow(clippy::print_stdout, missing_docs)]

#[path = "../tests/mlserver/server.rs"]
#[allow(dead_code, clippy::unwrap_used)] // a test's helper
mod server;

use cpu_time::ProcessTime;
use plumb_remote::{Answer, Options, Remote, Tensor, Values};
use serde_json::json;
use server::{Site, onnx, patient, python};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const ROUNDS: usize = 5;
const REQUESTS: usize = 60;
const SHAPE: [usize; 4] = [1, 3, 256, 256];
const BYTES: usize = 3 * 256 * 256 * 4;
/// About one answer.
const ANSWER_BYTES: usize = 128;

/// What one path took, of every request.
#[derive(Default)]
struct Took {
    ms: Vec<f64>,
    cpu: Duration,
}

fn main() {
    let picture: Vec<f32> = (0..BYTES / 4).map(|at| at as f32 / (BYTES / 4) as f32).collect();
    let mut tcp = bare_tcp();
    let (stored, mut stored_process) = stored();
    let site = Site::new("bench").with(
        "boxes",
        &onnx("inference/tests/models/detector-dynamic.onnx"),
        json!({ "timed": true }),
    );
    let _server = site.start();
    let mlserver = site.connect("boxes", patient());

    let (mut by_tcp, mut by_stored, mut by_mlserver, mut run) =
        (Took::default(), Took::default(), Took::default(), vec![]);
    for round in 0..=ROUNDS {
        let warming_up = round == 0;
        let mut of_round = [Took::default(), Took::default(), Took::default()];
        let mut ran = vec![];
        for _ in 0..REQUESTS {
            of_round[0].time(|| exchange(&mut tcp, &picture));
        }
        for _ in 0..REQUESTS {
            of_round[1].time(|| infer(&stored, &picture));
        }
        for _ in 0..REQUESTS {
            let answer = of_round[2].time(|| infer(&mlserver, &picture));
            ran.push(took_ms(&answer));
        }
        if !warming_up {
            let [a, b, c] = of_round;
            by_tcp.add(a);
            by_stored.add(b);
            by_mlserver.add(c);
            run.extend(ran);
        }
    }
    let (tcp, run) = (median(&by_tcp.ms), median(&run));
    by_tcp.print("tcp", json!({}));
    by_stored.print("stored_answer", json!({ "over_tcp": round3(median(&by_stored.ms) / tcp) }));
    let beyond =
        json!({ "server_run_p50_ms": round3(run), "over_run": round3(median(&by_mlserver.ms) / run) });
    by_mlserver.print("mlserver", beyond);
    let _ = stored_process.kill();
    let _ = stored_process.wait();
}

fn infer(remote: &Remote, picture: &[f32]) -> Answer {
    let by = Instant::now() + Duration::from_secs(10);
    remote.infer(&[Tensor::lent("picture", &SHAPE, picture)], by).expect("a server on this machine answers")
}

fn took_ms(answer: &Answer) -> f64 {
    match answer.output("took_ms").map(|output| &output.values) {
        Some(Values::F64(values)) => values[0],
        other => panic!("no time in the answer: {other:?}"),
    }
}

fn stored() -> (Remote, Child) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/stored_answer.py");
    let mut command = Command::new(python());
    command.args(["-B", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = command.spawn().expect("Python starts");
    let mut port = String::new();
    let said = BufReader::new(process.stdout.take().expect("piped")).read_line(&mut port);
    said.expect("the server prints its port");
    let endpoint = format!("127.0.0.1:{}", port.trim());
    let remote = Remote::connect(&[endpoint], "stored", Options::default()).expect("it serves");
    (remote, process)
}

fn bare_tcp() -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        stream.set_nodelay(true).expect("a TCP socket");
        let (mut request, answer) = (vec![0; BYTES], [0; ANSWER_BYTES]);
        while stream.read_exact(&mut request).is_ok() && stream.write_all(&answer).is_ok() {}
    });
    let stream = TcpStream::connect(address).expect("listening");
    stream.set_nodelay(true).expect("a TCP socket");
    stream
}

fn exchange(stream: &mut TcpStream, picture: &[f32]) {
    let mut bytes = vec![0; BYTES];
    for (place, value) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(picture) {
        *place = value.to_le_bytes();
    }
    stream.write_all(&bytes).expect("connected");
    stream.read_exact(&mut [0; ANSWER_BYTES]).expect("answered");
}

impl Took {
    fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (start, cpu) = (Instant::now(), ProcessTime::now());
        let result = work();
        self.ms.push(start.elapsed().as_secs_f64() * 1e3);
        self.cpu += cpu.elapsed();
        result
    }

    fn add(&mut self, other: Self) {
        self.ms.extend(other.ms);
        self.cpu += other.cpu;
    }

    fn print(&self, path: &str, more: serde_json::Value) {
        let mut line = json!({
            "path": path,
            "requests": self.ms.len(),
            "p50_ms": round3(median(&self.ms)),
            "p99_ms": round3(at(&self.ms, 0.99)),
            "our_cpu_ms": round3(self.cpu.as_secs_f64() * 1e3 / self.ms.len() as f64),
        });
        if let (Some(line), Some(more)) = (line.as_object_mut(), more.as_object()) {
            line.extend(more.clone());
        }
        println!("{line}");
    }
}

fn median(values: &[f64]) -> f64 {
    at(values, 0.5)
}

fn at(values: &[f64], quantile: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * quantile).round() as usize]
}

fn round3(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}
