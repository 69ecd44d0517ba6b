//! Another recipe, another version of a model: swapped between two parts, on a line at full speed, and not one part
//! lost or judged by half of each. Alone in its binary: at 1 500 parts a minute a picture that comes 9 ms late is nobody's,
//! and other tests beside it would make it so.

mod workshop;

use plumb_inspection::{Cause, RecipeNumber};
use plumb_ledger::Record;
use plumb_line::Product;
use plumb_station::{
    demo::{Demo, Wish},
    station::Station,
};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use workshop::post;

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The demo's washer line with a model in two versions: the same weights, another digest.
struct Versions {
    folder: PathBuf,
    card: String,
    digests: [String; 2],
}

impl Versions {
    /// In the config folder of a demo that was unpacked.
    fn new(config: &Path) -> Self {
        let folder = config.join("models/line-parts");
        let card = fs::read_to_string(folder.join("card.toml")).expect("the card");
        let mut model = fs::read(folder.join("line-parts.onnx")).expect("the model");
        let first = hex(&model);
        model.extend([0x1a, 2, b'v', b'2']); // the protobuf field `producer_version`
        fs::write(folder.join("line-parts-v2.onnx"), &model).expect("version 2");
        assert!(card.contains(&first), "the card names its file's digest");
        Self { folder, card, digests: [first, hex(&model)] }
    }

    /// What the card says of a version.
    fn card_of(&self, version: usize) -> String {
        match version {
            0 => self.card.clone(),
            _ => self
                .card
                .replace(&self.digests[0], &self.digests[1])
                .replace("line-parts.onnx", "line-parts-v2.onnx"),
        }
    }

    /// From the next loading on, the card speaks of this version.
    fn switch_to(&self, version: usize) {
        fs::write(self.folder.join("card.new"), self.card_of(version)).expect("the new card");
        fs::rename(self.folder.join("card.new"), self.folder.join("card.toml")).expect("the card, at once");
    }

    /// Which model each recipe digest stands for.
    fn models_by_recipe(&self, config: &Path) -> BTreeMap<String, String> {
        let mut models = BTreeMap::new();
        for recipe in ["washer", "blister-pack"] {
            let text = fs::read_to_string(config.join(format!("recipes/{recipe}.toml"))).expect("a recipe");
            for (version, digest) in self.digests.iter().enumerate() {
                let card = hex(self.card_of(version).as_bytes());
                models.insert(hex(format!("{text}{digest}{card}").as_bytes()), digest.clone());
            }
        }
        models
    }
}

#[test]
fn recipes_and_model_versions_change_at_full_line_speed_and_no_part_is_lost_or_judged_by_half_of_each() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let wish = Wish {
        product: Product::Washer,
        seed: 11,
        parts_per_minute: Some(1500.0),
        parts: Some(500),
        listen: "127.0.0.1:0".parse().expect("an address"),
        data: data.path().to_owned(),
    };
    let mut demo = Demo::start(wish).unwrap_or_else(|error| panic!("{error}"));
    let config = data.path().join("config");
    let versions = Versions::new(&config);
    let models = versions.models_by_recipe(&config);
    let address = demo.address().expect("HTTP is served");

    let mut records: Vec<Record> = Vec::new();
    let (mut changes, mut next) = (0, Instant::now() + Duration::from_secs(1));
    let patience = Instant::now() + Duration::from_secs(120);
    while !demo.has_ended() && Instant::now() < patience {
        records.extend(demo.answered(Duration::from_millis(20)));
        let is_over = |station: &Station| {
            let (progress, waits) = station.changeover().progress();
            waits.is_none() && progress.is_none_or(|progress| progress.is_over())
        };
        if Instant::now() >= next && is_over(demo.station()) {
            next = Instant::now() + Duration::from_millis(800);
            changes += 1;
            match changes % 3 {
                0 => demo.plc().want_recipe(RecipeNumber(if changes % 2 == 0 { 1 } else { 2 })),
                of => {
                    versions.switch_to(of - 1);
                    let name = demo.station().current().plan.name.to_string();
                    let (status, told) = post(address, &format!("/api/v1/recipes/{name}/load"));
                    assert_eq!(status, 202, "{told}");
                }
            }
        }
    }
    assert!(demo.has_ended(), "the belt has not run empty: {:?}", demo.summary());
    let open = demo.station().editions().iter().map(|recipe| recipe.open()).sum::<u32>();
    let summary = demo.stop().unwrap_or_else(|error| panic!("{error}"));

    assert_eq!((summary.answers, summary.records), (summary.triggers, summary.triggers), "{summary:?}");
    // A picture that this machine was late with says nothing of the change; everything else would.
    let late = |record: &&Record| record.reason_code == Cause::FrameLost.code();
    let late_pictures = records.iter().filter(late).count() as u64;
    let missed = records.iter().filter(|record| record.reason_code >= 100);
    let missed: Vec<_> = missed.map(|record| (record.part_id, &record.reasons, record.timings_us)).collect();
    assert_eq!(
        (summary.missed - late_pictures, summary.misrouted, open),
        (0, 0, 0),
        "{missed:?} {summary:?}"
    );
    assert!(late_pictures <= 2, "{missed:?} {summary:?}");
    let mut seen = BTreeMap::new();
    for record in &records {
        let model = models.get(&record.recipe_digest).expect("the digest of a recipe with one of two models");
        let looked: Vec<&String> = record.models.iter().map(|model| &model.digest).collect();
        assert_eq!(looked, [model], "part {} was judged by its edition's model alone", record.part_id);
        *seen.entry((record.recipe.to_string(), model.clone())).or_insert(0) += 1;
    }
    assert!(changes >= 4 && seen.len() >= 3, "{changes} changes, parts by recipe and model: {seen:?}");
    eprintln!("{changes} changeovers over {} parts, {late_pictures} late pictures: {seen:?}", records.len());
}
