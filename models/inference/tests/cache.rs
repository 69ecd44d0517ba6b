//! What is made once from a model and kept: the same answers, faster, and nothing that was spoilt is ever used.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "clippy knows tests by their attribute, not by their folder"
)]

mod given;

use given::{assert_alike, card, drawn, every_card, files_below, load, noise, on_cpu, plain, runtime};
use plumb_inference::{Card, LoadOptions, Model, ORIGINAL};
use plumb_inspection::Findings;
use std::path::{Path, PathBuf};

fn cached(card: &Card, cache: &Path) -> Model {
    let options = LoadOptions { cache: Some(cache.to_owned()), ..on_cpu() };
    Model::load(&runtime(), card, &options).unwrap_or_else(|error| panic!("{error}"))
}

fn found(model: &mut Model) -> Vec<Findings> {
    let spec = model.info().input.clone();
    (0..4).map(|seed| model.examine(&drawn(&spec, plain(&spec), noise(seed))).unwrap()).collect()
}

fn assert_same(a: &[Findings], b: &[Findings], what: &str) {
    a.iter().zip(b).for_each(|(a, b)| assert_alike(a, b, 0.0, what));
}

#[test]
fn a_model_from_the_cache_answers_as_one_from_its_file_to_the_bit() {
    let dir = tempfile::tempdir().unwrap();
    for card in every_card() {
        let expected = found(&mut load(&card).unwrap());
        for start in ["first", "second"] {
            let mut model = cached(&card, dir.path());
            assert_same(&found(&mut model), &expected, &format!("{}, {start} start", card.name));
            assert_eq!((&*model.info().provider, &*model.info().variant), ("cpu", ORIGINAL));
            assert_eq!(
                model.info().digest,
                load(&card).unwrap().info().digest,
                "the card's file, not the cache's"
            );
        }
    }
    let seals = files_below(dir.path()).into_iter().filter(|file| file.ends_with("sha256sums"));
    assert_eq!(seals.count(), every_card().len(), "one shelf a model");
}

#[test]
fn a_spoilt_cache_is_made_anew_and_never_used() {
    let dir = tempfile::tempdir().unwrap();
    let card = zoo();
    let expected = found(&mut cached(&card, dir.path()));
    let kept = files_below(dir.path());
    assert_eq!(names(&kept), ["graph.onnx", "sha256sums", "weights.bin"]);
    for file in &kept {
        let whole = std::fs::read(file).unwrap();
        let mut flipped = whole.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        for (what, bytes) in
            [("flipped", flipped), ("cut short", whole[..whole.len() / 2].to_vec()), ("empty", vec![])]
        {
            // As a fault of the disk would: not in place, for what runs has the old file mapped.
            std::fs::remove_file(file).unwrap();
            std::fs::write(file, &bytes).unwrap();
            assert_same(&found(&mut cached(&card, dir.path())), &expected, &format!("{file:?} {what}"));
            assert_eq!(std::fs::read(file).unwrap(), whole, "{file:?} {what}: made anew");
        }
    }
}

#[test]
fn a_cache_that_cannot_be_written_costs_time_and_no_model() {
    let dir = tempfile::tempdir().unwrap();
    let no_folder = dir.path().join("a-file");
    std::fs::write(&no_folder, "").unwrap();
    let card = card("segmenter");
    assert_same(&found(&mut cached(&card, &no_folder)), &found(&mut load(&card).unwrap()), "without a cache");
}

#[test]
fn siblings_answer_alike_and_each_on_its_own_thread() {
    let dir = tempfile::tempdir().unwrap();
    for cache in [None, Some(dir.path().to_owned())] {
        let options = LoadOptions { cache, ..on_cpu() };
        let models = Model::load_many(&runtime(), &zoo(), &options, 3).unwrap();
        assert_eq!(models.len(), 3);
        let infos: Vec<_> = models.iter().map(|model| model.info().clone()).collect();
        assert!(infos.iter().all(|info| (&info.digest, &info.why) == (&infos[0].digest, &infos[0].why)));
        let threads: Vec<_> =
            models.into_iter().map(|mut model| std::thread::spawn(move || found(&mut model))).collect();
        let all: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        all.iter().for_each(|found| assert_same(found, &all[0], "siblings"));
    }
}

fn zoo() -> Card {
    Card::read(&given::models().join("../../../zoo/line-parts/card.toml")).unwrap()
}

fn names(files: &[PathBuf]) -> Vec<String> {
    files.iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect()
}
