//! One model in several files: the one that runs is named, digested and told.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "clippy knows tests by their attribute, not by their folder"
)]

mod given;

use given::{assert_alike, card, drawn, load, noise, on_cpu, plain, runtime};
use plumb_inference::{Card, Device, LoadOptions, Model, ModelError, OpenVino, Variant};
use plumb_inspection::Element;

/// `classifier`, and the same sums in half precision and from bytes.
fn with_variants() -> Card {
    let variant = |name: &str, of: &str, element| {
        let Card { file, sha256, .. } = card(of);
        Variant { name: name.to_owned(), file, sha256, weights: vec![], device: None, element }
    };
    Card {
        variants: vec![
            variant("fp16", "classifier-f16", Some(Element::F16)),
            variant("bytes", "classifier-u8", Some(Element::U8)),
        ],
        ..card("classifier")
    }
}

fn run(card: &Card, variant: Option<&str>) -> Result<Model, ModelError> {
    Model::load(&runtime(), card, &LoadOptions { variant: variant.map(ToOwned::to_owned), ..on_cpu() })
}

#[test]
fn the_variant_asked_for_runs_and_the_record_can_name_it() {
    let card = with_variants();
    let spec = card.input.clone();
    let picture = drawn(&spec, plain(&spec), noise(3));
    let expected = run(&card, None).unwrap().examine(&picture).unwrap();
    for (wish, name, of) in [
        (None, "original", "classifier"),
        (Some("original"), "original", "classifier"),
        (Some("fp16"), "fp16", "classifier-f16"),
    ] {
        let mut model = run(&card, wish).unwrap();
        assert_eq!(model.info().variant, name);
        assert_eq!(model.info().digest, given::card(of).sha256);
        assert_alike(&model.examine(&picture).unwrap(), &expected, 0.02, name);
    }
    let bytes = run(&card, Some("bytes")).unwrap();
    assert_eq!(bytes.info().input.element, Element::U8, "what it is to be given goes with the variant");
}

#[test]
fn the_cards_default_runs_unless_another_is_asked_for() {
    let card = Card { default_variant: Some("fp16".to_owned()), ..with_variants() };
    assert_eq!(load(&card).unwrap().info().variant, "fp16");
    assert_eq!(run(&card, Some("original")).unwrap().info().variant, "original");
    assert_eq!(load(&card).unwrap().sibling().unwrap().info().variant, "fp16");
}

#[test]
fn a_variant_that_is_not_there_is_refused_with_those_that_are() {
    let says = run(&with_variants(), Some("int8")).unwrap_err().to_string();
    assert!(says.contains("no variant \"int8\"") && says.ends_with("has original, fp16, bytes"), "{says}");
}

#[test]
fn a_variants_digest_is_checked_as_the_cards_own() {
    let mut card = with_variants();
    card.variants[0].sha256 = "0".repeat(64);
    assert!(matches!(run(&card, Some("fp16")), Err(ModelError::Digest { .. })));
    assert!(run(&card, None).is_ok(), "what does not run need not be there");
}

#[test]
fn a_variants_device_stands_for_the_cards() {
    let mut card = Card { device: Some(Device::OpenVino(OpenVino::Npu)), ..with_variants() };
    card.variants[0].device = Some(Device::Cpu);
    let auto = |variant: &str| {
        let options = LoadOptions { variant: Some(variant.to_owned()), ..LoadOptions::default() };
        Model::load(&runtime(), &card, &options).unwrap().info().why.clone()
    };
    assert_eq!(auto("fp16"), "its card says that it runs best there");
    assert!(auto("bytes").starts_with("openvino:NPU was not taken"), "{}", auto("bytes"));
}
