//! The shell of the server: what reads, writes and asks the system on behalf of the engine.

pub mod addresses;
pub mod audit;
pub mod capture;
pub mod cli;
pub mod clients;
pub mod config;
pub mod conntrack;
pub mod control;
pub mod files;
pub mod guard;
pub mod io;
pub mod journal;
pub mod keeper;
pub mod knockd_log;
pub mod listener;
mod netlink;
pub mod nft;
pub mod one_time;
pub mod server_key;
mod services;
