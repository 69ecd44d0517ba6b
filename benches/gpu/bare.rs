//! The bare graph: ONNX Runtime's own loop, with none of ours around it.

use crate::measure::{Patience, quantile, times};
use ort::ep;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::TensorRef;
use plumb_inference::{Card, Device, LoadOptions};
use plumb_inspection::Element;

/// Median time in ms of `session.run` on `batch` pictures of f32, or why there is none.
pub(crate) fn median_ms(
    card: &Card,
    options: &LoadOptions,
    batch: usize,
    patience: Patience,
) -> Result<f64, String> {
    if card.input.element != Element::F32 {
        return Err("measured for models that take f32".to_owned());
    }
    let said = |error: ort::Error| error.message().to_owned();
    let mut session = session(card, options).map_err(said)?;
    let mut shape = card.input.shape();
    shape[0] = batch;
    let values: Vec<f32> = (0..shape.iter().product()).map(|i: usize| (i % 251) as f32 / 255.0).collect();
    session
        .run(ort::inputs![TensorRef::from_array_view((shape, &values[..])).map_err(said)?])
        .map_err(said)?;
    let times = times(patience, || {
        let input = TensorRef::from_array_view((shape, &values[..])).expect("it was made once already");
        session.run(ort::inputs![input]).expect("it ran once already");
    });
    Ok(quantile(&times, 0.5))
}

fn session(card: &Card, options: &LoadOptions) -> ort::Result<Session> {
    let environment = ort::environment::Environment::current()
        .ok_or_else(|| ort::Error::new("the library is not loaded"))?;
    let cpu = || ep::CPU::default().build().error_on_failure();
    let cuda = |card: u32| {
        let tf32 = options.nvidia.tf32;
        ep::CUDA::default().with_device_id(card.cast_signed()).with_tf32(tf32).build().error_on_failure()
    };
    let providers = match options.device {
        Device::Cuda(card) => vec![cuda(card), cpu()],
        Device::TensorRt(card) => {
            let tensorrt = ep::TensorRT::default().with_device_id(card.cast_signed());
            vec![tensorrt.build().error_on_failure(), cuda(card), cpu()]
        }
        _ => vec![cpu()],
    };
    Session::builder(&environment)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(options.threads.max(1))?
        .with_intra_op_spinning(false)?
        .with_execution_providers(providers)?
        .commit_from_file(&card.file)
}
