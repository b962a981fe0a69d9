//! The guard as the administrator sees it: what was decided of it, whether it is to stand, and what it is to hold.
//!
//! What is decided here is decided by pure functions; [`crate::nft`] has the table itself.

pub mod known;
pub mod mark;
pub mod rules;
pub mod stance;
pub mod state;
pub mod warning;
