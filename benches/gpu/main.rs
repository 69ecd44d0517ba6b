//! What a graphics card is worth: each way to run a model, by batch size, beside the bare graph and the processor.
//!
//! `cargo bench -p plumb-inference --bench gpu -- [--card FILE]… [--batch 1,2,4,8,16] [--seconds 3] [--threads 1]
//! [--json FILE] [--cache FOLDER]`. Prints a table in Markdown. What is not here is a row that says why.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a table on stdout is what it is for")]

mod bare;
mod measure;

use measure::{Measured, Patience, Way, measure, pictures};
use plumb_inference::{
    Card, Device, LoadOptions, Model, Normalise, NvidiaOptions, OpenVino, Precision, Runtime, Transfer,
};
use plumb_inspection::Findings;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What was asked for on the command line.
struct Given {
    cards: Vec<PathBuf>,
    batches: Vec<usize>,
    patience: Patience,
    threads: usize,
    json: Option<PathBuf>,
    cache: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, rest @ ..] = &arguments[..]
        && first == bare::CHILD
    {
        println!("{}", bare::child(rest)?);
        return Ok(());
    }
    let given = given(arguments)?;
    let devices = [Device::Cuda(0), Device::TensorRt(0)];
    // The library with CUDA where there is one; else whatever there is.
    let runtime = Runtime::load_for(None, &devices)?;
    println!("ONNX Runtime {} ({})\n", runtime.version(), runtime.providers().join(", "));
    let mut all = Vec::new();
    for path in &given.cards {
        let card = Card::read(path)?;
        println!("**{}**, {}x{}\n", card.name, card.input.width, card.input.height);
        let cpu = LoadOptions { device: Device::Cpu, threads: given.threads, ..LoadOptions::default() };
        let most = given.batches.iter().copied().max().unwrap_or(1);
        let mut model = Model::load(&runtime, &card, &cpu)?;
        let tensors = pictures(&model.info().input, most.max(8));
        let expected: Vec<Findings> = tensors.iter().map(|t| model.examine(t)).collect::<Result<_, _>>()?;
        drop(model);
        println!("{HEAD}");
        let mut bare_ms = BTreeMap::new();
        for way in ways(&given) {
            for &batch in &given.batches {
                let Way { options, .. } = &way;
                let bare = *bare_ms
                    .entry((options.device.clone(), options.nvidia.tf32, batch))
                    .or_insert_with(|| bare::median_ms(&runtime, &card, options, batch, given.patience));
                let row = measure(&runtime, &card, &way, batch, given.patience, &expected, bare);
                println!("{}", line(&row));
                let refused = row.is_err();
                all.push(row);
                if refused {
                    break; // a larger batch would be refused for the same reason
                }
            }
        }
        println!();
    }
    if let Some(path) = &given.json {
        let rows: Vec<_> = all.iter().flatten().collect();
        std::fs::write(path, serde_json::to_string_pretty(&rows)?)?;
    }
    Ok(())
}

/// Every way that is worth a row, the processor first.
fn ways(given: &Given) -> Vec<Way> {
    let on = |device: Device, name: &str, change: &dyn Fn(&mut LoadOptions)| {
        let mut options = LoadOptions {
            device,
            threads: given.threads,
            cache: given.cache.clone(),
            ..LoadOptions::default()
        };
        change(&mut options);
        Way { name: name.to_owned(), options }
    };
    let nvidia =
        |transfer, cuda_graph, tf32| NvidiaOptions { transfer, cuda_graph, tf32, memory_max_mib: None };
    let mut ways = vec![
        on(Device::Cpu, "f32 from the host", &|_| ()),
        on(Device::Cpu, "u8, normalised in the graph", &|o| o.normalise = Normalise::InGraph),
        on(Device::OpenVino(OpenVino::Cpu), "f32 from the host", &|_| ()),
    ];
    for (name, normalise, transfer, cuda_graph, tf32) in [
        ("u8 up, pinned", Normalise::InGraph, Transfer::Pinned, false, false),
        ("u8 up, bound", Normalise::InGraph, Transfer::Bound, false, false),
        ("u8 up, not bound", Normalise::InGraph, Transfer::Plain, false, false),
        ("f32 up, pinned", Normalise::OnHost, Transfer::Pinned, false, false),
        ("f32 up, not bound", Normalise::OnHost, Transfer::Plain, false, false),
        ("u8 up, pinned, CUDA graph", Normalise::InGraph, Transfer::Pinned, true, false),
        ("u8 up, pinned, TF32", Normalise::InGraph, Transfer::Pinned, false, true),
        ("u8 up, pinned, CUDA graph, TF32", Normalise::InGraph, Transfer::Pinned, true, true),
    ] {
        ways.push(on(Device::Cuda(0), name, &|o| {
            o.normalise = normalise;
            o.nvidia = nvidia(transfer, cuda_graph, tf32);
        }));
    }
    for (name, precision, cuda_graph) in [
        ("u8 up, pinned", Precision::AsStored, false),
        ("u8 up, pinned, CUDA graph", Precision::AsStored, true),
        ("u8 up, pinned, fp16", Precision::Fp16, false),
        ("u8 up, pinned, fp16, CUDA graph", Precision::Fp16, true),
    ] {
        ways.push(on(Device::TensorRt(0), name, &|o| {
            o.normalise = Normalise::InGraph;
            o.precision = precision;
            o.nvidia = nvidia(Transfer::Pinned, cuda_graph, false);
        }));
    }
    ways
}

const HEAD: &str = "| device | way | batch | p50 ms | p99 ms | p99.9 ms | pictures/s | to bare graph | from cpu | nodes |\n\
                    |---|---|---|---|---|---|---|---|---|---|";

fn line(measured: &Measured) -> String {
    match measured {
        Ok(row) => format!(
            "| {} | {} | {} | {:.3} | {:.3} | {:.3} ({} runs) | {:.1} | {} | {} | {} |",
            row.device,
            row.way,
            row.batch,
            row.p50_ms,
            row.p99_ms,
            row.p999_ms,
            row.runs,
            row.pictures_per_s,
            row.to_bare.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}")),
            row.apart.map_or_else(|| "**other findings**".to_owned(), |apart| format!("{apart:.1e}")),
            row.nodes
        ),
        Err((device, way, batch, reason)) => {
            format!("| {device} | {way} | {batch} | not here: {} |", reason.replace('|', "/"))
        }
    }
}

fn given(arguments: Vec<String>) -> Result<Given, Box<dyn Error>> {
    let mut given = Given {
        cards: Vec::new(),
        batches: vec![1, 2, 4, 8, 16],
        patience: Patience { each: Duration::from_secs(3), runs_min: 30 },
        threads: 1,
        json: None,
        cache: None,
    };
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
        match argument.as_str() {
            "--bench" => {} // cargo's own
            "--card" => given.cards.push(value()?.into()),
            "--batch" => given.batches = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?,
            "--seconds" => given.patience.each = Duration::from_secs_f64(value()?.parse()?),
            "--threads" => given.threads = value()?.parse()?,
            "--json" => given.json = Some(value()?.into()),
            "--cache" => given.cache = Some(value()?.into()),
            other => return Err(format!("{other:?} is no option; main.rs lists them").into()),
        }
    }
    if given.cards.is_empty() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let known = [
            "models/zoo/line-parts/card.toml",
            "models/zoo/bottle-cap/card.toml",
            ".plumb/bench/bench-batch.toml",
        ];
        given.cards = known.map(|card| root.join(card)).into_iter().filter(|card| card.is_file()).collect();
    }
    Ok(given)
}
