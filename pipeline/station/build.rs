//! Stamps the build with its revision and compiler, for `plumb --version` and `plumb_build_info`.

use std::process::Command;

fn main() {
    // HEAD names a branch and stays the same from commit to commit; its log does not.
    for told_by in ["../../.git/HEAD", "../../.git/logs/HEAD"] {
        if std::path::Path::new(told_by).exists() {
            println!("cargo:rerun-if-changed={told_by}");
        }
    }
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let says = |program: &str, args: &[&str]| {
        let output =
            Command::new(program).args(args).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let revision = says("git", &["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".into());
    let version = says(&rustc, &["--version"]).unwrap_or_else(|| "unknown".into());
    println!("cargo:rustc-env=PLUMB_REVISION={revision}");
    println!("cargo:rustc-env=PLUMB_RUSTC={version}");
}
