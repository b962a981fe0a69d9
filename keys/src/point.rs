//! Which 32 bytes are a public key.
//!
//! Ed25519 verification accepts one fixed signature for *every* message where the key is a point of small
//! order, so refusing such keys is what makes a signature mean anything. Non-canonical encodings are refused
//! because one key must be one value.

use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::montgomery::MontgomeryPoint;

/// Why bytes are not a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// They encode no point of the curve.
    #[error("not a point of the curve")]
    NotAPoint,
    /// They encode a point, but not in its one canonical encoding.
    #[error("not the canonical encoding of its point")]
    NotCanonical,
    /// They encode one of the points of order 8 or less: nobody's key, and good for forgeries.
    #[error("a point of small order, which is nobody's key")]
    SmallOrder,
}

/// Checks an Ed25519 public key (RFC 8032 section 5.1.3).
pub(crate) fn check_edwards(bytes: [u8; 32]) -> Result<(), BadKey> {
    let point = CompressedEdwardsY(bytes).decompress().ok_or(BadKey::NotAPoint)?;
    if point.is_small_order() {
        return Err(BadKey::SmallOrder);
    }
    if point.compress().to_bytes() == bytes { Ok(()) } else { Err(BadKey::NotCanonical) }
}

/// Checks an X25519 public key (RFC 7748 section 5). A coordinate of the twist is refused as well: no secret
/// has such a public key.
pub(crate) fn check_montgomery(bytes: [u8; 32]) -> Result<(), BadKey> {
    let point = MontgomeryPoint(bytes).to_edwards(0).ok_or(BadKey::NotAPoint)?;
    if point.is_small_order() {
        return Err(BadKey::SmallOrder);
    }
    if point.to_montgomery().to_bytes() == bytes { Ok(()) } else { Err(BadKey::NotCanonical) }
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::EIGHT_TORSION;

    use super::*;

    /// The field's prime 2^255 - 19 plus `n`, little-endian: another spelling of `n`.
    fn prime_plus(n: u8) -> [u8; 32] {
        let mut bytes = [0xff; 32];
        bytes[0] = 0xed_u8.wrapping_add(n);
        bytes[31] = 0x7f;
        bytes
    }

    #[test]
    fn points_of_small_order_are_refused() {
        for point in EIGHT_TORSION {
            assert_eq!(check_edwards(point.compress().to_bytes()), Err(BadKey::SmallOrder));
            let u = point.to_montgomery().to_bytes();
            // The identity has no Montgomery coordinate; the crate writes it as 0, the point of order 2.
            assert_eq!(check_montgomery(u), Err(BadKey::SmallOrder));
        }
        let mut minus_one = prime_plus(0);
        minus_one[0] -= 1;
        assert_eq!(check_montgomery(minus_one), Err(BadKey::NotAPoint), "the twist's point of order 4");
    }

    #[test]
    fn a_point_has_one_encoding() {
        // y = 0 and y = 1 are of small order; of the other y below 19, those on the curve can be respelt.
        let respelt: [_; 17] =
            core::array::from_fn(|i| check_edwards(prime_plus(u8::try_from(i + 2).unwrap())));
        assert!(respelt.iter().all(Result::is_err));
        assert!(respelt.contains(&Err(BadKey::NotCanonical)));
        // x = 0 with the sign bit set: the identity, respelt.
        let mut negative_identity = [0; 32];
        (negative_identity[0], negative_identity[31]) = (1, 0x80);
        assert!(check_edwards(negative_identity).is_err());

        let base = [9; 1].into_iter().chain([0; 31]).collect::<alloc::vec::Vec<u8>>().try_into().unwrap();
        assert_eq!(check_montgomery(base), Ok(()));
        assert_eq!(check_montgomery(prime_plus(9)), Err(BadKey::NotCanonical));
        let mut top_bit: [u8; 32] = base;
        top_bit[31] |= 0x80;
        assert_eq!(check_montgomery(top_bit), Err(BadKey::NotCanonical));
    }

    #[test]
    fn coordinates_off_the_curve_are_refused() {
        let counts = |check: fn([u8; 32]) -> Result<(), BadKey>| {
            (0..=255).filter(|n| check([*n; 32]) == Err(BadKey::NotAPoint)).count()
        };
        // About half of all coordinates are on the curve.
        assert!((64..192).contains(&counts(check_edwards)));
        assert!((64..192).contains(&counts(check_montgomery)));
    }
}
