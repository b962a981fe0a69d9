//! What attackers do to the real daemon, by who they are; `docs/threat-model.md` says which test is about which attack.
//!
//! Every test ends with the same look at the server ([`scene::attack`]): its machine has sent nothing in answer, it has
//! computed at most one key agreement for a packet of somebody who knows its key and none for anybody else, it has
//! counted every packet, and its log has one line for each reason in ten seconds at most.
//!
//! The server's clock cannot be stepped in a namespace. What a step of it brings is tested in virtual time, in
//! `server/engine/src/admit/tests/clocks.rs`.

mod disk;
mod encodings;
mod floods;
mod insiders;
mod linking;
mod on_the_path;
mod replays;
mod scene;
mod silence;
