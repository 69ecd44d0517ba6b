//! A model on a device, by Plumb, in a process of its own: with another library, or on several threads at once.

use super::{
    Outcome,
    peer::{Peer, Taken},
};
use cpu_time::ProcessTime;
use plumb_inference::{Card, Device, LoadOptions, Model, Runtime};
use plumb_inspection::{Affine, Placement, RectPx, Tensor, Values};
use serde::{Deserialize, Serialize};
use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Instant,
};

/// The word that makes a bench a model of its own.
const OURS: &str = "--examine";

/// How a model is run; handed over as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Way {
    /// Of ONNX Runtime: a folder or a file.
    pub(crate) library: PathBuf,
    pub(crate) device: Device,
    /// The same model so many times, each with a thread that owns it.
    pub(crate) sessions: usize,
    /// Threads of each.
    pub(crate) threads: usize,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} x {} threads", self.device, self.sessions, self.threads)
    }
}

#[derive(Serialize, Deserialize)]
struct Order {
    way: Way,
    card: PathBuf,
    numbers: PathBuf,
}

/// Loads `card` and examines the tensor whose numbers lie in the file `numbers`, so often as it is told to.
pub(crate) fn start(way: &Way, card: &Path, numbers: &Path) -> Outcome<Peer> {
    let order = Order { way: way.clone(), card: card.to_owned(), numbers: numbers.to_owned() };
    let mut command = Command::new(std::env::current_exe()?);
    command.args([OURS, &serde_json::to_string(&order)?]);
    let mut peer = Peer::start(&way.to_string(), command)?;
    peer.run(2 * way.sessions as u32)?;
    Ok(peer)
}

/// True if this process was started to examine, which it has done now.
pub(crate) fn was_this() -> Outcome<bool> {
    let arguments: Vec<String> = std::env::args().collect();
    let Some(at) = arguments.iter().position(|argument| argument == OURS) else { return Ok(false) };
    let order: Order = serde_json::from_str(arguments.get(at + 1).ok_or("no order")?)?;
    let Way { library, device, sessions, threads } = order.way;
    let card = Card::read(&order.card)?;
    let options = LoadOptions { device, threads, ..LoadOptions::default() };
    let mut models = Model::load_many(&Runtime::load(Some(&library))?, &card, &options, sessions)?;
    let numbers: Vec<f32> =
        fs::read(&order.numbers)?.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let (width, height) = (card.input.width as f32, card.input.height as f32);
    let content_px = RectPx { x: 0.0, y: 0.0, w: width, h: height };
    let placement = Placement { frame_from_tensor: Affine::IDENTITY, content_px };
    let tensor = Tensor::new("whole".into(), card.input.shape(), Values::F32(numbers), placement);
    for line in std::io::stdin().lines() {
        let times: u32 = line?.trim().parse()?;
        let each = times.div_ceil(models.len() as u32);
        let (start, cpu) = (Instant::now(), ProcessTime::now());
        thread::scope(|scope| {
            let work = |model: &mut Model| (0..each).try_for_each(|_| model.examine(&tensor).map(drop));
            let hands: Vec<_> = models.iter_mut().map(|model| scope.spawn(move || work(model))).collect();
            hands
                .into_iter()
                .try_for_each(|hand| hand.join().map_err(|_| "a thread panicked")?.map_err(|e| e.to_string()))
        })
        .map_err(|says: String| says)?;
        let share = 1e3 / f64::from(each * models.len() as u32);
        let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu.elapsed().as_secs_f64());
        println!("{}", serde_json::to_string(&Taken { wall_ms: wall * share, cpu_ms: cpu * share })?);
    }
    Ok(true)
}
