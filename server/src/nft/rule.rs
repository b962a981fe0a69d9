//! Rules: expressions that load registers, compare them, and reach a verdict. One that does not match ends
//! its rule.

use super::TABLE;
use super::kernel::*;
use super::set::Set;
use crate::netlink::Attributes;

/// A rule of one of our chains, grown expression by expression.
#[derive(Debug)]
pub(super) struct Rule {
    chain: &'static str,
    expressions: Attributes,
}

/// A register of four bytes: 0 to 15. What is longer takes the following ones too, and what is shorter is
/// padded with zeros.
#[derive(Clone, Copy, Debug)]
pub(super) struct Register(pub(super) u32);

impl Register {
    const fn number(self) -> u32 {
        NFT_REG32_00.saturating_add(self.0)
    }
}

/// A piece of a packet's header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    base: u32,
    offset: u32,
    len: u32,
}

impl Field {
    /// RFC 791 section 3.1.
    pub(super) const IPV4_SOURCE: Self = Self { base: NFT_PAYLOAD_NETWORK_HEADER, offset: 12, len: 4 };
    /// RFC 8200 section 3.
    pub(super) const IPV6_SOURCE: Self = Self { base: NFT_PAYLOAD_NETWORK_HEADER, offset: 8, len: 16 };
    /// Alike in TCP and UDP.
    pub(super) const SOURCE_PORT: Self = Self { base: NFT_PAYLOAD_TRANSPORT_HEADER, offset: 0, len: 2 };
    /// Alike in TCP and UDP.
    pub(super) const DESTINATION_PORT: Self = Self { base: NFT_PAYLOAD_TRANSPORT_HEADER, offset: 2, len: 2 };
    /// RFC 9293 section 3.1.
    pub(super) const TCP_FLAGS: Self = Self { base: NFT_PAYLOAD_TRANSPORT_HEADER, offset: 13, len: 1 };
}

impl Rule {
    /// The rule of `chain` that matches everything and does nothing.
    pub(super) const fn of(chain: &'static str) -> Self {
        Self { chain, expressions: Attributes::new() }
    }

    fn then(self, name: &str, data: &Attributes) -> Self {
        let expression = Attributes::new().text(NFTA_EXPR_NAME, name).nest(NFTA_EXPR_DATA, data);
        Self { expressions: self.expressions.nest(NFTA_LIST_ELEM, &expression), ..self }
    }

    /// Loads what the kernel knows of the packet: one of `NFT_META_*`.
    pub(super) fn load_meta(self, key: u32, to: Register) -> Self {
        let data = Attributes::new().be32(NFTA_META_KEY, key).be32(NFTA_META_DREG, to.number());
        self.then("meta", &data)
    }

    /// Loads a piece of the packet.
    pub(super) fn load(self, field: Field, to: Register) -> Self {
        let data = Attributes::new()
            .be32(NFTA_PAYLOAD_DREG, to.number())
            .be32(NFTA_PAYLOAD_BASE, field.base)
            .be32(NFTA_PAYLOAD_OFFSET, field.offset)
            .be32(NFTA_PAYLOAD_LEN, field.len);
        self.then("payload", &data)
    }

    /// Loads the state of the packet's connection: a bit of `CT_STATE_*`.
    pub(super) fn load_connection_state(self, to: Register) -> Self {
        let data = Attributes::new().be32(NFTA_CT_KEY, NFT_CT_STATE).be32(NFTA_CT_DREG, to.number());
        self.then("ct", &data)
    }

    /// Loads the type of the packet's destination, one of `RTN_*`, with these `NFTA_FIB_F_*`.
    pub(super) fn load_destination_type(self, flags: u32, to: Register) -> Self {
        let data = Attributes::new()
            .be32(NFTA_FIB_FLAGS, flags)
            .be32(NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE)
            .be32(NFTA_FIB_DREG, to.number());
        self.then("fib", &data)
    }

    /// Keeps the bits of `mask`, and clears the others.
    pub(super) fn keep_bits(self, register: Register, mask: &[u8]) -> Self {
        let len = u32::try_from(mask.len()).unwrap_or(u32::MAX);
        let zeros = vec![0; mask.len()];
        let data = Attributes::new()
            .be32(NFTA_BITWISE_SREG, register.number())
            .be32(NFTA_BITWISE_DREG, register.number())
            .be32(NFTA_BITWISE_LEN, len)
            .nest(NFTA_BITWISE_MASK, &Attributes::new().bytes(NFTA_DATA_VALUE, mask))
            .nest(NFTA_BITWISE_XOR, &Attributes::new().bytes(NFTA_DATA_VALUE, &zeros));
        self.then("bitwise", &data)
    }

    /// Matches where the register holds `value`.
    pub(super) fn if_equal(self, register: Register, value: &[u8]) -> Self {
        self.compare(NFT_CMP_EQ, register, value)
    }

    /// Matches where the register holds anything else.
    pub(super) fn if_not_equal(self, register: Register, value: &[u8]) -> Self {
        self.compare(NFT_CMP_NEQ, register, value)
    }

    fn compare(self, operation: u32, register: Register, value: &[u8]) -> Self {
        let data = Attributes::new()
            .be32(NFTA_CMP_SREG, register.number())
            .be32(NFTA_CMP_OP, operation)
            .nest(NFTA_CMP_DATA, &Attributes::new().bytes(NFTA_DATA_VALUE, value));
        self.then("cmp", &data)
    }

    /// Matches where the set has the element that the registers from this one on hold.
    pub(super) fn if_in(self, set: Set, from: Register) -> Self {
        let data = Attributes::new().text(NFTA_LOOKUP_SET, set.name()).be32(NFTA_LOOKUP_SREG, from.number());
        self.then("lookup", &data)
    }

    /// Counts the packet.
    pub(super) fn count(self) -> Self {
        self.then("counter", &Attributes::new())
    }

    /// Lets the packet pass our table.
    pub(super) fn accept(self) -> Self {
        self.verdict(&Attributes::new().be32(NFTA_VERDICT_CODE, NF_ACCEPT))
    }

    /// Ends the packet without a word.
    pub(super) fn drop(self) -> Self {
        self.verdict(&Attributes::new().be32(NFTA_VERDICT_CODE, NF_DROP))
    }

    /// Leaves the rest to another chain.
    pub(super) fn goto(self, chain: &str) -> Self {
        let verdict = Attributes::new().be32(NFTA_VERDICT_CODE, NFT_GOTO).text(NFTA_VERDICT_CHAIN, chain);
        self.verdict(&verdict)
    }

    fn verdict(self, verdict: &Attributes) -> Self {
        let data = Attributes::new()
            .be32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT)
            .nest(NFTA_IMMEDIATE_DATA, &Attributes::new().nest(NFTA_DATA_VERDICT, verdict));
        self.then("immediate", &data)
    }

    /// What a message that makes the rule says.
    pub(super) fn attributes(&self) -> Attributes {
        Attributes::new()
            .text(NFTA_TABLE, TABLE)
            .text(NFTA_RULE_CHAIN, self.chain)
            .nest(NFTA_RULE_EXPRESSIONS, &self.expressions)
    }
}
