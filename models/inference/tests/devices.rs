//! Where a model runs: on what was asked for, or with the reason why not; and what happens when a device fails.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "clippy knows tests by their attribute, not by their folder"
)]

mod given;

use given::{assert_alike, card, drawn, every_card, load, noise, on_cpu, plain, prepared, runtime};
use plumb_inference::{
    Card, Device, DeviceFault, LoadOptions, Model, ModelError, Normalise, OpenVino, Runtime,
};
use plumb_inspection::{Cause, Element, Layout};
use std::path::{Path, PathBuf};

fn on(card: &Card, device: Device) -> Result<Model, ModelError> {
    Model::load(&runtime(), card, &LoadOptions { device, ..LoadOptions::default() })
}

fn has(runtime: &Runtime, provider: &str) -> bool {
    runtime.providers().iter().any(|name| name.starts_with(provider))
}

#[test]
fn a_device_asked_for_by_name_is_never_quietly_the_processor() {
    let runtime = runtime();
    let devices = [
        (Device::Cuda(0), "CUDA"),
        (Device::TensorRt(0), "Tensorrt"),
        (Device::OpenVino(OpenVino::Cpu), "OpenVINO"),
        (Device::OpenVino(OpenVino::Gpu), "OpenVINO"),
    ];
    for (device, provider) in devices {
        if has(&runtime, provider) {
            println!("{provider} is in this library; left out");
            continue;
        }
        let error = on(&card("classifier"), device.clone()).unwrap_err();
        assert!(matches!(&error, ModelError::Device { device: of, .. } if *of == device), "{error}");
        assert_eq!(error.cause(), Cause::Device);
        let says = error.to_string();
        assert!(says.contains(&format!("cannot run on {device}: this ONNX Runtime")), "{says}");
        assert!(says.contains(&format!("has no {provider} provider, it has")), "{says}");
    }
}

#[test]
fn auto_says_what_it_tried_what_it_took_and_why() {
    if has(&runtime(), "CUDA") {
        println!("skipped: this ONNX Runtime has CUDA");
        return;
    }
    let plain = on(&card("classifier"), Device::Auto).unwrap();
    assert_eq!(plain.info().provider, "cpu");
    let tried = |model: &Model| -> Vec<String> {
        model.info().tried.iter().map(|tried| tried.device.to_string()).collect()
    };
    assert_eq!(tried(&plain), ["cuda:0"]);
    assert!(plain.info().why.starts_with("cuda:0 was not taken: this ONNX Runtime"), "{}", plain.info().why);

    let recommends = |device| Card { device: Some(device), ..card("classifier") };
    let cpu = on(&recommends(Device::Cpu), Device::Auto).unwrap();
    assert_eq!((tried(&cpu), &*cpu.info().why), (vec![], "its card says that it runs best there"));
    let npu = on(&recommends(Device::OpenVino(OpenVino::Npu)), Device::Auto).unwrap();
    assert_eq!((tried(&npu), &*npu.info().provider), (vec!["openvino:NPU".into(), "cuda:0".into()], "cpu"));
    // A wish by name is not advice: what the card recommends does not count then.
    let asked = on(&recommends(Device::OpenVino(OpenVino::Npu)), Device::Cpu).unwrap();
    assert_eq!((tried(&asked), &*asked.info().why), (vec![], "asked for"));
}

#[test]
fn what_is_wrong_with_a_card_is_not_put_down_to_a_device() {
    let mut card = card("classifier");
    card.labels.pop();
    card.device = Some(Device::Cpu);
    assert!(matches!(on(&card, Device::Auto), Err(ModelError::Labels { .. })));
    card.device = None;
    assert!(matches!(on(&card, Device::Auto), Err(ModelError::Labels { .. })));
}

#[test]
fn the_library_says_who_runs_which_nodes() {
    let nodes = &load(&card("segmenter-classes")).unwrap().info().nodes.clone();
    assert_eq!(nodes.keys().map(String::as_str).collect::<Vec<_>>(), ["CPU"]);
    assert!(nodes["CPU"] >= 2, "{nodes:?}");
}

/// A real one: it asks for some 40 TB when a pixel is brighter than any picture's.
#[test]
fn a_device_without_memory_costs_one_picture_and_says_so() {
    let mut model = load(&card("classifier-hungry")).unwrap();
    let spec = model.info().input.clone();
    let (dim, bright) =
        (drawn(&spec, plain(&spec), |_, _| [0.5; 3]), drawn(&spec, plain(&spec), |_, _| [2.0; 3]));
    let before = model.examine(&dim).unwrap();
    let error = model.examine(&bright).unwrap_err();
    assert!(
        matches!(&error, ModelError::DeviceFailed { device, fault: DeviceFault::OutOfMemory, .. } if device == "cpu"),
        "{error}"
    );
    assert_eq!((error.cause(), error.lasts()), (Cause::Device, false));
    let says = error.to_string();
    assert!(
        says.starts_with("model \"classifier-hungry\" failed on cpu, which has no memory left for it: "),
        "{says}"
    );
    assert_alike(&model.examine(&dim).unwrap(), &before, 0.0, "after the failure");
}

/// What a graphics card is given, on the processor: bytes in, and the graph does the arithmetic.
#[test]
fn normalisation_in_the_graph_gives_what_normalisation_on_the_host_gives() {
    let mut compared = 0;
    for card in every_card() {
        for (scale, mean, std) in [
            (1.0 / 255.0, vec![], vec![]),
            (1.0 / 255.0, vec![0.485, 0.456, 0.406], vec![0.229, 0.224, 0.225]),
            (1.0, vec![127.5], vec![128.0]),
        ] {
            let mut card = card.clone();
            let channels = card.input.channels();
            let few = |values: Vec<f32>| values.into_iter().take(channels).collect();
            (card.input.scale, card.input.mean, card.input.std) = (scale, few(mean), few(std));
            let mut host = load(&card).unwrap();
            let options = LoadOptions { normalise: Normalise::InGraph, ..on_cpu() };
            let mut graph =
                Model::load(&runtime(), &card, &options).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(graph.info().input.element, Element::U8, "{}", card.name);
            if card.input.element != Element::U8 {
                assert_eq!(graph.info().input.layout, Layout::Nhwc, "{}", card.name);
            }
            for seed in 0..3 {
                let level = noise(seed);
                let byte = |x, y| level(x, y).map(|v| (v * 255.0).round() as u8);
                let on_host = host.examine(&prepared(&host.info().input.clone(), byte));
                let in_graph = graph.examine(&prepared(&graph.info().input.clone(), byte));
                match (on_host, in_graph) {
                    (Ok(a), Ok(b)) => {
                        assert_alike(&a, &b, tolerance(&card, &a), &format!("{} {seed}", card.name));
                        compared += 1;
                    }
                    (a, b) => assert_eq!(a.is_ok(), b.is_ok(), "{}: {a:?} {b:?}", card.name),
                }
            }
        }
    }
    assert!(compared >= 100, "{compared}");
}

/// 1e-5 of the largest number there is; half precision has three digits.
fn tolerance(card: &Card, findings: &plumb_inspection::Findings) -> f32 {
    let largest = findings.scores.iter().map(|(_, _, score)| score.get().abs()).fold(1.0, f32::max);
    largest * if card.input.element == Element::F16 { 1e-2 } else { 1e-5 }
}

// --- OpenVINO: another build of the library, and a process has one; so each test runs again in a process of its own ----

const IN_CHILD: &str = "PLUMB_TEST_OPENVINO";

/// The folder that `deploy/setup.sh --openvino` makes; `None` where there is no such library for this processor.
fn openvino_folder() -> Option<PathBuf> {
    if !cfg!(target_arch = "x86_64") {
        println!("skipped: OpenVINO's library comes for x86-64 alone");
        return None;
    }
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|dir| dir.join(".plumb/lib/openvino"));
    let found = above.into_iter().find(|folder| folder.is_dir());
    Some(found.expect("run `deploy/setup.sh --test`, which brings OpenVINO's library"))
}

/// Runs `test` in a process that loads OpenVINO's library; gives true in that process.
fn with_openvino(test: &str) -> bool {
    if std::env::var_os(IN_CHILD).is_some() {
        return true;
    }
    let Some(folder) = openvino_folder() else { return false };
    let ended = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("PLUMB_ORT_LIB", folder)
        .env(IN_CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
    assert!(
        ended.status.success() && said.contains("1 passed"),
        "{test} in a process with OpenVINO:\n{said}"
    );
    false
}

#[test]
fn openvino_finds_what_the_processor_finds() {
    if !with_openvino("openvino_finds_what_the_processor_finds") {
        return;
    }
    for card in every_card() {
        let mut cpu = load(&card).unwrap_or_else(|error| panic!("{error}"));
        let mut openvino = match on(&card, Device::OpenVino(OpenVino::Cpu)) {
            Ok(model) => model,
            Err(error) => {
                // It has operators that OpenVINO has not.
                assert_eq!(card.name.as_str(), "classifier-hungry", "{error}");
                assert!(error.to_string().contains("it cannot run all nodes of the graph"), "{error}");
                continue;
            }
        };
        let info = openvino.info().clone();
        assert_eq!((&*info.provider, &*info.why), ("openvino:CPU", "asked for"));
        assert_eq!(info.nodes.keys().map(String::as_str).collect::<Vec<_>>(), ["OpenVINO"], "{}", card.name);
        for seed in 0..5 {
            let tensor = drawn(&info.input, plain(&info.input), noise(seed));
            let (a, b) = (cpu.examine(&tensor).unwrap(), openvino.examine(&tensor).unwrap());
            assert_alike(&a, &b, tolerance(&card, &a) * 10.0, &format!("{} {seed}", card.name));
        }
    }
}

#[test]
fn a_unit_that_this_machine_has_not_is_refused_and_auto_goes_on() {
    if !with_openvino("a_unit_that_this_machine_has_not_is_refused_and_auto_goes_on") {
        return;
    }
    for unit in [OpenVino::Npu, OpenVino::Gpu] {
        if Path::new("/dev/accel").exists() || Path::new("/dev/dri").exists() {
            println!("left out: this machine may have an {unit:?}");
            continue;
        }
        let device = Device::OpenVino(unit);
        let error = on(&card("classifier"), device.clone()).unwrap_err();
        println!("{error}");
        assert!(matches!(&error, ModelError::Device { device: of, .. } if *of == device), "{error}");
        let auto = on(&Card { device: Some(device.clone()), ..card("classifier") }, Device::Auto).unwrap();
        assert_eq!(auto.info().provider, "cpu");
        assert_eq!(auto.info().tried[0].device, device);
    }
    let error = on(&card("classifier"), Device::Cuda(0)).unwrap_err();
    assert!(error.to_string().contains("has no CUDA provider"), "{error}");
    let card = Card { device: Some(Device::OpenVino(OpenVino::Cpu)), ..card("classifier") };
    let auto = on(&card, Device::Auto).unwrap();
    assert_eq!(auto.info().provider, "openvino:CPU");
    assert_eq!(auto.info().why, "its card says that it runs best there");
}
