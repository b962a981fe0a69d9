//! HMAC-SHA256 (RFC 2104), out of which HKDF (RFC 5869) is made.

use ring::hmac::{Context, HMAC_SHA256, Key};
use zeroize::Zeroizing;

/// A derived secret. Wiped when dropped.
pub(super) type Secret<const N: usize> = Zeroizing<[u8; N]>;

/// The first `N` of the 32 bytes of HMAC-SHA256 under `key` over all `parts`, one after another.
pub(super) fn hmac<const N: usize>(key: &[u8], parts: &[&[&[u8]]]) -> Secret<N> {
    const { assert!(N <= 32, "no longer than the hash") };
    let mut context = Context::with_key(&Key::new(HMAC_SHA256, key));
    parts.iter().copied().flatten().for_each(|part| context.update(part));
    let mut secret = Zeroizing::new([0; N]);
    secret.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
    secret
}
