//! Models on a real inference server (MLServer): the same answers as here, or a refusal in time.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "clippy knows tests by their attribute, not by their folder"
)]

mod given;

use given::{assert_alike, card, drawn, load, noise, plain, runtime};
use plumb_inference::{Card, Device, Kserve, LoadOptions, Model, ModelError, RemoteOptions};
use plumb_inspection::{Cause, Findings, Tensor};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

const SERVED: [&str; 5] =
    ["classifier", "classifier-f16", "classifier-batch", "segmenter-classes", "detector-yolo-v8"];

/// A running MLServer with the models above. It ends when its stdin does: with this process at the latest.
struct Server {
    process: Child,
    endpoint: String,
    folder: PathBuf,
}

impl Server {
    fn start() -> Self {
        let remote = Path::new(env!("CARGO_MANIFEST_DIR")).join("../remote/tests/mlserver");
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.plumb/mlserver-venv/bin/python");
        let python = std::env::var_os("PLUMB_MLSERVER_PYTHON").map_or(ours, PathBuf::from);
        assert!(
            python.exists(),
            "no Python with MLServer at {}; run `deploy/setup.sh --test`",
            python.display()
        );
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (grpc, http) = (free(), free());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("served");
        let _ = std::fs::remove_dir_all(&folder);
        for name in SERVED {
            std::fs::create_dir_all(folder.join(name)).unwrap();
            let settings = serde_json::json!({
                "name": name, "implementation": "onnx_model.OnnxModel",
                "parameters": { "uri": card(name).file.canonicalize().unwrap(), "version": "1", "extra": {} },
            });
            std::fs::write(folder.join(name).join("model-settings.json"), settings.to_string()).unwrap();
        }
        let settings = serde_json::json!({
            "host": "127.0.0.1", "grpc_port": grpc, "http_port": http, "metrics_endpoint": null, "parallel_workers": 0,
        });
        std::fs::write(folder.join("settings.json"), settings.to_string()).unwrap();
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let process = Command::new(python)
            .arg("-B")
            .arg(remote.join("serve.py"))
            .arg(&folder)
            .env("PYTHONPATH", &remote)
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { process, endpoint: format!("127.0.0.1:{grpc}"), folder }
    }

    fn device(&self, model: &str) -> Device {
        Device::Kserve(Kserve { endpoints: vec![self.endpoint.clone()], model: model.to_owned() })
    }

    fn load(&self, card: &Card, model: &str) -> Result<Model, ModelError> {
        let options = LoadOptions {
            device: self.device(model),
            batch_max: 3,
            remote: patient(),
            ..LoadOptions::default()
        };
        Model::load(&runtime(), card, &options)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Python takes its time to load, on a busy machine much of it.
fn patient() -> RemoteOptions {
    RemoteOptions { connect_within_ms: 120_000, answer_within_ms: 60_000, ..RemoteOptions::default() }
}

fn pictures(model: &Model) -> Vec<Tensor> {
    let spec = &model.info().input;
    (0..5).map(|seed| drawn(spec, plain(spec), noise(seed))).collect()
}

fn together(model: &mut Model, tensors: &[Tensor], by: Option<Instant>) -> Vec<Result<Findings, ModelError>> {
    model.examine_batch(&tensors.iter().collect::<Vec<_>>(), by)
}

#[test]
fn a_model_on_a_server_answers_as_it_does_here_until_the_server_is_gone() {
    let mut server = Server::start();
    for name in SERVED {
        let mut there =
            server.load(&card(name), name).unwrap_or_else(|error| panic!("{error}\n{}", server.log()));
        let mut here = load(&card(name)).unwrap();
        let info = there.info();
        assert_eq!(info.provider, format!("kserve:grpc://{}/{name}", server.endpoint));
        assert_eq!(info.batch_max, if name == "classifier-batch" { 3 } else { 1 });
        let tensors = pictures(&there);
        for (i, answer) in together(&mut there, &tensors, None).iter().enumerate() {
            let expected = here.examine(&tensors[i]).unwrap();
            assert_alike(answer.as_ref().unwrap(), &expected, 1e-5, &format!("{name} {i}"));
        }
    }

    // What the server says of its model is held against the card, like a file.
    let mut fewer = card("classifier");
    fewer.labels.pop();
    assert!(matches!(server.load(&fewer, "classifier"), Err(ModelError::Labels { .. })));
    let mut larger = card("classifier");
    larger.input.width = 64;
    let says = server.load(&larger, "classifier").unwrap_err().to_string();
    assert!(says.contains("wants \"picture\" FP32 [1, 3, 32, 32] but its card says 64x32 rgb"), "{says}");

    let mut model = server.load(&card("classifier"), "classifier").unwrap();
    let mut sibling = model.sibling().unwrap();
    let tensors = pictures(&model);
    assert!(sibling.examine(&tensors[0]).is_ok());
    // A deadline that is over is no time to ask.
    let late = together(&mut model, &tensors[..2], Some(Instant::now()));
    assert_eq!(late.len(), 2);
    for error in late.into_iter().map(Result::unwrap_err) {
        assert_eq!(error.cause(), Cause::Remote, "{error}");
    }
    assert!(together(&mut model, &tensors, None).iter().all(Result::is_ok), "and the next part is judged");

    server.process.kill().unwrap();
    server.process.wait().unwrap();
    let error = model.examine(&tensors[0]).unwrap_err();
    assert!(matches!(error, ModelError::Remote { .. }) && error.cause() == Cause::Remote, "{error}");
    assert!(error.to_string().contains(&server.endpoint), "{error}");
}

#[test]
fn auto_goes_on_where_the_server_that_a_card_recommends_is_not_there() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = Kserve { endpoints: vec![format!("127.0.0.1:{port}")], model: "classifier".to_owned() };
    let card = Card { device: Some(Device::Kserve(nobody)), ..card("classifier") };
    let remote = RemoteOptions { connect_within_ms: 200, ..RemoteOptions::default() };
    let options = LoadOptions { remote, ..LoadOptions::default() };
    let model = Model::load(&runtime(), &card, &options).unwrap();
    assert!(!model.info().provider.starts_with("kserve"), "{:?}", model.info());
    assert!(model.info().tried[0].reason.contains(&format!("127.0.0.1:{port}")), "{:?}", model.info().tried);
    let asked = LoadOptions { device: card.device.clone().unwrap(), ..options };
    let error = Model::load(&runtime(), &card, &asked).unwrap_err();
    assert_eq!(error.cause(), Cause::Remote, "{error}");
}
