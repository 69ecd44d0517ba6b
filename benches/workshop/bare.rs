//! `session.run` and nothing else, in a process of its own: what the station is compared with.
//!
//! A process can hold one ONNX Runtime environment, and the station's is the station's own. So the bench starts itself
//! again as a peer that runs the model when it is told to.

use super::{
    Outcome,
    peer::{Peer, Taken},
};
use cpu_time::ProcessTime;
use ort::{session::Session, value::TensorRef};
use plumb_inference::Card;
use plumb_inspection::{Tensor, Values};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

/// The word that makes a bench a bare loop.
const BARE: &str = "--bare-session-run";

/// What the loop is to run; handed over as JSON.
#[derive(Serialize, Deserialize)]
struct Order {
    library: String,
    model: String,
    shape: [usize; 4],
    numbers: String,
}

/// Opens the model of `card` with one thread and, apart from that, ONNX Runtime's own settings.
pub(crate) fn start(library: &Path, card: &Card, tensor: &Tensor, folder: &Path) -> Outcome<Peer> {
    let file = numbers(tensor, &folder.join(format!("{}.f32", card.name)))?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let order =
        Order { library: text(library), model: text(&card.file), shape: tensor.shape, numbers: text(&file) };
    let mut command = Command::new(std::env::current_exe()?);
    command.args([BARE, &serde_json::to_string(&order)?]);
    let mut bare = Peer::start("the bare loop", command)?;
    bare.run(3)?; // what is made on first use is nobody's cost
    Ok(bare)
}

/// Writes the numbers of `tensor` to `file`, little-endian.
pub(crate) fn numbers(tensor: &Tensor, file: &Path) -> Outcome<PathBuf> {
    let Values::F32(numbers) = &tensor.values else { return Err("the bench models want f32".into()) };
    fs::write(file, numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>())?;
    Ok(file.to_owned())
}

/// True if this process was started as a bare loop, which has ended now.
pub(crate) fn was_this() -> Outcome<bool> {
    let arguments: Vec<String> = std::env::args().collect();
    let Some(at) = arguments.iter().position(|argument| argument == BARE) else { return Ok(false) };
    let order: Order = serde_json::from_str(arguments.get(at + 1).ok_or("no order")?)?;
    let environment = ort::init_from(&order.library)?.with_telemetry(false).build()?;
    let mut session =
        Session::builder(&environment)?.with_intra_threads(1)?.commit_from_file(&order.model)?;
    let numbers: Vec<f32> =
        fs::read(&order.numbers)?.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    for line in std::io::stdin().lines() {
        let times: u32 = line?.trim().parse()?;
        let (start, cpu) = (Instant::now(), ProcessTime::now());
        for _ in 0..times {
            let input = TensorRef::from_array_view((order.shape, &numbers[..]))?;
            std::hint::black_box(session.run(ort::inputs![input])?);
        }
        let each = 1e3 / f64::from(times.max(1));
        let taken = Taken {
            wall_ms: start.elapsed().as_secs_f64() * each,
            cpu_ms: cpu.elapsed().as_secs_f64() * each,
        };
        println!("{}", serde_json::to_string(&taken)?);
    }
    Ok(true)
}
