//! Every camera kind has an example in `deploy/examples/camera`, and every example is what it says.

use plumb_capture::{SourceConfig, WatchConfig};
use serde::Deserialize;
use std::{collections::BTreeSet, path::Path};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    camera: Vec<Camera>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Camera {
    #[allow(dead_code)]
    id: String,
    source: SourceConfig,
    #[serde(default)]
    #[allow(dead_code)]
    watch: WatchConfig,
}

#[test]
fn every_kind_of_camera_has_an_example_that_reads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples/camera");
    let mut kinds = BTreeSet::new();
    for entry in std::fs::read_dir(&folder).expect("the examples are part of the repository") {
        let path = entry.expect("readable").path();
        let text = std::fs::read_to_string(&path).expect("readable");
        let example: Example =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let [camera] = &example.camera[..] else { panic!("{} shows one camera", path.display()) };
        assert_eq!(
            path.file_stem().expect("named"),
            camera.source.kind(),
            "{} is named after its kind",
            path.display()
        );
        kinds.insert(camera.source.kind());
    }
    assert_eq!(kinds, BTreeSet::from(["files", "v4l2", "rtsp", "gige", "pipeline", "line"]));
}

#[test]
fn a_misspelt_key_is_named_and_not_ignored() {
    for source in [
        "kind = 'files'\npath = 'x'\nlop = true",
        "kind = 'v4l2'\ndevise = 'x'",
        "kind = 'rtsp'\nurl = 'x'\npassword = 'secret'",
        "kind = 'gige'\nexposure = 5",
        "kind = 'pipeline'\nlaunch = 'x'\nsink = 'y'",
        "kind = 'line'\nspeed = 5",
    ] {
        let error = toml::from_str::<SourceConfig>(source).expect_err(source).to_string();
        assert!(error.contains("unknown field"), "{error}");
    }
}

#[test]
fn a_config_reads_back_as_it_was_written() {
    for source in [
        "kind = 'files'\npath = 'x'\npace = { fps = 25 }\nloop = true",
        "kind = 'v4l2'\nformat = 'bayer_gbrg'",
        "kind = 'rtsp'\nurl = 'rtsp://x'\ntransport = 'udp'",
        "kind = 'gige'\ntrigger = { hardware = { source = 'Line3', activation = 'LevelLow' } }",
    ] {
        let config: SourceConfig = toml::from_str(source).expect(source);
        let again = toml::to_string(&config).expect("plain data");
        assert_eq!(toml::from_str::<SourceConfig>(&again).expect(&again), config);
    }
}
