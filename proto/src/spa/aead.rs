//! The two authenticated ciphers, over arrays: a length that is wrong does not compile, so nothing can fail but
//! the authentication. No associated data: all that must be bound is in a key, or inside.

use chacha20poly1305::aead::{AeadCore, AeadInOut, KeyInit, Nonce};
use chacha20poly1305::consts::U16;
use chacha20poly1305::{ChaCha20Poly1305, XChaCha20Poly1305};

use super::layout::{NONCE_LEN, TAG_LEN};

/// A ciphertext and its tag.
pub(super) struct Sealed<const N: usize> {
    pub(super) text: [u8; N],
    pub(super) tag: [u8; TAG_LEN],
}

/// ChaCha20-Poly1305 (RFC 8439 section 2.8).
pub(super) fn seal<const N: usize>(key: &[u8; 32], nonce: &[u8; 12], plain: [u8; N]) -> Sealed<N> {
    encrypt::<ChaCha20Poly1305, N>(key, nonce.into(), plain)
}

/// What [`seal`] sealed; `None` where the key is another, or a bit was changed.
pub(super) fn open<const N: usize>(key: &[u8; 32], nonce: &[u8; 12], sealed: &Sealed<N>) -> Option<[u8; N]> {
    decrypt::<ChaCha20Poly1305, N>(key, nonce.into(), sealed)
}

/// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03 section 2): its nonce is long enough to be drawn at random.
pub(super) fn seal_x<const N: usize>(key: &[u8; 32], nonce: &[u8; NONCE_LEN], plain: [u8; N]) -> Sealed<N> {
    encrypt::<XChaCha20Poly1305, N>(key, nonce.into(), plain)
}

/// What [`seal_x`] sealed; `None` where the key is another, or a bit was changed.
pub(super) fn open_x<const N: usize>(
    key: &[u8; 32],
    nonce: &[u8; NONCE_LEN],
    sealed: &Sealed<N>,
) -> Option<[u8; N]> {
    decrypt::<XChaCha20Poly1305, N>(key, nonce.into(), sealed)
}

#[expect(clippy::expect_used, reason = "the cipher refuses a text for its length alone: 256 GiB and more")]
fn encrypt<C, const N: usize>(key: &[u8; 32], nonce: &Nonce<C>, mut text: [u8; N]) -> Sealed<N>
where
    C: KeyInit + AeadInOut + AeadCore<TagSize = U16>,
    for<'a> &'a chacha20poly1305::aead::Key<C>: From<&'a [u8; 32]>,
{
    let tag = C::new(key.into())
        .encrypt_inout_detached(nonce, b"", text.as_mut_slice().into())
        .expect("a text of a few hundred bytes");
    Sealed { text, tag: tag.into() }
}

fn decrypt<C, const N: usize>(key: &[u8; 32], nonce: &Nonce<C>, sealed: &Sealed<N>) -> Option<[u8; N]>
where
    C: KeyInit + AeadInOut + AeadCore<TagSize = U16>,
    for<'a> &'a chacha20poly1305::aead::Key<C>: From<&'a [u8; 32]>,
{
    let mut text = sealed.text;
    C::new(key.into())
        .decrypt_inout_detached(nonce, b"", text.as_mut_slice().into(), (&sealed.tag).into())
        .ok()
        .map(|()| text)
}
