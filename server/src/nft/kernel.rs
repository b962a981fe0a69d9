//! Numbers of the kernel's interface: `linux/netfilter/nf_tables.h`, `nfnetlink.h` and `netfilter.h`, under their
//! names there.

/// The subsystem of nftables, as the upper byte of message types.
const NFNL_SUBSYS_NFTABLES: u16 = 10;

/// The type of a message of nftables.
const fn message(kind: u16) -> u16 {
    (NFNL_SUBSYS_NFTABLES << 8) | kind
}

pub(super) const NFNL_MSG_BATCH_BEGIN: u16 = 0x10;
pub(super) const NFNL_MSG_BATCH_END: u16 = 0x11;
pub(super) const NFT_MSG_NEWTABLE: u16 = message(0);
pub(super) const NFT_MSG_GETTABLE: u16 = message(1);
pub(super) const NFT_MSG_DELTABLE: u16 = message(2);
pub(super) const NFT_MSG_NEWCHAIN: u16 = message(3);
pub(super) const NFT_MSG_GETCHAIN: u16 = message(4);
pub(super) const NFT_MSG_DELCHAIN: u16 = message(5);
pub(super) const NFT_MSG_NEWRULE: u16 = message(6);
pub(super) const NFT_MSG_GETRULE: u16 = message(7);
pub(super) const NFT_MSG_DELRULE: u16 = message(8);
pub(super) const NFT_MSG_NEWSET: u16 = message(9);
pub(super) const NFT_MSG_GETSET: u16 = message(10);
pub(super) const NFT_MSG_DELSET: u16 = message(11);
pub(super) const NFT_MSG_NEWSETELEM: u16 = message(12);
pub(super) const NFT_MSG_GETSETELEM: u16 = message(13);
pub(super) const NFT_MSG_DELSETELEM: u16 = message(14);

/// Insert the rule at the end of its chain.
pub(super) const NLM_F_APPEND: u16 = 0x800;

/// `struct nfgenmsg` of a message about tables of family `inet`: family, version, resource in network order.
pub(super) const INET: [u8; 4] = [1, 0, 0, 0];
/// `struct nfgenmsg` of a message about tables of every family (`NFPROTO_UNSPEC`).
pub(super) const EVERY_FAMILY: [u8; 4] = [0; 4];
/// Tables that see both families of addresses (`NFPROTO_INET`).
pub(super) const NFPROTO_INET: u8 = 1;
/// `struct nfgenmsg` at the ends of a batch: its resource is the subsystem.
pub(super) const BATCH: [u8; 4] = [0, 0, 0, 10];

/// The multicast group that hears of changes to the ruleset.
pub(super) const NFNLGRP_NFTABLES: u32 = 7;

pub(super) const NFTA_LIST_ELEM: u16 = 1;

/// The table's name: in messages about tables, and about what is in them.
pub(super) const NFTA_TABLE: u16 = 1;
pub(super) const NFTA_TABLE_FLAGS: u16 = 2;
pub(super) const NFTA_TABLE_HANDLE: u16 = 4;

pub(super) const NFTA_CHAIN_NAME: u16 = 3;
pub(super) const NFTA_CHAIN_HOOK: u16 = 4;
pub(super) const NFTA_CHAIN_POLICY: u16 = 5;
pub(super) const NFTA_CHAIN_TYPE: u16 = 7;
pub(super) const NFTA_HOOK_HOOKNUM: u16 = 1;
pub(super) const NFTA_HOOK_PRIORITY: u16 = 2;
pub(super) const NF_INET_PRE_ROUTING: u32 = 0;
pub(super) const NF_INET_LOCAL_IN: u32 = 1;
pub(super) const NF_INET_LOCAL_OUT: u32 = 3;
/// The table is asleep.
pub(super) const NFT_TABLE_F_DORMANT: u32 = 1;

pub(super) const NFTA_SET_NAME: u16 = 2;
pub(super) const NFTA_SET_FLAGS: u16 = 3;
pub(super) const NFTA_SET_KEY_TYPE: u16 = 4;
pub(super) const NFTA_SET_KEY_LEN: u16 = 5;
pub(super) const NFTA_SET_DESC: u16 = 9;
pub(super) const NFTA_SET_ID: u16 = 10;
pub(super) const NFTA_SET_DESC_SIZE: u16 = 1;
pub(super) const NFT_SET_INTERVAL: u32 = 0x04;
pub(super) const NFT_SET_CONSTANT: u32 = 0x02;
pub(super) const NFT_SET_MAP: u32 = 0x08;
pub(super) const NFT_SET_TIMEOUT: u32 = 0x10;

pub(super) const NFTA_SET_ELEM_LIST_SET: u16 = 2;
pub(super) const NFTA_SET_ELEM_LIST_ELEMENTS: u16 = 3;
pub(super) const NFTA_SET_ELEM_KEY: u16 = 1;
pub(super) const NFTA_SET_ELEM_DATA: u16 = 2;
pub(super) const NFTA_SET_ELEM_FLAGS: u16 = 3;
/// The element is where an interval ends.
pub(super) const NFT_SET_ELEM_INTERVAL_END: u32 = 1;
/// The element stands for every key that has none.
pub(super) const NFT_SET_ELEM_CATCHALL: u32 = 2;
pub(super) const NFTA_SET_ELEM_TIMEOUT: u16 = 4;
pub(super) const NFTA_SET_ELEM_EXPIRATION: u16 = 5;

pub(super) const NFTA_SET_ELEM_KEY_END: u16 = 10;

pub(super) const NFTA_RULE_CHAIN: u16 = 2;
pub(super) const NFTA_RULE_HANDLE: u16 = 3;
pub(super) const NFTA_RULE_EXPRESSIONS: u16 = 4;
pub(super) const NFTA_EXPR_NAME: u16 = 1;
pub(super) const NFTA_EXPR_DATA: u16 = 2;

pub(super) const NFTA_DATA_VALUE: u16 = 1;
pub(super) const NFTA_DATA_VERDICT: u16 = 2;
pub(super) const NFTA_VERDICT_CODE: u16 = 1;
pub(super) const NFTA_VERDICT_CHAIN: u16 = 2;
pub(super) const NF_DROP: u32 = 0;
pub(super) const NF_ACCEPT: u32 = 1;
/// -1, -3 and -5 in two's complement.
pub(super) const NFT_CONTINUE: u32 = 0xffff_ffff;
pub(super) const NFT_JUMP: u32 = 0xffff_fffd;
pub(super) const NFT_RETURN: u32 = 0xffff_fffb;
/// -4 in two's complement.
pub(super) const NFT_GOTO: u32 = 0xffff_fffc;

pub(super) const NFTA_META_DREG: u16 = 1;
pub(super) const NFTA_META_KEY: u16 = 2;
pub(super) const NFT_META_PROTOCOL: u32 = 1;
pub(super) const NFT_META_IIF: u32 = 4;
pub(super) const NFT_META_OIF: u32 = 5;
pub(super) const NFT_META_IIFNAME: u32 = 6;
pub(super) const NFT_META_OIFNAME: u32 = 7;
pub(super) const NFT_META_NFPROTO: u32 = 15;
pub(super) const NFT_META_L4PROTO: u32 = 16;
pub(super) const NFPROTO_IPV4: u8 = 2;
pub(super) const NFPROTO_NETDEV: u8 = 5;
pub(super) const NFPROTO_BRIDGE: u8 = 7;
pub(super) const NFPROTO_IPV6: u8 = 10;

pub(super) const NFTA_PAYLOAD_DREG: u16 = 1;
pub(super) const NFTA_PAYLOAD_BASE: u16 = 2;
pub(super) const NFTA_PAYLOAD_OFFSET: u16 = 3;
pub(super) const NFTA_PAYLOAD_LEN: u16 = 4;
pub(super) const NFT_PAYLOAD_NETWORK_HEADER: u32 = 1;
pub(super) const NFT_PAYLOAD_TRANSPORT_HEADER: u32 = 2;

pub(super) const NFTA_CMP_SREG: u16 = 1;
pub(super) const NFTA_CMP_OP: u16 = 2;
pub(super) const NFTA_CMP_DATA: u16 = 3;
pub(super) const NFT_CMP_EQ: u32 = 0;
pub(super) const NFT_CMP_NEQ: u32 = 1;
pub(super) const NFT_CMP_LT: u32 = 2;
pub(super) const NFT_CMP_LTE: u32 = 3;
pub(super) const NFT_CMP_GT: u32 = 4;
pub(super) const NFT_CMP_GTE: u32 = 5;

pub(super) const NFTA_RANGE_SREG: u16 = 1;
pub(super) const NFTA_RANGE_OP: u16 = 2;
pub(super) const NFTA_RANGE_FROM_DATA: u16 = 3;
pub(super) const NFTA_RANGE_TO_DATA: u16 = 4;
pub(super) const NFT_RANGE_EQ: u32 = 0;

pub(super) const NFTA_BITWISE_SREG: u16 = 1;
pub(super) const NFTA_BITWISE_DREG: u16 = 2;
pub(super) const NFTA_BITWISE_LEN: u16 = 3;
pub(super) const NFTA_BITWISE_MASK: u16 = 4;
pub(super) const NFTA_BITWISE_XOR: u16 = 5;

pub(super) const NFTA_LOOKUP_SET: u16 = 1;
pub(super) const NFTA_LOOKUP_SREG: u16 = 2;

pub(super) const NFTA_LOOKUP_DREG: u16 = 3;
pub(super) const NFTA_LOOKUP_FLAGS: u16 = 5;
pub(super) const NFT_LOOKUP_F_INV: u32 = 1;

/// Of an extension of iptables, which nftables runs: `match` and `target` alike.
pub(super) const NFTA_EXTENSION_NAME: u16 = 1;
pub(super) const NFTA_EXTENSION_INFO: u16 = 3;

pub(super) const NFTA_CT_DREG: u16 = 1;
pub(super) const NFTA_CT_KEY: u16 = 2;
pub(super) const NFT_CT_STATE: u32 = 0;
/// The bit of "established" in the state of a connection.
pub(super) const CT_STATE_ESTABLISHED: u32 = 1 << 1;
/// The bit of "new".
pub(super) const CT_STATE_NEW: u32 = 1 << 3;

pub(super) const NFTA_FIB_DREG: u16 = 1;
pub(super) const NFTA_FIB_RESULT: u16 = 2;
pub(super) const NFTA_FIB_FLAGS: u16 = 3;
pub(super) const NFT_FIB_RESULT_ADDRTYPE: u32 = 3;
pub(super) const NFTA_FIB_F_DADDR: u32 = 1 << 1;
pub(super) const NFTA_FIB_F_IIF: u32 = 1 << 3;
/// Types of routes and addresses (`linux/rtnetlink.h`).
pub(super) const RTN_UNICAST: u32 = 1;
pub(super) const RTN_UNREACHABLE: u32 = 7;

pub(super) const NFTA_COUNTER_PACKETS: u16 = 2;

pub(super) const NFTA_IMMEDIATE_DREG: u16 = 1;
pub(super) const NFTA_IMMEDIATE_DATA: u16 = 2;
/// The register that holds the verdict.
pub(super) const NFT_REG_VERDICT: u32 = 0;
/// The first of four registers of sixteen bytes, which are the same as those of four.
pub(super) const NFT_REG_1: u32 = 1;
/// The first of sixteen registers of four bytes.
pub(super) const NFT_REG32_00: u32 = 8;

/// The index of the loopback interface in every network namespace (`LOOPBACK_IFINDEX` of the kernel).
pub(super) const LOOPBACK_IFINDEX: u32 = 1;
