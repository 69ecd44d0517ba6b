//! Asks which OpenCV this is: from 4.7 on marker detection is in `objdetect`, and its types are other ones.

use std::process::Command;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(markers_in_objdetect)");
    println!("cargo::rerun-if-env-changed=PKG_CONFIG_PATH");
    println!("cargo::rerun-if-changed=build.rs");
    // Where pkg-config does not answer, the opencv crate has told so already.
    let Ok(output) = Command::new("pkg-config").args(["--modversion", "opencv4"]).output() else { return };
    let version = String::from_utf8_lossy(&output.stdout);
    let mut numbers = version.trim().split('.').map_while(|number| number.parse::<u32>().ok());
    if (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (4, 7) {
        println!("cargo::rustc-cfg=markers_in_objdetect");
    }
}
