//! What Plumb adds to a model, beside what others add to the same one.
//!
//! `findings`: decoded picture → findings, over the bare `session.run`. `around`: what lies before and behind
//! `session.run`, over the same written with OpenCV and numpy. `predict`: frames a second from a video file to records,
//! over what Ultralytics' `predict` makes of the same file, model and number of threads. `provider`: the best of the
//! devices that Plumb has for this processor, over OpenVINO's own asynchronous queue.
//!
//! All take turns in one run, each in a process of its own; ratios are of one round's figures. The pictures are drawn,
//! the model is exported once by Ultralytics itself (`models/make_yolo.py`), both into `.plumb/bench`.
//! `cargo bench -p plumb-benches --bench models` prints one JSON line a figure; the name of a figure after `--` measures
//! that one alone; PLUMB_BENCH_SIDE (640, of the model's input), PLUMB_BENCH_FRAMES (120), PLUMB_BENCH_ROUNDS (7) and
//! PLUMB_BENCH_THREADS (1) change how.

#![allow(clippy::print_stdout, missing_docs)]

mod workshop;

use cpu_time::ProcessTime;
use plumb_inference::{Card, Device, LoadOptions, Model, Runtime};
use plumb_inspection::{Frame, Image, PixelFormat, Stamp, Tensor};
use plumb_preprocess::{Cut, Optics, Preprocessor};
use serde_json::json;
use std::{
    fs,
    hint::black_box,
    path::{Path, PathBuf},
    time::Instant,
};
use workshop::{
    Outcome, bare, clip, median, number,
    ours::{self, Way},
    peer::{self, Peer, Taken},
    process::load,
    range, root, rounded,
    trip::{EDGE, Trip},
};

fn main() -> Outcome<()> {
    if bare::was_this()? || ours::was_this()? {
        return Ok(());
    }
    let frames = number("PLUMB_BENCH_FRAMES", 120)?.max(3 * EDGE);
    let rounds = number("PLUMB_BENCH_ROUNDS", 7)?.max(1);
    let threads = number("PLUMB_BENCH_THREADS", 1)?.max(1);
    let side = number("PLUMB_BENCH_SIDE", 640)?;
    let folder = tempfile::tempdir()?;
    let bench = Bench { cards: Cards::there(side)?, side, folder: folder.path(), frames, rounds };
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |figure: &str| asked.is_empty() || asked.iter().any(|asked| asked == figure);
    if wanted("findings") {
        bench.findings()?;
    }
    if wanted("around") {
        bench.around()?;
    }
    if wanted("predict") {
        bench.predict(threads)?;
    }
    if wanted("provider") {
        bench.provider(threads)?;
    }
    Ok(())
}

struct Bench<'a> {
    cards: Cards,
    /// Of the model's input, in px.
    side: u32,
    folder: &'a Path,
    frames: u32,
    rounds: u32,
}

impl Bench<'_> {
    fn findings(&self) -> Outcome<()> {
        let mut ours = Ours::new(&self.cards.yolo, &self.cards.pictures)?;
        let mut bare = ours.bare(self.folder)?;
        let times = self.frames / 5;
        let mut before = bare.run(times)?;
        let (mut bare_ms, mut our_ms, mut by_cpu, mut by_wall) = (vec![], vec![], vec![], vec![]);
        for _ in 0..3 * self.rounds {
            let taken = ours.times(times, |ours, i| ours.findings(i))?;
            let after = bare.run(times)?;
            let alone = between(before, after);
            bare_ms.push(alone.cpu_ms);
            our_ms.push(taken.cpu_ms);
            by_cpu.push(taken.cpu_ms / alone.cpu_ms);
            by_wall.push(taken.wall_ms / alone.wall_ms);
            before = after;
        }
        let line = json!({
            "figure": "findings", "side": self.side, "frames": times, "rounds": 3 * self.rounds, "wanted_at_most": 1.05,
            "cpu_ratio": rounded(median(by_cpu.clone())), "cpu_ratio_range": range(by_cpu).map(rounded),
            "wall_ratio": rounded(median(by_wall.clone())), "wall_ratio_range": range(by_wall).map(rounded),
            "findings_cpu_ms": rounded(median(our_ms)), "session_run_cpu_ms": rounded(median(bare_ms)),
            "load_1_min": load(),
        });
        println!("{line}");
        Ok(())
    }

    /// Reading is told from running by a model that only gives what the real one once gave, less its own bare loop.
    fn around(&self) -> Outcome<()> {
        let mut ours = Ours::new(&self.cards.answer, &self.cards.pictures)?;
        let mut bare = ours.bare(self.folder)?;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let side = self.side.to_string();
        let mut their_in = Peer::python("around.py", &["in", &text(&self.cards.pictures), &side])?;
        let numbers = text(&self.cards.answer.with_extension("npy"));
        let mut their_out = Peer::python("around.py", &["out", &numbers, &side])?;
        let times = 2 * self.frames;
        let (mut figures, mut ratios) = ([const { vec![] }; 4], vec![]);
        let tensors = ours.preprocessor.prepare(&ours.frames[0])?;
        for round in 0..=3 * self.rounds {
            let way_in = ours.times(times, |ours, i| ours.prepare(i))?.cpu_ms;
            let examined = ours.times(times, |ours, _| ours.examine(&tensors[0]))?;
            let way_out = examined.cpu_ms - bare.run(times)?.cpu_ms;
            let (peer_in, peer_out) = (their_in.run(times)?.cpu_ms, their_out.run(times)?.cpu_ms);
            if round == 0 {
                continue; // what is made on first use is nobody's cost
            }
            ratios.push((way_in + way_out) / (peer_in + peer_out));
            for (figure, ms) in figures.iter_mut().zip([way_in, way_out, peer_in, peer_out]) {
                figure.push(ms);
            }
        }
        let [way_in, way_out, peer_in, peer_out] = figures.map(|ms| rounded(median(ms)));
        let line = json!({
            "figure": "around", "side": self.side, "frames": times, "rounds": 3 * self.rounds, "wanted_at_most": 0.25,
            "cpu_ratio": rounded(median(ratios.clone())), "cpu_ratio_range": range(ratios).map(rounded),
            "in_cpu_ms": way_in, "out_cpu_ms": way_out, "numpy_in_cpu_ms": peer_in, "numpy_out_cpu_ms": peer_out,
            "load_1_min": load(),
        });
        println!("{line}");
        Ok(())
    }

    fn predict(&self, threads: u32) -> Outcome<()> {
        let clip = clip::make(self.folder, self.frames)?;
        let trip = Trip { folder: self.folder, clip: &clip, frames: self.frames };
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let (model, clip, asked) =
            (text(&self.cards.yolo.with_extension("onnx")), text(&clip), threads.to_string());
        let mut peer =
            Peer::python("predict.py", &[&model, &clip, &self.side.to_string(), &asked, &EDGE.to_string()])?;
        let mut before = peer.run(self.frames)?;
        let (mut theirs, mut ours, mut by_wall, mut by_cpu) = (vec![], vec![], vec![], vec![]);
        for _ in 0..self.rounds {
            let replayed = trip.replay(&self.cards.yolo, threads)?;
            let after = peer.run(self.frames)?;
            let predicted = between(before, after);
            theirs.push(1e3 / predicted.wall_ms);
            ours.push(1e3 / replayed.wall_ms);
            by_wall.push(predicted.wall_ms / replayed.wall_ms);
            by_cpu.push(predicted.cpu_ms / replayed.cpu_ms);
            before = after;
        }
        let line = json!({
            "figure": "predict", "side": self.side, "frames": self.frames, "rounds": self.rounds, "threads": threads,
            "wanted_at_least": 1.3,
            "wall_ratio": rounded(median(by_wall.clone())), "wall_ratio_range": range(by_wall).map(rounded),
            "cpu_ratio": rounded(median(by_cpu.clone())), "cpu_ratio_range": range(by_cpu).map(rounded),
            "station_fps": rounded(median(ours)), "predict_fps": rounded(median(theirs)), "load_1_min": load(),
        });
        println!("{line}");
        Ok(())
    }

    /// Each device once with all threads in one run, once with a model a thread.
    fn provider(&self, threads: u32) -> Outcome<()> {
        let numbers = Ours::new(&self.cards.yolo, &self.cards.pictures)?.numbers(self.folder)?;
        let library = |kind: &str| root().join(".plumb/lib").join(kind);
        let mut ways = Vec::new();
        for (device, library) in [("cpu", library("")), ("openvino:CPU", library("openvino"))] {
            for sessions in [1, threads as usize] {
                let threads = threads as usize / sessions;
                ways.push(Way { library: library.clone(), device: device.parse()?, sessions, threads });
            }
        }
        ways.dedup_by_key(|way| way.to_string());
        let mut ours = ways
            .iter()
            .map(|way| ours::start(way, &self.cards.yolo, &numbers))
            .collect::<Outcome<Vec<_>>>()?;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let (model, asked) = (text(&self.cards.yolo.with_extension("onnx")), threads.to_string());
        let mut queue = Peer::python("async_queue.py", &[&model, &text(&numbers), &asked])?;
        let times = self.frames / 4;
        let mut before = queue.run(times)?;
        let mut theirs = vec![];
        let mut by_way = vec![[const { vec![] }; 3]; ways.len()];
        for _ in 0..self.rounds {
            let taken = ours.iter_mut().map(|ours| ours.run(times)).collect::<Outcome<Vec<_>>>()?;
            let after = queue.run(times)?;
            let queued = between(before, after);
            theirs.push(1e3 / queued.wall_ms);
            for ([fps, by_wall, by_cpu], taken) in by_way.iter_mut().zip(taken) {
                fps.push(1e3 / taken.wall_ms);
                by_wall.push(queued.wall_ms / taken.wall_ms);
                by_cpu.push(queued.cpu_ms / taken.cpu_ms);
            }
            before = after;
        }
        for (way, [fps, by_wall, by_cpu]) in ways.iter().zip(by_way) {
            let line = json!({
                "figure": "provider", "side": self.side, "way": way.to_string(), "frames": times, "rounds": self.rounds,
                "threads": threads, "wanted_of_the_best_at_least": 1.0,
                "wall_ratio": rounded(median(by_wall.clone())), "wall_ratio_range": range(by_wall).map(rounded),
                "cpu_ratio": rounded(median(by_cpu.clone())), "cpu_ratio_range": range(by_cpu).map(rounded),
                "fps": rounded(median(fps)), "queue_fps": rounded(median(theirs.clone())), "load_1_min": load(),
            });
            println!("{line}");
        }
        Ok(())
    }
}

/// What a round before and a round after make of the moment between.
fn between(before: Taken, after: Taken) -> Taken {
    Taken {
        wall_ms: f64::midpoint(before.wall_ms, after.wall_ms),
        cpu_ms: f64::midpoint(before.cpu_ms, after.cpu_ms),
    }
}

/// Cards of the models that `make_yolo.py` writes, and the pictures.
struct Cards {
    yolo: PathBuf,
    answer: PathBuf,
    pictures: PathBuf,
}

impl Cards {
    /// Draws and exports what is not there yet.
    fn there(side: u32) -> Outcome<Self> {
        let folder = root().join(".plumb/bench");
        let pictures = folder.join("pictures");
        if !pictures.join("00.png").exists() {
            fs::create_dir_all(&pictures)?;
            clip::draw(&pictures)?;
        }
        let cards = Self {
            yolo: folder.join(format!("bench-yolo-{side}.toml")),
            answer: folder.join(format!("bench-yolo-{side}-answer.toml")),
            pictures,
        };
        if !cards.yolo.exists() || !cards.answer.exists() {
            eprintln!("bench-yolo-{side} is not there; Ultralytics exports it");
            let script = root().join("benches/models/make_yolo.py");
            let made = peer::python()?
                .arg(script)
                .args(["--side", &side.to_string()])
                .stdout(std::io::stderr())
                .status()?;
            if !made.success() {
                return Err("make_yolo.py could not write the model; what it said stands above".into());
            }
        }
        Ok(cards)
    }
}

/// One thread from a decoded picture to findings, as the station's stages do it.
struct Ours {
    frames: Vec<Frame>,
    preprocessor: Preprocessor,
    model: Model,
    card: Card,
}

impl Ours {
    fn new(card: &Path, pictures: &Path) -> Outcome<Self> {
        let card = Card::read(card)?;
        let mut files: Vec<PathBuf> =
            fs::read_dir(pictures)?.map(|entry| Ok(entry?.path())).collect::<Outcome<_>>()?;
        files.sort();
        let frames = files.iter().map(|file| decoded(file)).collect::<Outcome<Vec<_>>>()?;
        let cut = Cut { region: "whole".into(), rect_px: None, spec: card.input.clone() };
        let options = LoadOptions { device: Device::Cpu, threads: 1, ..LoadOptions::default() };
        let model = Model::load(&Runtime::load(None)?, &card, &options)?;
        Ok(Self { frames, preprocessor: Preprocessor::new(Optics::default(), vec![cut])?, model, card })
    }

    /// The bare loop of the same model on the first picture.
    fn bare(&mut self, folder: &Path) -> Outcome<Peer> {
        let tensors = self.preprocessor.prepare(&self.frames[0])?;
        bare::start(Runtime::load(None)?.path(), &self.card, &tensors[0], folder)
    }

    /// The first picture as the model is given it, in a file.
    fn numbers(&mut self, folder: &Path) -> Outcome<PathBuf> {
        let tensors = self.preprocessor.prepare(&self.frames[0])?;
        bare::numbers(&tensors[0], &folder.join("picture.f32"))
    }

    fn prepare(&mut self, i: usize) -> Outcome<()> {
        black_box(self.preprocessor.prepare(&self.frames[i % self.frames.len()])?);
        Ok(())
    }

    fn examine(&mut self, tensor: &Tensor) -> Outcome<()> {
        black_box(self.model.examine(tensor)?);
        Ok(())
    }

    fn findings(&mut self, i: usize) -> Outcome<()> {
        let tensors = self.preprocessor.prepare(&self.frames[i % self.frames.len()])?;
        self.examine(&tensors[0])
    }

    fn times(&mut self, times: u32, mut work: impl FnMut(&mut Self, usize) -> Outcome<()>) -> Outcome<Taken> {
        let (start, cpu) = (Instant::now(), ProcessTime::now());
        for i in 0..times {
            work(self, i as usize)?;
        }
        let each = 1e3 / f64::from(times);
        let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu.elapsed().as_secs_f64());
        Ok(Taken { wall_ms: wall * each, cpu_ms: cpu * each })
    }
}

/// As a camera gives it: BGR.
fn decoded(file: &Path) -> Outcome<Frame> {
    let mut rgb = image::open(file)?.into_rgb8();
    rgb.pixels_mut().for_each(|pixel| pixel.0.reverse());
    let image = Image::packed(rgb.width(), rgb.height(), PixelFormat::Bgr8, rgb.into_raw())?;
    Ok(Frame { camera: "top".into(), seq: 1, camera_frame_id: None, at: Stamp::now(), image })
}
