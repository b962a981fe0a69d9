//! A listener in the hands of an attacker. The keeper is the real one, and what listens for it is this test: it has
//! the server's key, the sockets, and every packet that the client sends, and it says what it likes.
//!
//! It opens nothing but what a client has signed just now. What it can do is written in `docs/protocol.md` section 4:
//! choose the address of a packet that leaves it to its sender, and claim classic knocks.

mod claims;
mod life;
mod scene;
