//! The two authenticated ciphers, over arrays: a length that is wrong does not compile, so nothing can fail but
//! the authentication. No associated data: all that must be bound is in a key, or inside.

use chacha20::{R20, hchacha};
use chacha20poly1305::aead::{AeadCore, AeadInOut, Key, KeyInit, Nonce};
use chacha20poly1305::consts::U16;
use chacha20poly1305::{ChaCha20Poly1305, XChaCha20Poly1305};
use ring::aead::{self as ring_aead, CHACHA20_POLY1305, LessSafeKey, UnboundKey};
use zeroize::Zeroizing;

use super::layout::{Field, NONCE_LEN, TAG_LEN};

/// A ciphertext and its tag.
pub(super) struct Sealed<const N: usize> {
    pub(super) text: [u8; N],
    pub(super) tag: [u8; TAG_LEN],
}

/// ChaCha20-Poly1305 (RFC 8439 section 2.8).
pub(super) fn seal<const N: usize>(key: &[u8; 32], nonce: &[u8; 12], plain: [u8; N]) -> Sealed<N> {
    encrypt::<ChaCha20Poly1305, N>(key.into(), nonce.into(), plain)
}

/// What [`seal`] sealed; `None` where the key is another, or a bit was changed.
pub(super) fn open<const N: usize>(key: &[u8; 32], nonce: &[u8; 12], sealed: &Sealed<N>) -> Option<[u8; N]> {
    let mut text = sealed.text;
    ChaCha20Poly1305::new(key.into())
        .decrypt_inout_detached(nonce.into(), b"", text.as_mut_slice().into(), (&sealed.tag).into())
        .ok()
        .map(|()| text)
}

/// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03 section 2): its nonce is long enough to be drawn at random.
pub(super) fn seal_x<const N: usize>(key: &[u8; 32], nonce: &[u8; NONCE_LEN], plain: [u8; N]) -> Sealed<N> {
    encrypt::<XChaCha20Poly1305, N>(key.into(), nonce.into(), plain)
}

/// What [`seal_x`] sealed; `None` where the key is another, or a bit was changed.
///
/// This is all that a stranger can make a server compute, so it goes the faster way: XChaCha20-Poly1305 is
/// `HChaCha20` and then ChaCha20-Poly1305, and ring has the fastest of those where nobody set compiler flags
/// (measure it: `cargo run --release -p knock-spa-proto --example envelope`).
pub(super) fn open_x<const N: usize>(
    key: &[u8; 32],
    nonce: &[u8; NONCE_LEN],
    sealed: &Sealed<N>,
) -> Option<[u8; N]> {
    let first: [u8; 16] = Field::<0, 16>::read(nonce);
    let subkey = Zeroizing::new(<[u8; 32]>::from(hchacha::<R20>(key.into(), (&first).into())));
    let mut subnonce = [0; 12];
    Field::<4, 8>::write(&mut subnonce, &Field::<16, 8>::read(nonce));

    let mut text = sealed.text;
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, subkey.as_slice()).ok()?)
        .open_in_place_separate_tag(
            ring_aead::Nonce::assume_unique_for_key(subnonce),
            ring_aead::Aad::empty(),
            sealed.tag.into(),
            &mut text,
            0..,
        )
        .ok()?;
    Some(text)
}

#[expect(clippy::expect_used, reason = "the cipher refuses a text for its length alone: 256 GiB and more")]
fn encrypt<C, const N: usize>(key: &Key<C>, nonce: &Nonce<C>, mut text: [u8; N]) -> Sealed<N>
where
    C: KeyInit + AeadInOut + AeadCore<TagSize = U16>,
{
    let tag = C::new(key)
        .encrypt_inout_detached(nonce, b"", text.as_mut_slice().into())
        .expect("a text of a few hundred bytes");
    Sealed { text, tag: tag.into() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The faster way opens what the other way seals, and nothing else.
        #[test]
        fn the_two_ways_are_one_cipher(
            key: [u8; 32], nonce: [u8; NONCE_LEN], plain: [[u8; 32]; 9], bit in 0..288 * 8_usize, tag_bit in 0..128_usize,
        ) {
            let plain: [u8; 288] = core::array::from_fn(|i| plain[i / 32][i % 32]);
            let Sealed { text, tag } = seal_x(&key, &nonce, plain);
            prop_assert_eq!(open_x(&key, &nonce, &Sealed { text, tag }), Some(plain));
            let mut changed = text;
            changed[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(open_x(&key, &nonce, &Sealed { text: changed, tag }), None);
            let mut changed = tag;
            changed[tag_bit / 8] ^= 1 << (tag_bit % 8);
            prop_assert_eq!(open_x(&key, &nonce, &Sealed { text, tag: changed }), None);
        }
    }
}
