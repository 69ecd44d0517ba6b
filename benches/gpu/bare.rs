//! The bare graph: ONNX Runtime's own loop with none of ours around it, in a process of its own, for a process has one
//! environment.

use crate::measure::{Patience, quantile, times};
use ort::ep;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::TensorRef;
use plumb_inference::{Card, Device, LoadOptions, Runtime};
use plumb_inspection::Element;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What a child is told that is to measure.
pub(crate) const CHILD: &str = "--bare";

/// Median time in ms of `session.run` on `batch` pictures of f32; `None` where that does not run.
pub(crate) fn median_ms(
    runtime: &Runtime,
    card: &Card,
    options: &LoadOptions,
    batch: usize,
    patience: Patience,
) -> Option<f64> {
    let child = Command::new(std::env::current_exe().ok()?)
        .arg(CHILD)
        .arg(runtime.path())
        .arg(&card.path)
        .args([options.device.to_string(), batch.to_string(), options.threads.to_string()])
        .args([options.nvidia.tf32.to_string(), patience.each.as_secs_f64().to_string()])
        .output()
        .ok()?;
    String::from_utf8_lossy(&child.stdout).trim().parse().ok()
}

/// The child's part.
pub(crate) fn child(given: &[String]) -> Result<f64, Box<dyn Error>> {
    let [library, card, device, batch, threads, tf32, seconds] = given else {
        return Err("seven values are wanted".into());
    };
    let card = Card::read(Path::new(card))?;
    if card.input.element != Element::F32 {
        return Err("measured for models that take f32".into());
    }
    let mut session = session(&library.into(), &card, &device.parse()?, threads.parse()?, tf32.parse()?)?;
    let mut shape = card.input.shape();
    shape[0] = batch.parse()?;
    let values: Vec<f32> = (0..shape.iter().product()).map(|i: usize| (i % 251) as f32 / 255.0).collect();
    session.run(ort::inputs![TensorRef::from_array_view((shape, &values[..]))?])?;
    let patience = Patience { each: Duration::from_secs_f64(seconds.parse()?), runs_min: 30 };
    let times = times(patience, || {
        let input = TensorRef::from_array_view((shape, &values[..])).expect("it was made once already");
        session.run(ort::inputs![input]).expect("it ran once already");
    });
    Ok(quantile(&times, 0.5))
}

fn session(
    library: &PathBuf,
    card: &Card,
    device: &Device,
    threads: usize,
    tf32: bool,
) -> Result<Session, Box<dyn Error>> {
    let environment = ort::init_from(library)?.with_name("bare").build()?;
    let cpu = || ep::CPU::default().build().error_on_failure();
    let cuda = |card: u32| {
        ep::CUDA::default().with_device_id(card.cast_signed()).with_tf32(tf32).build().error_on_failure()
    };
    let providers = match device {
        Device::Cpu => vec![cpu()],
        Device::Cuda(card) => vec![cuda(*card), cpu()],
        Device::TensorRt(card) => {
            let tensorrt = ep::TensorRT::default().with_device_id(card.cast_signed());
            vec![tensorrt.build().error_on_failure(), cuda(*card), cpu()]
        }
        Device::OpenVino(unit) => {
            let openvino = ep::OpenVINO::default().with_device_type(unit.as_str()).with_num_threads(threads);
            vec![openvino.build().error_on_failure()]
        }
        Device::Auto | Device::Kserve(_) => return Err("no one device".into()),
    };
    Ok(Session::builder(&environment)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(threads)?
        .with_intra_op_spinning(false)?
        .with_execution_providers(providers)?
        .commit_from_file(&card.file)?)
}
