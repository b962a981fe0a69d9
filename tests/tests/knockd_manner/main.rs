//! What knock-spad does as knockd and knockd does not: the real daemon under knockd's name, with real packets, real
//! commands and a file system of its own where it keeps anything. `docs/knockd-compat.md` names these tests.

mod additions;
mod client;
mod closing;
mod commands;
mod daemon;
mod instances;
mod interfaces;
mod links;
mod one_time;
mod reload;
mod rights;
mod scene;
mod spa;
mod stopping;
