//! Models and photographs from the world, against what their own tools found.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "clippy knows tests by their attribute, not by their folder"
)]

mod given;

use given::{load, shared_data};
use image::RgbImage;
use plumb_inference::{Card, ModelError};
use plumb_inspection::{
    Affine, ClassName, ColourOrder, Finding, Placement, RectPx, Tensor, TensorSpec, Values,
};
use std::path::Path;

/// A card for a real model, which has none of its own; its digest comes from the list that came with it.
fn card(data: &Path, file: &str, labels: &[String], family: &str, input: &str) -> Card {
    let list: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(data.join("models/models.json")).unwrap()).unwrap();
    let entry = list.as_array().unwrap().iter().find(|entry| entry["file"] == file).unwrap();
    let text = format!(
        "name = {file:?}\nfile = {file:?}\nsha256 = {}\nlabels = {labels:?}\n[family]\n{family}\n[input]\n{input}\n",
        entry["sha256"]
    );
    Card::parse(&text, &data.join("models/card.toml")).unwrap_or_else(|error| panic!("{error}"))
}

/// Source pixels with their weights for each of `to` pixels, as OpenCV's `INTER_AREA` takes them: where both sides
/// shrink, by the area covered; where one grows, linear between the first two areas.
fn taps(to: usize, from: u32, both_shrink: bool) -> Vec<Vec<(u32, f64)>> {
    let scale = f64::from(from) / to as f64;
    (0..to)
        .map(|d| {
            let (start, end) = (d as f64 * scale, (d as f64 + 1.0) * scale);
            if both_shrink {
                let covered = |s: u32| (end.min(f64::from(s) + 1.0) - start.max(f64::from(s))) / scale;
                return (start as u32..(end.ceil() as u32).min(from)).map(|s| (s, covered(s))).collect();
            }
            let share = (d as f64 + 1.0) - (start.floor() + 1.0) / scale;
            let share = if share <= 0.0 { 0.0 } else { share - share.floor() };
            vec![(start as u32, 1.0 - share), ((start as u32 + 1).min(from - 1), share)]
        })
        .collect()
}

/// One value of the stretched picture, 0..=255. OpenCV's linear way counts in 1/2048 and rounds down in between; a
/// level of difference in every tenth pixel would move the scores by 0.002.
fn level(picture: &RgbImage, c: usize, row: &[(u32, f64)], column: &[(u32, f64)], both_shrink: bool) -> f32 {
    let at = |x: u32, y: u32| picture.get_pixel(x, y).0[c];
    if both_shrink {
        let weighted = |(y, wy): &(u32, f64)| -> f64 {
            column.iter().map(|(x, wx)| f64::from(at(*x, *y)) * wx * wy).sum()
        };
        return row.iter().map(weighted).sum::<f64>().round() as f32;
    }
    let parts = |weight: f64| (weight * 2048.0).round() as i64;
    let across = |y: u32| -> i64 { column.iter().map(|(x, wx)| i64::from(at(*x, y)) * parts(*wx)).sum() };
    let down: i64 = row.iter().map(|(y, wy)| (parts(*wy) * (across(*y) >> 4)) >> 16).sum();
    ((down + 2) >> 2) as f32
}

/// The whole picture stretched to the tensor.
fn stretched(picture: &RgbImage, spec: &TensorSpec) -> Tensor {
    let (w, h) = (spec.width as usize, spec.height as usize);
    let both_shrink = picture.width() >= spec.width && picture.height() >= spec.height;
    let (columns, rows) = (taps(w, picture.width(), both_shrink), taps(h, picture.height(), both_shrink));
    let mut values = vec![0.0; spec.len()];
    for (y, row) in rows.iter().enumerate() {
        for (x, column) in columns.iter().enumerate() {
            for c in 0..3 {
                let level = level(picture, c, row, column, both_shrink);
                let plane = if spec.colour == ColourOrder::Bgr { 2 - c } else { c };
                let (mean, std) = spec.mean_std(plane);
                values[(plane * h + y) * w + x] = (level * spec.scale - mean) / std;
            }
        }
    }
    let placement = Placement {
        frame_from_tensor: Affine::scale_then_move(
            f64::from(picture.width()) / w as f64,
            f64::from(picture.height()) / h as f64,
            0.0,
            0.0,
        ),
        content_px: RectPx { x: 0.0, y: 0.0, w: w as f32, h: h as f32 },
    };
    Tensor::new("whole".into(), spec.shape(), Values::F32(values), placement)
}

fn photograph(data: &Path, path: &str) -> RgbImage {
    image::open(data.join(path)).unwrap_or_else(|error| panic!("{path}: {error}")).to_rgb8()
}

/// The reference's detections of one picture, and what we find in it.
fn fastestdet(data: &Path, path: &str, score_min: f32) -> (Vec<(String, f32, RectPx)>, Vec<Finding>) {
    let text = std::fs::read_to_string(data.join("models/fastestdet.reference_detections.json")).unwrap();
    let reference: serde_json::Value = serde_json::from_str(&text).unwrap();
    let number = |value: &serde_json::Value| value.as_f64().unwrap() as f32;
    let expected = reference["detections"][path]
        .as_array()
        .unwrap()
        .iter()
        .map(|seen| {
            let [x0, y0, x1, y1] = [0, 1, 2, 3].map(|i| number(&seen["xyxy"][i]));
            let box_px = RectPx::from_corners(x0, y0, x1, y1);
            (seen["cls"].as_str().unwrap().to_owned(), number(&seen["score"]), box_px)
        })
        .collect();

    let names = std::fs::read_to_string(data.join("models/coco.names")).unwrap();
    let labels: Vec<String> = names.lines().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect();
    let family =
        format!("kind = \"detector\"\noutput = \"fastestdet\"\nscore_min = {score_min}\niou_max = 0.45");
    let input = "width = 352\nheight = 352\ncolour = \"bgr\"";
    let card = card(data, "fastestdet-coco-352.onnx", &labels, &family, input);
    let tensor = stretched(&photograph(data, path), &card.input);
    (expected, load(&card).unwrap().examine(&tensor).unwrap().list)
}

#[test]
fn fastestdet_finds_what_its_own_tool_found() {
    let Some(data) = shared_data() else { return };
    let (expected, found) = fastestdet(&data, "models/fastestdet-sample-3.jpg", 0.65);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (finding, (class, score, box_px)) in found.iter().zip(&expected) {
        assert_eq!(finding.class.as_str(), class);
        assert!((finding.score.get() - score).abs() <= 1e-3, "{finding:?} for {score}");
        let edges = |r: RectPx| [r.x, r.y, r.right(), r.bottom()];
        let apart = edges(finding.box_px).into_iter().zip(edges(*box_px)).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f32::max) <= 1.0, "{finding:?} for {box_px:?}");
    }
}

/// These pictures keep their colours at half size, and JPEG decoders differ by a level or two in how they enlarge
/// them; one level of noise moves this model's score by 0.015. So: the same things at the same places.
#[test]
fn fastestdet_finds_the_bottles_on_the_belt() {
    let Some(data) = shared_data() else { return };
    let mut compared = 0;
    for path in [
        "IMG_4818_MOV-0206",
        "IMG_4818_MOV-0296",
        "IMG_4822_MOV-0137",
        "IMG_4826_MOV-0049",
        "IMG_4826_MOV-0106",
    ] {
        let (expected, found) = fastestdet(&data, &format!("capvision/images/{path}_jpg.jpg"), 0.5);
        for (class, score, box_px) in expected.iter().filter(|(_, score, _)| *score > 0.55) {
            let same = found.iter().find(|f| f.class.as_str() == class && f.box_px.iou(*box_px) > 0.95);
            let same = same.unwrap_or_else(|| panic!("{path}: no {class} at {box_px:?} in {found:#?}"));
            assert!((same.score.get() - score).abs() < 0.04, "{path}: {same:?} for {score}");
            compared += 1;
        }
    }
    assert_eq!(compared, 9);
}

#[test]
fn ultraface_finds_faces_inside_the_people() {
    let Some(data) = shared_data() else { return };
    let family = "kind = \"detector\"\noutput = \"ssd\"\nscore_min = 0.7\niou_max = 0.3";
    let input = "width = 320\nheight = 240\nscale = 0.0078125\nmean = [0.9921875]";
    let card = card(&data, "ultraface-rfb-320.onnx", &["face".to_owned()], family, input);
    let tensor = stretched(&photograph(&data, "models/fastestdet-sample-3.jpg"), &card.input);
    let found = load(&card).unwrap().examine(&tensor).unwrap();
    println!("{:#?}", found.list);
    // The people, as FastestDet's own tool saw them.
    let people = [
        [40.9, 62.8, 177.5, 293.9],
        [288.7, 141.7, 482.9, 297.2],
        [159.3, 136.2, 256.4, 264.7],
        [230.7, 138.5, 323.4, 277.0],
    ];
    assert!(!found.list.is_empty());
    for face in &found.list {
        let c = face.box_px.centre();
        assert!(
            people.iter().any(|[x0, y0, x1, y1]| c.x > *x0 && c.x < *x1 && c.y > *y0 && c.y < *y1),
            "{face:?}"
        );
    }
}

#[test]
fn mnist_takes_one_grey_channel_and_gives_ten_digits() {
    let Some(data) = shared_data() else { return };
    let digits: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
    let input = "width = 28\nheight = 28\ncolour = \"grey\"";
    let family = "kind = \"classifier\"\nactivation = \"none\"";
    let card = card(&data, "mnist-opset8.onnx", &digits, family, input);
    let values = (0..784_u32).map(|i| ((i * 7919) % 256) as f32 / 255.0).collect();
    let placement = given::plain(&card.input);
    let tensor = Tensor::new("whole".into(), card.input.shape(), Values::F32(values), placement);
    let found = load(&card).unwrap().examine(&tensor).unwrap();
    assert_eq!(found.list[0].class, ClassName::from("3"));
    assert!((found.list[0].score.get() - 3.714_476_8).abs() < 1e-4, "{found:?}");
}

#[test]
fn a_model_with_custom_operators_is_refused_by_the_name_of_its_operator() {
    let Some(data) = shared_data() else { return };
    let family = "kind = \"classifier\"";
    let card =
        card(&data, "superres-customops-opset18.onnx", &["any".to_owned()], family, "width = 8\nheight = 8");
    let error = load(&card).unwrap_err();
    assert!(
        matches!(&error, ModelError::Operator { operator, .. } if operator == "com.microsoft.extensions:DecodeImage"),
        "{error}"
    );
    println!("{error}");
}
