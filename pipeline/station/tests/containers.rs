//! Container files as far as they can be looked at without an engine: parsed, their paths there, their script run.

mod workshop;

use serde::Deserialize;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use workshop::{
    RECIPE, Workshop,
    prometheus::{self, deploy, promtool},
};

/// Every document of a YAML file.
fn documents(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let parts = text.split("\n---\n");
    parts
        .map(|part| {
            serde_saphyr::from_str(part).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
        })
        .collect()
}

fn words(value: &Value) -> Vec<String> {
    Vec::deserialize(value).unwrap_or_else(|error| panic!("{value}: {error}"))
}

#[test]
fn compose_brings_up_a_station_with_prometheus_and_grafana_on_the_loopback_address() {
    let folder = deploy().join("docker");
    let compose = documents(&folder.join("compose.yml")).remove(0);
    let services = compose["services"].as_object().expect("services");
    assert_eq!(services.keys().collect::<Vec<_>>(), ["grafana", "prometheus", "station"]);
    for (name, service) in services {
        for port in words(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name} opens {port} to the plant's network");
        }
        for volume in words(&service["volumes"]) {
            let (from, _) = volume.split_once(':').expect("from:to");
            // ./station is the reader's own; the others come with these sources.
            if from.starts_with('.') && from != "./station" {
                assert!(folder.join(from).exists(), "{name} mounts {from}, which is not there");
            } else if !from.starts_with('.') {
                assert!(
                    compose["volumes"].get(from).is_some(),
                    "{name} uses volume {from}, which is not declared"
                );
            }
        }
        let image = service["image"].as_str().expect("an image");
        assert!(image.contains(':') && !image.ends_with(":latest"), "{name}: {image} is not pinned");
    }
    let station = &services["station"];
    let dockerfile = station["build"]["dockerfile"].as_str().expect("a Dockerfile");
    let context = station["build"]["context"].as_str().expect("a context");
    assert!(folder.join(context).join(dockerfile).exists());
    assert_eq!(
        (&station["read_only"], words(&station["cap_drop"])),
        (&Value::Bool(true), vec!["ALL".to_owned()])
    );
}

#[test]
fn dockerfiles_copy_what_there_is_and_do_not_run_as_root() {
    let root = deploy().join("..");
    for name in ["Dockerfile", "Dockerfile.cuda"] {
        let text = fs::read_to_string(deploy().join("docker").join(name)).expect(name);
        let lines = text.lines().filter(|line| line.starts_with("COPY ") && !line.contains("--from="));
        for line in lines {
            let mut words: Vec<_> = line.split_whitespace().skip(1).collect();
            words.pop();
            for from in words {
                assert!(root.join(from).exists(), "{name} copies {from}, which is not there");
            }
        }
        let last = text.rsplit("\nFROM ").next().expect("a stage");
        assert!(last.contains("\nUSER plumb\n") && last.contains("\nHEALTHCHECK "), "{name}");
        assert!(
            text.lines().filter(|line| line.starts_with("FROM ")).all(|line| line.contains(':')),
            "{name}"
        );
    }
}

#[test]
fn prometheus_of_compose_has_a_sound_config() {
    if !prometheus::is_installed() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for file in ["docker/prometheus.yml", "prometheus/recording.rules.yml", "prometheus/alert.rules.yml"] {
        let from = deploy().join(file);
        fs::copy(&from, folder.path().join(from.file_name().expect("a name"))).expect(file);
    }
    assert!(promtool(&["check", "config", "prometheus.yml"], folder.path()).contains("SUCCESS"));
}

#[test]
fn the_entrypoint_says_what_is_missing_and_becomes_plumb() {
    let workshop = Workshop::new(
        "[station]\nname = \"test\"\nlisten = \"127.0.0.1:0\"\nrecipe = \"bottle\"\n\n[[camera]]\nid = \"top\"\nsource = { kind = \
         \"files\", path = \"pictures\" }\n\n[trigger]\nkind = \"api\"\n",
        RECIPE,
    );
    workshop.pictures(&[true]);
    let start = |arguments: &[&str], data: PathBuf| {
        let output = Command::new(deploy().join("docker/entrypoint.sh"))
            .args(arguments)
            .env("PLUMB", env!("CARGO_BIN_EXE_plumb"))
            .env("PLUMB_DATA_FOLDER", data)
            .output()
            .expect("it runs");
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), said)
    };
    let file = workshop.path("station.toml");
    let file = file.to_str().expect("a path");
    let (code, said) = start(&["run", "/nowhere/station.toml"], workshop.path(""));
    assert!(
        code == Some(3) && said.contains("/nowhere/station.toml cannot be read; mount"),
        "{code:?} {said}"
    );
    let (code, said) = start(&["run", file], workshop.path("not-there"));
    assert!(code == Some(4) && said.contains("mount a volume there"), "{code:?} {said}");
    let (code, said) = start(&["--version"], workshop.path("not-there"));
    assert!(code == Some(0) && said.starts_with("plumb "), "{code:?} {said}");
    let (code, said) = start(&["run", file, "--seconds", "1"], workshop.path(""));
    assert!(code == Some(0) && said.contains("0 triggers, 0 answers, 0 records"), "{code:?} {said}");
    workshop.write("station.toml", "[station]\nname = 7\n");
    let (code, said) = start(&["run", file], workshop.path(""));
    assert!(code == Some(3) && said.contains("station.toml:"), "{code:?} {said}");
}

#[test]
fn kubernetes_runs_one_station_a_folder_asks_readyz_and_gives_it_no_rights() {
    let all = documents(&deploy().join("kubernetes/station.yaml"));
    for document in &all {
        assert!(document["apiVersion"].is_string() && document["metadata"]["name"].is_string(), "{document}");
    }
    let kinds: Vec<_> = all.iter().filter_map(|document| document["kind"].as_str()).collect();
    assert_eq!(kinds, ["StatefulSet", "PriorityClass", "Service"]);
    let (set, class, service) = (&all[0], &all[1], &all[2]);
    assert_eq!(set["spec"]["replicas"], 1, "two stations must not write one folder");
    let pod = &set["spec"]["template"];
    assert_eq!(set["spec"]["selector"]["matchLabels"], pod["metadata"]["labels"]);
    assert_eq!(service["spec"]["selector"], pod["metadata"]["labels"]);
    assert_eq!(set["spec"]["serviceName"], service["metadata"]["name"]);
    assert_eq!(pod["spec"]["priorityClassName"], class["metadata"]["name"]);
    let station = &pod["spec"]["containers"][0];
    let path = |probe: &str| station[probe]["httpGet"]["path"].as_str();
    assert_eq!(path("readinessProbe"), Some("/readyz"));
    assert_eq!(path("livenessProbe"), Some("/healthz"), "a station that waits for a camera is not restarted");
    assert_eq!(
        station["resources"]["requests"]["cpu"], station["resources"]["limits"]["cpu"],
        "cores of its own"
    );
    assert_eq!(station["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(words(&station["securityContext"]["capabilities"]["drop"]), ["ALL"]);
    let named = |list: &Value| -> Vec<String> {
        let list = list.as_array().expect("a list");
        list.iter()
            .map(|one| one["name"].as_str().or(one["metadata"]["name"].as_str()).expect("a name").to_owned())
            .collect()
    };
    let mut there = named(&pod["spec"]["volumes"]);
    there.extend(named(&set["spec"]["volumeClaimTemplates"]));
    for mount in named(&station["volumeMounts"]) {
        assert!(there.contains(&mount), "{mount} is mounted and not declared");
    }
    let grace = pod["spec"]["terminationGracePeriodSeconds"].as_u64();
    assert!(grace.is_some_and(|seconds| seconds >= 10), "the last part is answered");
}
