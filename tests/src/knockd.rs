//! Whether a daemon does what knockd 0.8 does: a model of it, traces of packets, and rigs where real daemons
//! see the same packets side by side.

pub mod address;
pub mod daemon;
pub mod dialect;
pub mod directory;
pub mod forecast;
pub mod history;
pub mod model;
pub mod one_time;
pub mod outcome;
pub mod packet;
mod play;
pub mod rehearsal;
pub mod rig;
pub mod sentinel;
pub mod sequence;
pub mod shell;
pub mod steps;
pub mod trace;
pub mod virtual_time;
