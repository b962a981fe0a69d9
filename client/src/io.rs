//! All contact with the system: one module for each family of calls, and no decision in any of them.

pub(crate) mod clock;
pub(crate) mod descriptor;
pub(crate) mod disk;
pub(crate) mod entropy;
pub(crate) mod environment;
pub(crate) mod event_loop;
pub(crate) mod net;
pub(crate) mod process;
pub(crate) mod relay;
pub(crate) mod terminal;
pub(crate) mod tty;
