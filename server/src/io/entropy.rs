//! Randomness from the kernel.

use ring::rand::{SecureRandom, SystemRandom};

/// The kernel gave no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random bytes")]
pub struct NoEntropy;

/// `N` bytes that nobody can guess.
///
/// # Errors
/// [`NoEntropy`], which a system that has finished booting never gives.
pub fn bytes<const N: usize>() -> Result<[u8; N], NoEntropy> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// Fills `bytes` with what nobody can guess: for secrets that are made in place.
///
/// # Errors
/// [`NoEntropy`], which a system that has finished booting never gives.
pub fn fill(bytes: &mut [u8]) -> Result<(), NoEntropy> {
    #[expect(clippy::disallowed_methods, reason = "this is the module that draws randomness for all others")]
    let system = SystemRandom::new();
    system.fill(bytes).map_err(|_unspecified| NoEntropy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_differ() {
        assert_ne!(bytes::<16>().unwrap(), bytes::<16>().unwrap());
    }
}
