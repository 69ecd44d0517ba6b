//! Several pictures in one run: each gets the answer it would get alone, and none pays for another.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "clippy knows tests by their attribute, not by their folder"
)]

mod given;

use given::{card, drawn, every_card, noise, on_cpu, plain, runtime};
use plumb_inference::{Card, LoadOptions, Model, ModelError};
use plumb_inspection::{Findings, Tensor, Values};

fn with_batch(card: &Card, batch_max: usize) -> Model {
    let options = LoadOptions { batch_max, ..on_cpu() };
    Model::load(&runtime(), card, &options).unwrap_or_else(|error| panic!("{error}"))
}

/// `count` pictures of noise, each another.
fn pictures(model: &Model, count: u32) -> Vec<Tensor> {
    let spec = &model.info().input;
    (0..count).map(|seed| drawn(spec, plain(spec), noise(seed))).collect()
}

fn together(model: &mut Model, tensors: &[Tensor]) -> Vec<Result<Findings, ModelError>> {
    model.examine_batch(&tensors.iter().collect::<Vec<_>>(), None)
}

#[test]
fn every_picture_of_a_batch_gets_the_answer_it_gets_alone() {
    let mut shared = 0;
    for card in every_card() {
        let mut model = with_batch(&card, 3);
        shared += usize::from(model.info().batch_max > 1);
        let tensors = pictures(&model, 7);
        let alone: Vec<Findings> = tensors.iter().map(|tensor| model.examine(tensor).unwrap()).collect();
        for (i, (together, alone)) in together(&mut model, &tensors).iter().zip(&alone).enumerate() {
            let what = format!("{}, picture {i}", model.info().name);
            given::assert_alike(together.as_ref().unwrap(), alone, 1e-5, &what);
        }
        assert!(together(&mut model, &[]).is_empty());
    }
    assert!(shared >= 3, "only {shared} models share a run");
}

#[test]
fn a_run_takes_what_was_asked_for_what_the_file_says_or_one() {
    let batch_max = |name, wish| with_batch(&card(name), wish).info().batch_max;
    assert_eq!(batch_max("classifier-batch", 6), 6, "the file leaves it open");
    assert_eq!(batch_max("classifier-batch", 0), 1);
    assert_eq!(batch_max("classifier-batch-of-4", 6), 4, "the file says 4");
    assert_eq!(batch_max("classifier-batch-of-4", 1), 4, "and always takes as many");
    assert_eq!(batch_max("classifier", 6), 1, "the file says 1");
    // It declares its batch open, and gives one picture's worth of boxes for all of them.
    assert_eq!(batch_max("detector-dynamic", 6), 1, "found out by trial");
}

#[test]
fn a_pictures_nan_costs_that_picture_its_answer_and_no_other() {
    let mut model = with_batch(&card("classifier-nan-when-black"), 4);
    assert_eq!(model.info().batch_max, 4);
    let spec = model.info().input.clone();
    let mut tensors = pictures(&model, 4);
    tensors[2] = drawn(&spec, plain(&spec), |_, _| [0.0; 3]);
    let answers = together(&mut model, &tensors);
    for (i, answer) in answers.iter().enumerate() {
        match answer {
            Err(ModelError::NotANumber { output, .. }) => assert_eq!((i, output.as_str()), (2, "logits")),
            answer => assert!(i != 2 && answer.is_ok(), "{i}: {answer:?}"),
        }
    }
}

#[test]
fn a_tensor_that_does_not_fit_costs_no_other_its_answer() {
    let mut model = with_batch(&card("classifier-batch"), 3);
    let mut tensors = pictures(&model, 3);
    let odd = Tensor::new("odd".into(), [1, 3, 8, 8], Values::F32(vec![0.0; 192]), tensors[0].placement);
    tensors[1] = odd;
    let answers = together(&mut model, &tensors);
    assert!(answers[0].is_ok() && answers[2].is_ok(), "{answers:?}");
    assert!(matches!(&answers[1], Err(ModelError::Tensor { .. })), "{:?}", answers[1]);
}
