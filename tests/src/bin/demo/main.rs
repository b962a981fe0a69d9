//! The demonstration: a packet opens a door, on real packets, a real firewall and a real service.
//!
//! `tests/demo` runs it where it may make network namespaces. It finds the programs beside itself. Its exit status
//! is 0 only if it has seen all that it tells.

mod acts;
mod scene;
mod story;

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::process::ExitCode;

use crate::story::Story;

fn main() -> ExitCode {
    // Whatever is not as told ends in a panic, in the lab as in the acts: the story says where.
    set_hook(Box::new(|_| ()));
    let mut story = Story::new();
    let told = catch_unwind(AssertUnwindSafe(|| acts::tell(&mut story)));
    match told {
        Ok(()) => {
            story.end();
            ExitCode::SUCCESS
        }
        Err(panic) => {
            let words = panic.downcast_ref::<String>().map(String::as_str);
            story.break_off(words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked"));
            ExitCode::FAILURE
        }
    }
}
