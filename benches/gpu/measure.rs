//! One row of the table: a way to run a model, timed and compared.

use plumb_inference::{Card, LoadOptions, Model, Runtime};
use plumb_inspection::{Affine, Element, Findings, Layout, Placement, RectPx, Tensor, TensorSpec, Values};
use serde::Serialize;
use std::time::{Duration, Instant};

/// A way to run a model.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    /// What it is called in the table: `pinned, u8 up, CUDA graph`.
    pub(crate) name: String,
    pub(crate) options: LoadOptions,
}

/// What one way at one batch size came to. Times are of one run of `batch` pictures, in ms.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) model: String,
    pub(crate) device: String,
    pub(crate) way: String,
    pub(crate) batch: usize,
    pub(crate) runs: usize,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) pictures_per_s: f64,
    /// Time of a run beside the time of the bare graph, both medians; `None` where the bare graph does not run.
    pub(crate) to_bare: Option<f64>,
    /// Largest difference of a score or an edge (in px) from what the processor finds; `None` if it finds other things.
    pub(crate) apart: Option<f32>,
    /// Nodes by provider.
    pub(crate) nodes: String,
}

/// A row, or why there is none.
pub(crate) type Measured = Result<Row, (String, String, usize, String)>;

/// How long each row is measured, and how many runs it has at least.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) each: Duration,
    pub(crate) runs_min: usize,
}

/// Times runs of `once` after three that do not count; sorted, in ms.
pub(crate) fn times(patience: Patience, mut once: impl FnMut()) -> Vec<f64> {
    (0..3).for_each(|_| once());
    let (begun, mut times) = (Instant::now(), Vec::new());
    while times.len() < patience.runs_min || begun.elapsed() < patience.each {
        let start = Instant::now();
        once();
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_unstable_by(f64::total_cmp);
    times
}

/// The value below which `share` of the sorted `times` lie.
pub(crate) fn quantile(times: &[f64], share: f64) -> f64 {
    times[((times.len() as f64 * share) as usize).min(times.len() - 1)]
}

/// Measures `card` run in this way with `batch` pictures a run; `expected` is what the processor finds, `bare` how long
/// the bare graph takes (median, ms).
pub(crate) fn measure(
    runtime: &Runtime,
    card: &Card,
    way: &Way,
    batch: usize,
    patience: Patience,
    expected: &[Findings],
    bare: Option<f64>,
) -> Measured {
    let device = way.options.device.to_string();
    let failed = |reason: String| (device.clone(), way.name.clone(), batch, reason);
    let options = LoadOptions { batch_max: batch, ..way.options.clone() };
    let mut model = Model::load(runtime, card, &options).map_err(|error| failed(error.to_string()))?;
    if model.info().batch_max < batch {
        return Err(failed(format!("the model takes {} a run", model.info().batch_max)));
    }
    let tensors = pictures(&model.info().input, expected.len());
    let lent: Vec<&Tensor> = tensors.iter().take(batch).collect();
    let mut found = Vec::new();
    for run in tensors.chunks(batch) {
        for answer in model.examine_batch(&run.iter().collect::<Vec<_>>(), None) {
            found.push(answer.map_err(|error| failed(error.to_string()))?);
        }
    }
    let mut gone = None;
    let times = times(patience, || {
        for answer in model.examine_batch(&lent, None) {
            gone = answer.err().or_else(|| gone.take());
        }
    });
    if let Some(error) = gone {
        return Err(failed(error.to_string()));
    }
    let p50_ms = quantile(&times, 0.5);
    let nodes: Vec<String> = model.info().nodes.iter().map(|(who, count)| format!("{who} {count}")).collect();
    Ok(Row {
        model: card.name.to_string(),
        device: device.clone(),
        way: way.name.clone(),
        batch,
        runs: times.len(),
        p50_ms,
        p99_ms: quantile(&times, 0.99),
        p999_ms: quantile(&times, 0.999),
        pictures_per_s: batch as f64 * 1e3 / (times.iter().sum::<f64>() / times.len() as f64),
        to_bare: bare.map(|bare| p50_ms / bare),
        apart: apart(expected, &found),
        nodes: nodes.join(", "),
    })
}

/// `count` pictures with edges, shades and noise, the same bytes whatever `spec` wants them as.
pub(crate) fn pictures(spec: &TensorSpec, count: usize) -> Vec<Tensor> {
    (0..count as u32).map(|seed| picture(spec, seed)).collect()
}

fn picture(spec: &TensorSpec, seed: u32) -> Tensor {
    let (w, h, channels) = (spec.width, spec.height, spec.channels());
    let byte = |x: u32, y: u32, c: u32| {
        let noise = (x ^ y.rotate_left(11) ^ c.rotate_left(23) ^ seed.rotate_left(5))
            .wrapping_mul(2_654_435_761)
            >> 27;
        let shade =
            (x * 160 / w + y * 60 / h) + if (x / 24 + y / 24 + seed).is_multiple_of(3) { 30 } else { 0 };
        (shade + noise).min(255) as u8
    };
    let (mut bytes, mut numbers) = (vec![0; spec.len()], vec![0.0; spec.len()]);
    for y in 0..h {
        for x in 0..w {
            for c in 0..channels {
                let at = match spec.layout {
                    Layout::Nchw => (c * h as usize + y as usize) * w as usize + x as usize,
                    Layout::Nhwc => (y as usize * w as usize + x as usize) * channels + c,
                };
                let (mean, std) = spec.mean_std(c);
                bytes[at] = byte(x, y, c as u32);
                numbers[at] = f32::from(bytes[at]) * (spec.scale / std) + (-mean / std);
            }
        }
    }
    let values = if spec.element == Element::U8 { Values::U8(bytes) } else { Values::F32(numbers) };
    let placement = Placement {
        frame_from_tensor: Affine::IDENTITY,
        content_px: RectPx { x: 0.0, y: 0.0, w: w as f32, h: h as f32 },
    };
    Tensor::new("whole".into(), spec.shape(), values, placement)
}

/// Largest difference of a score, and of an edge in px; `None` where other things were found.
fn apart(a: &[Findings], b: &[Findings]) -> Option<f32> {
    let mut most = 0.0_f32;
    for (a, b) in a.iter().zip(b) {
        if a.list.len() != b.list.len() {
            return None;
        }
        for (a, b) in a.list.iter().zip(&b.list) {
            if a.class != b.class {
                return None;
            }
            let edges = <[f32; 4]>::from(a.box_px).into_iter().zip(<[f32; 4]>::from(b.box_px));
            most = edges
                .map(|(a, b)| (a - b).abs())
                .fold(most.max((a.score.get() - b.score.get()).abs()), f32::max);
        }
    }
    Some(most)
}
