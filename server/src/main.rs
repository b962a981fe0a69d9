//! The server's program: `knock_spad::cli` with the process's own arguments.

use std::process::ExitCode;

fn main() -> ExitCode {
    knock_spad::cli::run(std::env::args_os())
}
