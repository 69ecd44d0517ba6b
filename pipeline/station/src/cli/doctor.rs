//! `plumb doctor`: looks at this machine and says what is missing and which package brings it. Changes nothing.

mod machine;

use super::{Exit, fail, print, say};
use crate::{
    config::{self, Plan},
    edition::LoadedRecipe,
    loading::{Loader, Pace},
};
use plumb_capture::SourceConfig;
use plumb_inference::Runtime;
use plumb_inspection::Edition;
use plumb_plc::{PlcConfig, Role};
use serde::Serialize;
use serde_json::json;
use std::{
    net::{TcpStream, ToSocketAddrs},
    path::{Path, PathBuf},
    time::Duration,
};

/// Arguments of `plumb doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct Doctor {
    /// A station's config: its PLC, data folder and model library are looked at too.
    file: Option<PathBuf>,
    /// One JSON document on stdout, schema plumb.doctor/1.
    #[arg(long)]
    json: bool,
}

/// How serious.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Grade {
    Ok,
    Warn,
    Bad,
}

/// One thing looked at.
#[derive(Clone, Debug, Serialize)]
struct Look {
    grade: Grade,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    do_this: Option<String>,
}

fn ok(what: impl Into<String>) -> Look {
    Look { grade: Grade::Ok, what: what.into(), do_this: None }
}

fn warn(what: impl Into<String>, do_this: impl Into<String>) -> Look {
    Look { grade: Grade::Warn, what: what.into(), do_this: Some(do_this.into()) }
}

fn bad(what: impl Into<String>, do_this: impl Into<String>) -> Look {
    Look { grade: Grade::Bad, what: what.into(), do_this: Some(do_this.into()) }
}

impl Doctor {
    pub(super) fn run(self) -> Exit {
        let plan = match self.file.as_deref().map(config::read).transpose() {
            Ok(plan) => plan,
            Err(problems) => return fail(Exit::Config, format!("the config has problems\n{problems}")),
        };
        let mut looks = gstreamer();
        looks.extend(onnx_runtime(plan.as_ref().and_then(|plan| plan.infer.library.as_deref())));
        looks.extend(plan.as_ref().into_iter().flat_map(models));
        looks.push(clock());
        looks.extend(machine::machine(Path::new("/"), &plan.as_ref().map(needs).unwrap_or_default()));
        looks.push(disk(plan.as_ref().map_or(Path::new("."), |plan| plan.station.data.as_path())));
        if let Some(look) = plan.as_ref().and_then(|plan| plc(&plan.plc)) {
            looks.push(look);
        }
        let worst = looks.iter().map(|look| look.grade).max().unwrap_or(Grade::Ok);
        if self.json {
            let document = json!({ "schema": "plumb.doctor/1", "ok": worst != Grade::Bad, "looks": looks });
            print(format!("{document:#}\n").as_bytes());
        } else {
            for Look { grade, what, do_this } in &looks {
                let word = match grade {
                    Grade::Ok => "ok  ",
                    Grade::Warn => "warn",
                    Grade::Bad => "BAD ",
                };
                say(&format!("  {word} {what}"));
                if let Some(do_this) = do_this {
                    say(&format!("       -> {do_this}"));
                }
            }
        }
        if worst == Grade::Bad { Exit::Finding } else { Exit::Ok }
    }
}

/// What the station's config asks of the machine.
fn needs(plan: &Plan) -> machine::Needs {
    let mut ports = vec![plan.station.listen.port()];
    ports.extend(plan.opcua.as_ref().map(|opcua| opcua.listen.port()));
    if let PlcConfig::EthernetIp(_) = &plan.plc {
        ports.extend([44_818, 2_222]); // explicit messages, I/O data
    }
    let gige = plan.cameras.iter().any(|camera| matches!(camera.source, SourceConfig::Gige(_)));
    machine::Needs { gige, ports }
}

fn gstreamer() -> Vec<Look> {
    let Some(version) = plumb_capture::gstreamer_version() else {
        return vec![bad("GStreamer cannot be started", "sudo apt install gstreamer1.0-plugins-base")];
    };
    let (there, missing): (Vec<_>, Vec<_>) =
        plumb_capture::doctor_elements().into_iter().partition(|check| check.present);
    let names = there.iter().map(|check| check.element).collect::<Vec<_>>().join(", ");
    let mut looks = vec![ok(format!("{version} (elements: {names})"))];
    looks.extend(missing.into_iter().map(|check| {
        bad(
            format!("GStreamer element {} is missing: {}", check.element, check.wanted_for),
            format!("sudo apt install {}", check.package),
        )
    }));
    looks
}

fn onnx_runtime(library: Option<&Path>) -> Vec<Look> {
    match Runtime::load(library) {
        Ok(runtime) => {
            let providers = runtime.providers();
            let what = format!(
                "ONNX Runtime {} at {} (providers: {})",
                runtime.version(),
                runtime.path().display(),
                providers.join(", ")
            );
            let mut looks = vec![ok(what)];
            if !providers.iter().any(|provider| provider.contains("CUDA")) {
                looks.push(warn(
                    "no GPU provider in this library; models run on the processor",
                    "fine for small models; plumb run measures each model against its deadline",
                ));
            }
            looks
        }
        Err(error) => vec![bad(error.to_string(), "run `make setup`, or set `library` in [infer]")],
    }
}

/// Every recipe's models, opened and run as the station would: what was asked for, what was tried, what it got.
fn models(plan: &Plan) -> Vec<Look> {
    let Ok(runtime) = Runtime::load(plan.infer.library.as_deref()) else {
        return Vec::new(); // told already
    };
    let mut loader = Loader::new(runtime, plan.infer.clone());
    let mut looks = Vec::new();
    for (edition, recipe) in (1..).map(Edition).zip(plan.recipes.values()) {
        match loader.load(edition, recipe.clone(), Pace::Alone, &|_| ()) {
            Ok(loaded) => looks.extend(recipe_looks(&loaded.recipe)),
            Err(error) => looks.push(bad(
                format!("recipe \"{}\": {error}", recipe.name),
                "mend what it names; the station does not start with it",
            )),
        }
    }
    looks
}

fn recipe_looks(recipe: &LoadedRecipe) -> Vec<Look> {
    let name = &recipe.plan.name;
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let shadows = recipe.shadows.iter().filter_map(|shadow| shadow.model.as_ref().ok());
    let mut looks: Vec<Look> = recipe.judging().chain(shadows).map(|model| {
        let info = &model.info;
        let tried = info.tried.iter().filter(|tried| !info.why.contains(&tried.reason)).map(|tried| format!("; not {}: {}", tried.device, tried.reason));
        let what = format!(
            "recipe \"{name}\", model \"{}\" ({}): asked for {}, runs on {}, because: {}{}; {:.1} ms a run, the answer is due in {:.0} ms",
            info.name, info.variant, model.asked, info.provider, info.why, tried.collect::<String>(),
            ms(model.run), ms(recipe.plan.deadline),
        );
        match &model.degraded {
            None => ok(what),
            Some(says) => warn(format!("{what}; {says}"), "mend the device, or ask for another in the recipe"),
        }
    }).collect();
    looks.extend(recipe.shadows.iter().filter_map(|shadow| shadow.model.as_ref().err()).map(|says| {
        warn(
            format!("recipe \"{name}\", shadow: {says}"),
            "it does not look on; the recipe judges without it",
        )
    }));
    looks
}

/// Without a synchronised clock, records of two stations cannot be laid side by side.
fn clock() -> Look {
    match crate::clock::is_synchronised() {
        Some(true) => ok("clock is synchronised"),
        Some(false) => warn(
            "clock is not synchronised; times in records drift",
            "sudo apt install systemd-timesyncd, or point chrony at the plant's server",
        ),
        None => warn(
            "whether the clock is synchronised is not known: timedatectl does not answer",
            "in a container, check it on the host",
        ),
    }
}

fn disk(folder: &Path) -> Look {
    // The data folder may not have been made yet; then its parent tells.
    let Some(there) = folder.ancestors().find(|folder| folder.exists() || folder.as_os_str().is_empty())
    else {
        return bad(format!("{} does not exist", folder.display()), "correct `data` in [station]");
    };
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    match rustix::fs::statvfs(there) {
        Ok(volume) => {
            let free_gb = (volume.f_bavail * volume.f_frsize) as f64 / 1e9;
            let what = format!("disk: {free_gb:.1} GB free at {}", there.display());
            if free_gb < 1.0 { bad(what, "make room, or move `data` in [station]") } else { ok(what) }
        }
        Err(error) => bad(format!("{}: {error}", there.display()), "correct `data` in [station]"),
    }
}

fn plc(plc: &PlcConfig) -> Option<Look> {
    let PlcConfig::ModbusTcp(modbus) = plc else { return None };
    if modbus.role == Role::Server {
        return Some(ok(format!("PLC: the station listens on {} for it", modbus.address)));
    }
    let address = modbus.address.to_string();
    let reached = address.to_socket_addrs().map_err(|error| error.to_string()).and_then(|mut addresses| {
        let address = addresses.next().ok_or_else(|| "no such host".to_owned())?;
        TcpStream::connect_timeout(&address, Duration::from_secs(1)).map_err(|error| error.to_string())
    });
    Some(match reached {
        Ok(_) => ok(format!("PLC: {address} takes connections")),
        Err(error) => bad(
            format!("PLC {address}: {error}"),
            "check cable, address and that Modbus TCP is enabled in the PLC",
        ),
    })
}
