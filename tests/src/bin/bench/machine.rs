//! What it is measured on.

use std::fs;
use std::thread::available_parallelism;

/// The processor, the kernel and how the programs were built.
pub fn words() -> String {
    let processors = available_parallelism().map_or(1, usize::from);
    let built = if cfg!(debug_assertions) { "debug" } else { "release" };
    format!("{} × {}, Linux {}, {built} build", processors, processor(), kernel())
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| Some(line.split_once(": ")?.1.to_owned()));
    model.unwrap_or_else(|| "processor of an unknown kind".into())
}

fn kernel() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}
