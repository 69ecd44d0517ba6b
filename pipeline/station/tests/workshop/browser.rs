//! The browser that tests of the console drive.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Node.js with Playwright, and the Chromium it is to start; or a word of what is not there.
pub(crate) fn browser() -> Option<(Command, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.plumb/node/node_modules");
    let modules = std::env::var_os("PLUMB_TEST_NODE").map_or(root, PathBuf::from);
    let chrome = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let chrome = chrome.into_iter().map(PathBuf::from).find(|path| path.exists());
    let (true, Some(chrome)) = (modules.join("playwright-core").is_dir(), chrome) else {
        eprintln!(
            "skipped: no Chromium in /usr/bin, or no playwright-core in {}; run `deploy/setup.sh --test`",
            modules.display()
        );
        return None;
    };
    let mut node = Command::new("node");
    node.env("NODE_PATH", modules);
    Some((node, chrome))
}
