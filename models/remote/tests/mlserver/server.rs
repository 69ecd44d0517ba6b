//! An MLServer of its own for a test: a process with a folder of models, killed, paused and resumed at will.

use plumb_remote::{Options, Remote};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

/// Python needs several seconds to load MLServer, on a busy machine many.
pub(crate) const START: Duration = Duration::from_secs(120);

/// For servers that start while we wait, on a machine that has much else to do.
pub(crate) fn patient() -> Options {
    Options { connect_within: START, look_within: Duration::from_secs(10), ..Options::default() }
}

/// A Python that has MLServer, or the test fails and says how to get one.
pub(crate) fn python() -> PathBuf {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.plumb/mlserver-venv/bin/python");
    let python = std::env::var_os("PLUMB_MLSERVER_PYTHON").map_or(ours, PathBuf::from);
    let found = python.parent().is_some_and(|bin| bin.join("mlserver").exists());
    assert!(
        found,
        "no Python with MLServer at {}; run `deploy/setup.sh --test`, or set PLUMB_MLSERVER_PYTHON to one that has \
         what deploy/test-mlserver.txt lists",
        python.display()
    );
    python
}

/// An ONNX file of this repository.
pub(crate) fn onnx(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path).canonicalize().unwrap()
}

/// A port that nothing listens on.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A place for a server: its models and its port. There is no process yet.
pub(crate) struct Site {
    folder: PathBuf,
    port: u16,
    http_port: u16,
}

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    process: Child,
    _stdin: ChildStdin,
}

impl Site {
    /// In a folder of this name among the build's own; what an earlier run left there goes.
    pub(crate) fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let site = Self { folder, port: free_port(), http_port: free_port() };
        let settings = json!({
            "host": "127.0.0.1", "grpc_port": site.port, "http_port": site.http_port, "metrics_endpoint": null,
            "parallel_workers": 0, "debug": false,
        });
        fs::write(site.folder.join("settings.json"), settings.to_string()).unwrap();
        site
    }

    /// Puts a model there, to be loaded when the server starts; `extra` as in `onnx_model.py`.
    pub(crate) fn with(self, name: &str, file: &Path, extra: Value) -> Self {
        let folder = self.folder.join(name);
        fs::create_dir(&folder).unwrap();
        let settings = json!({
            "name": name, "implementation": "onnx_model.OnnxModel",
            "parameters": { "uri": file, "version": "v7", "extra": extra },
        });
        fs::write(folder.join("model-settings.json"), settings.to_string()).unwrap();
        self
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where it speaks HTTP, which is the wrong port for us.
    pub(crate) fn http_endpoint(&self) -> String {
        format!("127.0.0.1:{}", self.http_port)
    }

    pub(crate) fn start(&self) -> Server {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mlserver");
        let log = fs::File::create(self.folder.join("log")).unwrap();
        let mut process = Command::new(python())
            .arg("-B")
            .arg(here.join("serve.py"))
            .arg(&self.folder)
            .env("PYTHONPATH", here)
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Server { _stdin: process.stdin.take().unwrap(), process }
    }

    /// A client of one of its models, once that is loaded.
    pub(crate) fn connect(&self, model: &str, options: Options) -> Remote {
        Remote::connect(&[self.endpoint()], model, options)
            .unwrap_or_else(|error| panic!("{error}\n{}", self.log()))
    }

    /// What the server said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Server {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// It stays connected and says nothing more, like one whose cable was pulled.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
