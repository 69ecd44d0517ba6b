//! What it costs to load a model: time and memory, with and without a cache, and for each sibling more.
//!
//! `cargo bench -p plumb-inference --bench load -- [CARD]`. One line a row, each in a process of its own; memory is beside
//! that of the process with the library loaded and no model.

#![allow(clippy::print_stdout, reason = "a table on stdout is what it is for")]

use plumb_inference::{Card, Device, LoadOptions, Model, Runtime};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [child, card, cache, models] = &arguments[..]
        && child == "--child"
    {
        return row(Path::new(card), cache, models.parse()?);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let card = arguments.first().map_or(root.join("models/zoo/bottle-cap/card.toml"), PathBuf::from);
    let cache = std::env::temp_dir().join(format!("plumb-load-{}", std::process::id()));
    println!("| cache | models | load ms | peak MB | held MB | private MB |\n|---|---|---|---|---|---|");
    for (cache_is, models) in [("none", 1), ("made", 1), ("found", 1), ("none", 4), ("found", 4)] {
        let folder = if cache_is == "none" { String::new() } else { cache.display().to_string() };
        let child = Command::new(std::env::current_exe()?)
            .args(["--child", &card.display().to_string(), &folder, &models.to_string()])
            .output()?;
        print!("| {cache_is} | {models} {}", String::from_utf8_lossy(&child.stdout));
    }
    let _ = std::fs::remove_dir_all(cache);
    Ok(())
}

fn row(card: &Path, cache: &str, models: usize) -> Result<(), Box<dyn Error>> {
    let (runtime, card) = (Runtime::load(None)?, Card::read(card)?);
    let cache = (!cache.is_empty()).then(|| PathBuf::from(cache));
    let options = LoadOptions { device: Device::Cpu, cache, ..LoadOptions::default() };
    let before = memory_mb("VmRSS")?;
    let private = memory_mb("RssAnon")?;
    let begun = Instant::now();
    let models = Model::load_many(&runtime, &card, &options, models)?;
    let load_ms = begun.elapsed().as_secs_f64() * 1e3;
    println!(
        "| {load_ms:.0} | {:.0} | {:.0} | {:.0} |",
        memory_mb("VmHWM")? - before,
        memory_mb("VmRSS")? - before,
        memory_mb("RssAnon")? - private
    );
    drop(models);
    Ok(())
}

fn memory_mb(what: &str) -> Result<f64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':')).ok_or("not Linux")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<f64>()? / 1024.0)
}
