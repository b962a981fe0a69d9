//! Randomness, from the operating system.

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::failure::{Failure, Status};

/// `N` random bytes, fit for keys.
#[expect(clippy::disallowed_methods, reason = "this module is where randomness is drawn")]
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(Failure::new(Status::Os, "the operating system gives no randomness")),
    }
}
