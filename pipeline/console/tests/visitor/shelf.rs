//! What lies on a shelf: a model that judges and one that looks on, neither of which runs here, and the calibration of a
//! camera that is not there.

#![allow(dead_code)] // each user has its part

use jiff::{SignedDuration, Timestamp};
use plumb_console::{
    Aim, CalibrationSeen, Calibrations, Guidance, ModelFile, ModelRun, ModelSeen, ModelVerified, Models,
    Refused, WrittenCalibration,
};

#[derive(Debug)]
pub(crate) struct Shelf;

/// Of the model that judges.
pub(crate) const JUDGES: &str = "6b9f2c4e8d1a3b5c7e9f0a2b4c6d8e0f1a3b5c7d9e1f2a4b6c8d0e2f4a6b8c0d";
const LOOKS_ON: &str = "c0ffee4e8d1a3b5c7e9f0a2b4c6d8e0f1a3b5c7d9e1f2a4b6c8d0e2f4a6b8c0d";

fn seen(digest: &str, name: &str, shadow_of: Option<&str>) -> ModelSeen {
    ModelSeen {
        digest: digest.to_owned(),
        name: name.to_owned(),
        family: "detector".to_owned(),
        recipe: "washer".to_owned(),
        shadow_of: shadow_of.map(str::to_owned),
        card: format!("models/{name}.toml"),
        labels: ["scratch", "dent", "burr"].map(str::to_owned).into(),
        about: vec![("licence".to_owned(), "Apache-2.0".to_owned())],
        has_reference: shadow_of.is_none(),
        runs: shadow_of.is_none().then(|| ModelRun {
            provider: "cpu".to_owned(),
            why: "asked for".to_owned(),
            asked: "auto".to_owned(),
            run_ms: 3.4,
            deadline_ms: 60,
            degraded: None,
        }),
        failed: None,
    }
}

impl Models for Shelf {
    fn named(&self) -> Result<Vec<ModelSeen>, Refused> {
        Ok(vec![seen(JUDGES, "surface", None), seen(LOOKS_ON, "surface-next", Some("surface"))])
    }

    fn inspect(&self, digest: &str) -> Result<ModelFile, Refused> {
        let facts = vec![("family.kind".to_owned(), "detector".to_owned(), "its outputs".to_owned())];
        Ok(ModelFile {
            file: format!("models/{}.onnx", &digest[..8]),
            bytes: 1_234_567,
            written_by: "a test, opset 17".to_owned(),
            inputs: vec!["images: f32 [1, 3, 320, 320]".to_owned()],
            outputs: vec!["output0: f32 [1, 7, 2100]".to_owned()],
            facts,
            notes: vec![],
        })
    }

    fn verify(&self, _: &str) -> Result<ModelVerified, Refused> {
        Err(Refused("nothing runs on a shelf".to_owned()))
    }

    fn bench(&self, _: &str) -> Result<String, Refused> {
        Err(Refused("nothing runs on a shelf".to_owned()))
    }
}

impl Calibrations for Shelf {
    fn cameras(&self) -> Vec<CalibrationSeen> {
        let now = Timestamp::now();
        let calibrated = CalibrationSeen {
            camera: "top".to_owned(),
            file: Some("top.toml".to_owned()),
            digest: JUDGES.to_owned(),
            made_at: Some(now - SignedDuration::from_hours(24 * 350)),
            expires_at: Some(now + SignedDuration::from_hours(24 * 15)),
            size_px: [1280, 960],
            lens: Some((0.182, 24)),
            plane: Some(([0.051_23, 0.051_31], [0.001, 0.0012])),
            ..CalibrationSeen::default()
        };
        vec![calibrated, CalibrationSeen { camera: "side".to_owned(), ..CalibrationSeen::default() }]
    }

    fn begin(&self, aim: Aim) -> Result<(), Refused> {
        Err(Refused(format!("camera \"{}\" lies on a shelf", aim.camera)))
    }

    fn look(&self) -> Result<Guidance, Refused> {
        Err(Refused("nobody is guided".to_owned()))
    }

    fn write(&self) -> Result<WrittenCalibration, Refused> {
        Err(Refused("nobody is guided".to_owned()))
    }

    fn give_up(&self) {}
}
