//! `plumb`: see `plumb --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    plumb_station::cli::main()
}
