//! A real Prometheus, and its promtool.

use serde_json::Value;
use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Where the rules, the dashboard and the runbooks lie.
pub(crate) fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").canonicalize().expect("deploy")
}

/// True if both are installed; says so where they are not.
pub(crate) fn is_installed() -> bool {
    let there = ["promtool", "prometheus"].iter().all(|program| {
        Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
    });
    if !there {
        eprintln!("skipped: prometheus and promtool are not installed; run deploy/setup.sh --test");
    }
    there
}

/// Runs promtool and gives what it said; fails where it finds fault.
pub(crate) fn promtool(arguments: &[&str], folder: &Path) -> String {
    let output =
        Command::new("promtool").args(arguments).current_dir(folder).output().expect("promtool starts");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {arguments:?} says:\n{said}");
    said
}

/// A running server.
pub(crate) struct Prometheus {
    child: Child,
    address: String,
}

impl Prometheus {
    /// With `config` of `folder`; runbooks are served at `/user`.
    pub(crate) fn start(folder: &Path, config: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its number");
        let address = format!("127.0.0.1:{}", free.port());
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", folder.join(config).display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg(format!("--web.user-assets={}", deploy().join("docs").display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus starts");
        Self { child, address }
    }

    /// What it answers to a GET; `None` while it does not listen yet.
    pub(crate) fn get(&self, path: &str) -> Option<(u16, String)> {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(10)))
            .build();
        let mut answer =
            ureq::Agent::new_with_config(config).get(format!("http://{}{path}", self.address)).call().ok()?;
        Some((answer.status().as_u16(), answer.body_mut().read_to_string().ok()?))
    }

    /// The samples of `query` now.
    ///
    /// # Errors
    /// What is wrong with the query, or that it cannot be asked yet.
    pub(crate) fn query(&self, query: &str) -> Result<Vec<Value>, String> {
        let mut request =
            ureq::Agent::new_with_config(ureq::Agent::config_builder().http_status_as_error(false).build())
                .get(format!("http://{}/api/v1/query", self.address))
                .query("query", query)
                .call()
                .map_err(|error| error.to_string())?;
        let answer: Value = request.body_mut().read_json().map_err(|error| error.to_string())?;
        match answer["data"]["result"].as_array() {
            Some(samples) => Ok(samples.clone()),
            None => Err(answer.to_string()),
        }
    }

    /// Every rule that it has loaded.
    pub(crate) fn rules(&self) -> Vec<Value> {
        let Some((_, text)) = self.get("/api/v1/rules") else { return Vec::new() };
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        let groups = answer["data"]["groups"].as_array().cloned().unwrap_or_default();
        groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default()).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
