//! Every family on small models with known weights, through the real ONNX Runtime.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "clippy knows tests by their attribute, not by their folder"
)]

mod given;

use given::{drawn, model, plain};
use plumb_inference::{Model, ModelError};
use plumb_inspection::{Affine, Finding, Findings, Placement, PointPx, RectPx, Tensor, Values};
use std::time::Duration;

const BLACK: [f32; 3] = [0.0; 3];
const WHITE: [f32; 3] = [1.0; 3];

fn examine(model: &mut Model, colour: impl Fn(u32, u32) -> [f32; 3]) -> Findings {
    let spec = model.info().input.clone();
    model.examine(&drawn(&spec, plain(&spec), colour)).unwrap_or_else(|error| panic!("{error}"))
}

fn seen(findings: &[Finding]) -> Vec<(&str, f32, [f32; 4])> {
    let round = |v: f32| (v * 1000.0).round() / 1000.0;
    findings
        .iter()
        .map(|f| (f.class.as_str(), round(f.score.get()), <[f32; 4]>::from(f.box_px).map(round)))
        .collect()
}

#[test]
fn every_family_keeps_its_findings_in_the_region_with_labels_of_its_card() {
    for card in given::every_card() {
        let mut model = given::load(&card).unwrap_or_else(|error| panic!("{error}"));
        let (spec, labels) = (model.info().input.clone(), model.info().labels.clone());
        // A wide region in a square tensor: a third of it, above and below, is padding.
        let (w, h) = (spec.width as f32, spec.height as f32);
        let placement = Placement {
            frame_from_tensor: Affine::scale_then_move(4.0, 4.0, 100.0, 50.0),
            content_px: RectPx { x: 0.0, y: h / 6.0, w, h: h * 2.0 / 3.0 },
        };
        let region = placement.rect(placement.content_px);
        let within = |p: PointPx| {
            p.x >= region.x - 0.01
                && p.x <= region.right() + 0.01
                && p.y >= region.y - 0.01
                && p.y <= region.bottom() + 0.01
        };
        for seed in 0..20_u32 {
            let findings = model.examine(&drawn(&spec, placement, given::noise(seed))).unwrap();
            let name = &model.info().name;
            assert_eq!(findings.scores.len(), 1, "{name}");
            assert!(findings.list.is_sorted_by(|a, b| a.score >= b.score), "{name}");
            for finding in &findings.list {
                assert!(labels.contains(&finding.class) && finding.model == *name, "{name}: {finding:?}");
                assert_eq!(finding.region.as_str(), "whole");
                let b = finding.box_px;
                assert!(
                    within(PointPx { x: b.x, y: b.y }) && within(PointPx { x: b.right(), y: b.bottom() }),
                    "{name}: {finding:?}"
                );
                // A turned box is not cut, only the upright one around it.
                if !name.as_str().starts_with("oriented") {
                    // A mask of whole tensor px, 4 of the frame's each way, may reach over its box's and region's edges.
                    let rim = if name.as_str().starts_with("instance") { 4.0 } else { 0.0 };
                    assert!(finding.area_px <= (b.w + rim) * (b.h + rim) * 1.001, "{name}: {finding:?}");
                    assert!(finding.polygon_px.iter().flatten().all(|p| within(*p)), "{name}: {finding:?}");
                }
                assert!(finding.area_px > 0.0, "{name}: {finding:?}");
                let keypoints = finding.keypoints_px.iter().flatten();
                assert!(
                    keypoints.into_iter().all(|p| within(PointPx { x: p.x, y: p.y })),
                    "{name}: {finding:?}"
                );
                assert!(finding.polygon_px.as_ref().is_none_or(|p| p.len() >= 3), "{name}: {finding:?}");
            }
        }
    }
}

#[test]
fn every_detector_layout_gives_the_bottle_once_and_its_cap() {
    for name in ["detector-yolo-v8", "detector-dynamic", "detector-yolo-v5", "detector-end-to-end"] {
        let mut model = model(name);
        let bright = examine(&mut model, |x, y| if (x, y) == (3, 4) { WHITE } else { BLACK });
        assert_eq!(
            seen(&bright.list),
            [("bottle", 0.9, [8.0, 4.0, 16.0, 24.0]), ("cap", 0.8, [12.0, 4.0, 8.0, 4.0])],
            "{name}"
        );
        assert_eq!(bright.scores[0].2.get(), 0.9, "{name}");
        let dim = examine(&mut model, |_, _| [0.3; 3]);
        assert_eq!(
            seen(&dim.list),
            [("bottle", 0.27, [8.0, 4.0, 16.0, 24.0])],
            "{name}: 0.3·0.8 is below score_min"
        );
        let dark = examine(&mut model, |_, _| BLACK);
        assert!(dark.list.is_empty() && dark.scores[0].2.get() == 0.0, "{name}: {dark:?}");
    }
}

/// Its lists are empty in the dark: tensors with a side of 0 come through the library.
#[test]
fn lists_of_boxes_are_as_long_as_there_are_things_and_class_1_is_the_first_label() {
    let mut model = model("detector-torchvision");
    let bright = examine(&mut model, |_, _| WHITE);
    let (bottle, cap) = (("bottle", 0.9, [8.0, 4.0, 16.0, 24.0]), ("cap", 0.8, [12.0, 4.0, 8.0, 4.0]));
    assert_eq!(seen(&bright.list), [bottle, cap]);
    assert_eq!(seen(&examine(&mut model, |_, _| [0.3; 3]).list).len(), 1, "0.3·0.8 is below 0.25");
    let dark = examine(&mut model, |_, _| BLACK);
    assert!(dark.list.is_empty() && dark.scores[0].2.get() == 0.0, "{dark:?}");
}

#[test]
fn a_pose_gives_each_box_its_keypoints_and_none_beyond_the_edge() {
    let found = examine(&mut model("pose"), |_, _| WHITE);
    assert_eq!(found.list.len(), 2, "{found:?}");
    for finding in &found.list {
        let keypoints: Vec<_> =
            finding.keypoints_px.iter().flatten().copied().map(<[f32; 3]>::from).collect();
        assert_eq!(keypoints, [[16.0, 16.0, 0.75], [32.0, 8.0, 0.5]], "{finding:?}");
    }
    assert!(examine(&mut model("pose"), |_, _| BLACK).list.is_empty());
}

#[test]
fn an_oriented_detector_gives_the_corners_of_the_turned_box() {
    let found = examine(&mut model("oriented-detector"), |_, _| WHITE);
    assert_eq!(
        seen(&found.list),
        // 16 × 24 turned by a quarter is 24 × 16; 8 × 4 turned by 45° needs (8 + 4)/√2 each way.
        [("bottle", 0.9, [4.0, 8.0, 24.0, 16.0]), ("cap", 0.8, [11.757, 1.757, 8.485, 8.485])]
    );
    assert_eq!(found.list.iter().map(|f| f.area_px).collect::<Vec<_>>(), [384.0, 32.0]);
    assert!(found.list.iter().all(|f| f.polygon_px.as_ref().is_some_and(|p| p.len() == 4)), "{found:?}");
}

#[test]
fn an_instance_segmenter_gives_each_box_the_part_of_its_mask_that_lies_in_it() {
    let found = examine(&mut model("instance-segmenter"), |_, _| WHITE);
    let areas: Vec<_> = found.list.iter().map(|f| (f.class.as_str(), f.area_px)).collect();
    // Of the bottle, 16 × 24, the left half; all of the cap.
    assert_eq!(areas, [("bottle", 8.0 * 24.0), ("cap", 8.0 * 4.0)]);
    let corners = [[8.0, 4.0], [16.0, 4.0], [16.0, 28.0], [8.0, 28.0]].map(PointPx::from);
    assert_eq!(found.list[0].polygon_px.as_deref(), Some(&corners[..]));
    assert_eq!(<[f32; 4]>::from(found.list[0].box_px), [8.0, 4.0, 16.0, 24.0], "the box is the model's own");
}

#[test]
fn a_classifier_with_many_labels_gives_each_that_is_there() {
    // Ten times how far the colour is above a half: 3, 0 and −3 are 0.953, 0.5 and 0.047.
    let found = examine(&mut model("classifier-multi-label"), |_, _| [0.8, 0.5, 0.2]);
    let classes: Vec<_> = found.list.iter().map(|f| f.class.as_str()).collect();
    assert_eq!(classes, ["red", "green"], "{found:?}");
    assert!(examine(&mut model("classifier-multi-label"), |_, _| BLACK).list.is_empty());
}

#[test]
fn a_segmenter_gives_each_patch_with_its_outline() {
    let patch = |x: u32, y: u32| match (x, y) {
        (4..12, 6..8) => [1.0, 0.0, 0.0],
        (20..30, 20..30) => [0.0, 1.0, 0.0],
        _ => BLACK,
    };
    for (name, classes) in [("segmenter", 2), ("segmenter-classes", 2), ("segmenter-binary", 1)] {
        let found = examine(&mut model(name), patch);
        let boxes: Vec<_> =
            seen(&found.list).into_iter().map(|(class, score, b)| (class, score.round(), b)).collect();
        let scratch = ("scratch", 1.0, [4.0, 6.0, 8.0, 2.0]);
        let dent = ("dent", 1.0, [20.0, 20.0, 10.0, 10.0]);
        let expected = [scratch, dent];
        assert_eq!(boxes.len(), classes, "{name}: {boxes:?}");
        assert!(boxes.iter().all(|found| expected.contains(found)), "{name}: {boxes:?}");
        let scratch = found.list.iter().find(|f| f.class.as_str() == "scratch").unwrap();
        assert_eq!(scratch.area_px, 16.0, "{name}");
        let corners = [[4.0, 6.0], [12.0, 6.0], [12.0, 8.0], [4.0, 8.0]].map(PointPx::from);
        assert_eq!(scratch.polygon_px.as_deref(), Some(&corners[..]), "{name}");
    }
}

#[test]
fn a_speck_below_the_least_area_is_no_finding_but_shows_in_the_raw_score() {
    let found = examine(&mut model("segmenter-binary"), |x, y| if (x, y) == (9, 9) { WHITE } else { BLACK });
    assert!(found.list.is_empty(), "{found:?}");
    assert!(found.scores[0].2.get() > 0.99, "{found:?}");
}

#[test]
fn an_anomaly_is_found_where_the_map_is_hot_and_scored_by_the_models_own_score() {
    for name in ["anomaly", "anomaly-map-only"] {
        let mut model = model(name);
        let odd = examine(&mut model, |x, y| match (x, y) {
            (11, 21) | (2, 2) => [0.125; 3],
            (10..14, 20..23) => [0.875; 3],
            _ => [0.5; 3],
        });
        assert_eq!(
            seen(&odd.list),
            [("anomaly", 0.375, [10.0, 20.0, 4.0, 3.0]), ("anomaly", 0.375, [2.0, 2.0, 1.0, 1.0])],
            "{name}"
        );
        assert_eq!(odd.scores[0].2.get(), 0.375, "{name}");
        let normal = examine(&mut model, |_, _| [0.625; 3]);
        assert!(normal.list.is_empty() && normal.scores[0].2.get() == 0.125, "{name}: {normal:?}");
    }
}

#[test]
fn a_map_without_its_own_score_does_not_count_the_padding() {
    let mut model = model("anomaly-map-only");
    let spec = model.info().input.clone();
    let placement = Placement { content_px: RectPx::from([0.0, 8.0, 32.0, 16.0]), ..plain(&spec) };
    let tensor = drawn(&spec, placement, |_, y| if (8..24).contains(&y) { [0.5; 3] } else { [0.0; 3] });
    let found = model.examine(&tensor).unwrap();
    assert!(found.list.is_empty() && found.scores[0].2.get() == 0.0, "{found:?}");
}

#[test]
fn a_classifier_gives_one_class_for_the_region_whatever_its_number_type() {
    for name in ["classifier", "classifier-f16", "classifier-u8"] {
        let mut model = model(name);
        let strength = if name == "classifier-u8" { 1.0 / 255.0 } else { 1.0 };
        let spec = model.info().input.clone();
        let found = examine(&mut model, |_, _| [0.2 * strength, 1.0 * strength, 0.6 * strength]);
        // Logits 2, 10, 6; as bytes 0, 10, 0 (0.2 of one step is none, 0.6 is one).
        let expected =
            if name == "classifier-u8" { 1.0 / (1.0 + 1.0 + (-10.0_f32).exp()) } else { 0.981_690_3 };
        let green = if name == "classifier-u8" { &found.list[0] } else { found.list.first().unwrap() };
        assert_eq!(found.list.len(), 1, "{name}");
        assert_eq!(green.class.as_str(), "green", "{name}");
        assert!((green.score.get() - expected).abs() < 2e-3, "{name}: {}", green.score.get());
        assert_eq!(green.box_px, plain(&spec).content_px, "{name}");
        assert_eq!(found.scores[0].2, green.score, "{name}");
    }
}

#[test]
fn a_model_that_gives_nan_has_failed_and_says_where() {
    for mut model in [model("classifier"), model("segmenter"), model("anomaly")] {
        let spec = model.info().input.clone();
        let broken = drawn(&spec, plain(&spec), |x, _| if x == 31 { [f32::NAN; 3] } else { WHITE });
        let error = model.examine(&broken).unwrap_err();
        assert!(
            matches!(&error, ModelError::NotANumber { region, .. } if region.as_str() == "whole"),
            "{error}"
        );
        assert_eq!(
            examine(&mut model, |_, _| WHITE).scores.len(),
            1,
            "and the next picture is examined again"
        );
    }
}

#[test]
fn a_tensor_of_another_shape_or_type_is_refused_before_it_reaches_the_model() {
    let mut model = model("classifier");
    let spec = model.info().input.clone();
    let wrong = [
        ([1, 3, 16, 64], Values::F32(vec![0.0; 3072])),
        ([1, 3, 32, 32], Values::F32(vec![0.0; 3071])),
        ([1, 3, 32, 32], Values::U8(vec![0; 3072])),
    ];
    for (shape, values) in wrong {
        let error =
            model.examine(&Tensor::new("head".into(), shape, values, plain(&spec))).unwrap_err().to_string();
        assert!(error.contains("region \"head\"") && error.contains("32x32 rgb"), "{error}");
    }
}

#[test]
fn a_loaded_model_says_what_it_is_where_it_runs_and_how_long_it_takes() {
    let mut model = model("detector-yolo-v8");
    let info = model.info().clone();
    assert_eq!(info.digest, given::card("detector-yolo-v8").sha256);
    assert_eq!((info.provider.as_str(), info.why.as_str()), ("cpu", "asked for"));
    assert!(info.warm_up > Duration::ZERO && model.warm_up(5).unwrap() > Duration::ZERO);
}
