//! Whatever does not fit is refused at load, in a sentence that says what to do.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "clippy knows tests by their attribute, not by their folder"
)]

mod given;

use given::{card, load, models, runtime};
use plumb_inference::{Card, FamilyConfig, ModelError, Runtime, RuntimeError, WeightsFile};
use plumb_inspection::{ClassName, ColourOrder, Element};
use sha2::{Digest as _, Sha256};
use std::path::Path;

fn says(card: &Card) -> String {
    match load(card) {
        Ok(model) => panic!("{} was accepted", model.info().name),
        Err(error) => error.to_string(),
    }
}

/// A card for `bytes` that is right about their digest.
fn card_for(bytes: &[u8], dir: &Path) -> Card {
    let file = dir.join("m.onnx");
    std::fs::write(&file, bytes).unwrap();
    let sha256 = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
    Card { file, sha256, ..card("classifier") }
}

#[test]
fn a_file_that_is_not_a_whole_onnx_model_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(models().join("classifier.onnx")).unwrap();
    let rows: [(&str, Vec<u8>); 6] = [
        ("cut in half", whole[..whole.len() / 2].to_vec()),
        ("one byte short", whole[..whole.len() - 1].to_vec()),
        ("a text", b"this is a text, and no model at all".to_vec()),
        ("a picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x02\x80\x08\x02\0\0\0".to_vec()),
        ("zeros", vec![0; 4096]),
        ("noise", (0..4096_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()),
    ];
    for (what, bytes) in rows {
        let error = load(&card_for(&bytes, dir.path())).expect_err(what);
        assert!(matches!(error, ModelError::NotOnnx { .. }), "{what}: {error}");
        assert!(error.to_string().contains("m.onnx is not a whole ONNX file"), "{what}: {error}");
    }
    let error = load(&card_for(&[], dir.path())).unwrap_err();
    assert!(matches!(error, ModelError::Empty { .. }), "{error}");
}

#[test]
fn a_missing_file_and_a_wrong_digest_name_the_file_and_the_card() {
    let mut card = card("classifier");
    card.sha256 = "0".repeat(64);
    let message = says(&card);
    for part in ["classifier.onnx has sha256 ", "its card says 0000", "classifier.toml"] {
        assert!(message.contains(part), "{part:?} is missing in: {message}");
    }
    card.file = "nowhere/to/be/found.onnx".into();
    assert!(says(&card).contains("nowhere/to/be/found.onnx cannot be read"), "{}", says(&card));
}

#[test]
fn an_unknown_operator_is_named_with_its_domain() {
    let error = load(&card("refused-operator")).unwrap_err();
    assert!(
        matches!(&error, ModelError::Operator { operator, .. } if operator == "org.example:Frobnicate"),
        "{error}"
    );
}

#[test]
fn a_model_with_two_inputs_is_refused_with_their_names() {
    let message = says(&card("refused-two-inputs"));
    assert!(message.contains("2 inputs (picture, golden)"), "{message}");
}

#[test]
fn an_input_that_differs_from_the_card_is_refused_with_both_sides() {
    let mut larger = card("classifier");
    (larger.input.width, larger.input.height) = (640, 480);
    let mut grey = card("classifier");
    grey.input.colour = ColourOrder::Grey;
    let mut bytes = card("classifier");
    bytes.input.element = Element::U8;
    let rows = [
        (larger, "640x480 rgb, which is f32 [1, 3, 480, 640]"),
        (grey, "32x32 grey, which is f32 [1, 1, 32, 32]"),
        (bytes, "32x32 rgb, which is u8 [1, 3, 32, 32]"),
    ];
    for (card, card_says) in rows {
        let message = says(&card);
        let start = format!(
            "model \"classifier\" wants Tensor<f32>(1, 3, 32, 32) but its card says {card_says}; re-export it or correct "
        );
        assert!(message.starts_with(&start) && message.ends_with("classifier.toml"), "{message}");
    }
}

#[test]
fn sides_that_a_model_leaves_open_are_set_by_the_card_and_channels_are_not() {
    let mut card = card("detector-dynamic");
    (card.input.width, card.input.height) = (96, 64);
    assert_eq!(load(&card).unwrap().info().input.shape(), [1, 3, 64, 96]);
    card.input.colour = ColourOrder::Grey;
    assert!(says(&card).contains("grey"), "{}", says(&card));
}

#[test]
fn a_label_too_few_or_too_many_is_refused() {
    for name in
        ["detector-yolo-v8", "detector-yolo-v5", "segmenter", "segmenter-binary", "anomaly", "classifier"]
    {
        for change in [-1, 1] {
            let mut card = card(name);
            let classes = card.labels.len();
            if change < 0 {
                card.labels.pop();
            } else {
                card.labels.push(ClassName::from("one more"));
            }
            let expected =
                format!("tells {classes} classes apart, but its card has {} labels", card.labels.len());
            assert!(says(&card).contains(&expected), "{name}: {}", says(&card));
        }
    }
}

#[test]
fn an_output_that_the_family_cannot_read_is_refused_with_what_it_wants() {
    let families =
        ["detector-yolo-v8", "segmenter", "anomaly", "classifier"].map(|name| (name, card(name).family));
    for (named, family) in &families {
        for other in ["detector-yolo-v8", "segmenter", "classifier"].iter().filter(|other| *other != named) {
            // A segmenter reads [1, 3, 6] of the detector as a map of class numbers: only its labels tell.
            if (*named, *other) == ("segmenter", "detector-yolo-v8") {
                continue;
            }
            let card = Card { family: family.clone(), ..card(other) };
            let error = load(&card).expect_err(named);
            // Boxes [1, 6, 3] have a map's shape: an anomaly model's labels are what refuses them.
            let fits = matches!(error, ModelError::Output { .. })
                || matches!((&card.family, &error), (FamilyConfig::Anomaly(_), ModelError::Labels { .. }));
            assert!(fits, "{named} read {other}: {error}");
            assert!(error.to_string().contains(".toml"), "{error}");
        }
    }
}

#[test]
fn a_model_that_wants_six_channels_is_refused_with_what_it_wants() {
    let message = says(&card("refused-six-channels"));
    assert!(message.contains("wants Tensor<f32>(1, 6, 32, 32) but its card says 32x32 rgb"), "{message}");
}

#[test]
fn a_batch_that_comes_out_as_one_is_refused() {
    let message = says(&card("refused-batch-lost"));
    assert!(message.contains("takes 4 pictures at once but gives \"logits\" [3]"), "{message}");
}

/// Whatever bit is wrong, somebody else's file is a model, or is refused in a sentence; the card's digest is what tells
/// that it is not the same model.
#[test]
fn a_flipped_bit_is_seen_by_the_digest_and_brings_nothing_down() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["classifier", "segmenter-classes", "detector-dynamic"] {
        let whole = std::fs::read(models().join(format!("{name}.onnx"))).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            let known = Card { sha256: card(name).sha256, ..card_for(&bytes, dir.path()) };
            assert!(matches!(load(&known), Err(ModelError::Digest { .. })), "{name}, byte {at}");
            // As if the card had been written for the broken file.
            if let Err(error) = load(&Card { family: card(name).family, ..card_for(&bytes, dir.path()) }) {
                assert!(error.to_string().starts_with("model \"classifier\""), "{name}, byte {at}: {error}");
            }
        }
    }
}

/// `segmenter-weights-apart` with its files in a folder of its own.
fn weights_apart(dir: &Path) -> Card {
    for file in ["segmenter-weights-apart.onnx", "segmenter-weights-apart.bin"] {
        std::fs::copy(models().join(file), dir.join(file)).unwrap();
    }
    let card = card("segmenter-weights-apart");
    Card { file: dir.join("segmenter-weights-apart.onnx"), ..card }
}

#[test]
fn weights_in_a_file_of_their_own_are_found_and_belong_to_the_digest() {
    let dir = tempfile::tempdir().unwrap();
    let card = weights_apart(dir.path());
    let model = load(&card).unwrap();
    // As `sha256sum segmenter-weights-apart.onnx segmenter-weights-apart.bin | sha256sum` says.
    let lines = format!(
        "{}  segmenter-weights-apart.onnx\n{}  segmenter-weights-apart.bin\n",
        card.sha256, card.weights[0].sha256
    );
    let expected: String = Sha256::digest(lines).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(model.info().digest, expected);
}

#[test]
fn weights_that_are_missing_short_changed_or_not_told_of_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let card = weights_apart(dir.path());
    let bin = dir.path().join("segmenter-weights-apart.bin");
    let whole = std::fs::read(&bin).unwrap();

    std::fs::remove_file(&bin).unwrap();
    let message = says(&card);
    assert!(
        message.contains("segmenter-weights-apart.bin, which is not there; it has 36 bytes or more"),
        "{message}"
    );
    std::fs::write(&bin, &whole[..20]).unwrap();
    let message = says(&card);
    assert!(
        message.contains("segmenter-weights-apart.bin, which has only 20 bytes; it has 36 bytes or more"),
        "{message}"
    );
    let mut flipped = whole.clone();
    flipped[7] ^= 1;
    std::fs::write(&bin, &flipped).unwrap();
    let message = says(&card);
    assert!(
        message.contains("segmenter-weights-apart.bin has sha256 ") && message.contains("its card says"),
        "{message}"
    );
    std::fs::write(&bin, &whole).unwrap();
    load(&card).unwrap();

    let digest = card.weights[0].sha256.clone();
    let untold = Card { weights: vec![], ..card.clone() };
    let message = says(&untold);
    let line = format!(
        "write there weights = [{{ file = \"segmenter-weights-apart.bin\", sha256 = \"{digest}\" }}]"
    );
    assert!(message.contains("of which its card says nothing") && message.contains(&line), "{message}");
    let surplus = Card {
        weights: [card.weights.clone(), vec![WeightsFile { file: "more.bin".to_owned(), sha256: digest }]]
            .concat(),
        ..card
    };
    let message = says(&surplus);
    assert!(message.contains("keeps no weights in \"more.bin\""), "{message}");
}

#[test]
fn the_library_is_loaded_once_and_another_one_is_refused() {
    let runtime = runtime();
    assert_eq!(runtime.version().split('.').count(), 3, "{}", runtime.version());
    assert!(runtime.providers().contains(&"CPUExecutionProvider".to_owned()));
    let again = Runtime::load(Some(runtime.path())).unwrap();
    assert_eq!(again.path(), runtime.path());
    let error = Runtime::load(Some(Path::new("/another/libonnxruntime.so"))).unwrap_err();
    assert!(matches!(error, RuntimeError::Another { .. }), "{error}");
}
