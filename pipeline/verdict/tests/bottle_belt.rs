//! The rule of the bottle line, asked of what people marked on a real belt: a clip of bottles, each with its cap.

use plumb_inspection::{CameraId, Finding, Findings, RectPx, Score};
use plumb_verdict::{Decision, Judge, RuleConfig};
use serde::Deserialize;
use std::{collections::BTreeMap, env, fs, path::PathBuf};

#[derive(Deserialize)]
struct Coco {
    annotations: Vec<Annotation>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: u64,
    category_id: u64,
    bbox: [f32; 4],
}

#[derive(Deserialize)]
struct Category {
    id: u64,
    name: String,
}

fn marked(file: &str) -> Option<BTreeMap<u64, Findings>> {
    let data = env::var_os("PLUMB_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    if !data.is_dir() {
        eprintln!("skipped: no shared data at {}", data.display());
        return None;
    }
    let text = fs::read_to_string(data.join(file)).expect("listed in its README");
    let Coco { annotations, categories } = serde_json::from_str(&text).expect("COCO");
    let mut frames: BTreeMap<u64, Findings> = BTreeMap::new();
    for Annotation { image_id, category_id, bbox } in annotations {
        let class = categories.iter().find(|category| category.id == category_id).expect("listed");
        let frame = frames.entry(image_id).or_default();
        frame.list.push(Finding {
            class: class.name.as_str().into(),
            score: certain(),
            box_px: RectPx::from(bbox),
            polygon_px: None,
            keypoints_px: None,
            area_px: RectPx::from(bbox).area(),
            length_mm: None,
            area_mm2: None,
            region: "belt".into(),
            model: "bottle-cap".into(),
        });
        frame.scores = vec![("bottle-cap".into(), "belt".into(), certain())];
    }
    Some(frames)
}

fn certain() -> Score {
    Score::new(1.0).expect("a number")
}

fn every_bottle_has_its_cap() -> Judge {
    let rule = "name = 'caps'\nkind = 'pairs'\neach = 'Bottle'\nhas = 'Cap'\nscore_min = 0.5";
    let rule: RuleConfig = toml::from_str(rule).expect("a rule");
    Judge::new(vec![rule]).expect("one good rule")
}

#[test]
fn real_bottles_pass_with_their_caps_and_fail_without_any_one_of_them() {
    let judge = every_bottle_has_its_cap();
    for file in ["video/capvision_IMG_4824.coco.json", "capvision/annotations.coco.json"] {
        let Some(frames) = marked(file) else { return };
        let camera = CameraId::from("belt");
        let mut caps_taken_off = 0;
        for (frame, findings) in &frames {
            let bottles = findings.list.iter().filter(|finding| finding.class.as_str() == "Bottle").count();
            let verdict = judge.judge(&[(camera.clone(), findings)]);
            assert_eq!(verdict.decision == Decision::Pass, bottles > 0, "frame {frame}: {verdict:?}");
            for (at, cap) in findings.list.iter().enumerate().filter(|(_, f)| f.class.as_str() == "Cap") {
                let mut open = findings.clone();
                open.list.remove(at);
                let verdict = judge.judge(&[(camera.clone(), &open)]);
                assert_eq!(
                    verdict.decision,
                    Decision::Fail,
                    "frame {frame} without the cap at {:?}",
                    cap.box_px
                );
                assert_eq!(verdict.reasons[0].says, format!("1 of {bottles} × Bottle without Cap"));
                caps_taken_off += 1;
            }
        }
        assert!(caps_taken_off > 100, "{file}: the test saw {caps_taken_off} caps");
    }
}
