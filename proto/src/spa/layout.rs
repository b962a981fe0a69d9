//! Where each field stands, in bytes (`docs/protocol.md` sections 2 and 3).
//!
//! Fields are types: that they lie within their whole, and have the length of what is put there, is checked when
//! this is compiled, so reading and writing them cannot fail.

use crate::service::Services;

/// Bytes of a packet: the payload of one UDP datagram.
pub const PACKET_LEN: usize = 320;
/// Bytes of a statement, as one process hands it to another.
pub const STATEMENT_LEN: usize = 232;

pub(super) const NONCE_LEN: usize = 24;
pub(super) const STAMP_LEN: usize = 8;
pub(super) const TAG_LEN: usize = 16;
/// What the envelope holds: the stamp, the encapsulated key, and what is sealed.
pub(super) const CONTENT_LEN: usize = PACKET_LEN - NONCE_LEN - TAG_LEN;
/// What the seal holds: the client's key, its signature and the request.
pub(super) const SEALED_LEN: usize = 224;
/// What the client signs.
pub(super) const SIGNED_LEN: usize = 184;
/// A request.
pub(super) const REQUEST_LEN: usize = 128;
/// What a key that is to be enrolled signs.
pub(super) const ENROL_SIGNED_LEN: usize = 81;

/// The text of a request's services.
pub(super) const SERVICES_LEN: usize = Services::MAX_LEN;

/// `LEN` bytes from offset `AT` of something.
pub(super) struct Field<const AT: usize, const LEN: usize>;

impl<const AT: usize, const LEN: usize> Field<AT, LEN> {
    /// Copies the field out of `whole`.
    pub(super) fn read<const N: usize>(whole: &[u8; N]) -> [u8; LEN] {
        const { assert!(AT + LEN <= N, "the field is inside") };
        let mut field = [0; LEN];
        field.iter_mut().zip(whole.iter().skip(AT)).for_each(|(to, from)| *to = *from);
        field
    }

    /// Copies `field` into `whole`.
    pub(super) fn write<const N: usize>(whole: &mut [u8; N], field: &[u8; LEN]) {
        const { assert!(AT + LEN <= N, "the field is inside") };
        whole.iter_mut().skip(AT).zip(field).for_each(|(to, from)| *to = *from);
    }
}

/// The fields of a packet.
pub(super) mod packet {
    use super::{CONTENT_LEN, Field, NONCE_LEN, TAG_LEN};

    pub(in super::super) type Nonce = Field<0, NONCE_LEN>;
    pub(in super::super) type Content = Field<24, CONTENT_LEN>;
    pub(in super::super) type Tag = Field<304, TAG_LEN>;
}

/// The fields of an envelope's content.
pub(super) mod content {
    use super::{Field, SEALED_LEN, STAMP_LEN, TAG_LEN};

    pub(in super::super) type Stamp = Field<0, STAMP_LEN>;
    pub(in super::super) type Enc = Field<8, 32>;
    pub(in super::super) type Sealed = Field<40, SEALED_LEN>;
    pub(in super::super) type Tag = Field<264, TAG_LEN>;
}

/// The fields of what is sealed.
pub(super) mod sealed {
    use super::{Field, REQUEST_LEN};

    pub(in super::super) type Client = Field<0, 32>;
    pub(in super::super) type Signature = Field<32, 64>;
    pub(in super::super) type Request = Field<96, REQUEST_LEN>;
}

/// The fields of a statement.
pub(super) mod statement {
    use super::{Field, REQUEST_LEN, STAMP_LEN};

    pub(in super::super) type Client = Field<0, 32>;
    pub(in super::super) type Stamp = Field<32, STAMP_LEN>;
    pub(in super::super) type Signature = Field<40, 64>;
    pub(in super::super) type Request = Field<104, REQUEST_LEN>;
}

/// The fields of what the client signs.
pub(super) mod signed {
    use super::{Field, REQUEST_LEN, STAMP_LEN};

    pub(in super::super) type Label = Field<0, 16>;
    pub(in super::super) type Server = Field<16, 32>;
    pub(in super::super) type Stamp = Field<48, STAMP_LEN>;
    pub(in super::super) type Request = Field<56, REQUEST_LEN>;
}

/// The fields of what a key that is to be enrolled signs.
pub(super) mod enrol_signed {
    use super::Field;

    pub(in super::super) type Label = Field<0, 17>;
    pub(in super::super) type Server = Field<17, 32>;
    pub(in super::super) type Invitation = Field<49, 32>;
}

/// The fields of a request to open or to close; the first is that of every request.
pub(super) mod request {
    use super::{Field, SERVICES_LEN};

    pub(in super::super) type Op = Field<0, 1>;
    pub(in super::super) type Flags = Field<1, 1>;
    pub(in super::super) type Ttl = Field<2, 4>;
    pub(in super::super) type V4 = Field<6, 4>;
    pub(in super::super) type V6 = Field<10, 16>;
    pub(in super::super) type Services = Field<26, SERVICES_LEN>;
}

/// The fields of a request to be enrolled, behind the operation; the others are zero.
pub(super) mod enrol {
    use super::Field;

    pub(in super::super) type Key = Field<6, 32>;
    pub(in super::super) type Proof = Field<38, 64>;
}
