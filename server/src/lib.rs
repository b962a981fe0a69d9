//! The shell of the server: what reads, writes and asks the system on behalf of the engine.

pub mod cli;
pub mod clients;
pub mod config;
pub mod files;
pub mod io;
mod netlink;
pub mod nft;
pub mod server_key;
