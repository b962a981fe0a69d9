//! What the listener gets to see: a kernel filter for exactly the packets that could matter, and the sockets under it.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;

use knock_spa_proto::interface::InterfaceName;
use knock_spa_proto::knock::Step;
use knock_spa_proto::port::Transport;
use knock_spa_proto::spa::PACKET_LEN;
use socket2::SockFilter;

use crate::io::packet_socket::{self, Family};

/// What is worth seeing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interest {
    /// The UDP port of SPA packets.
    pub spa_port: u16,
    /// Every step of every classic knock.
    pub steps: BTreeSet<Step>,
}

/// Ports of one transport that the filter tells apart one by one. Beyond it every port of the transport passes,
/// and the listener, which looks again anyway, does the work: a filter has at most 4096 instructions.
const MAX_PORTS: usize = 900;

/// Bytes of a packet that are delivered: all of it.
const SNAP: u32 = 65_535;

/// The UDP header's own length (RFC 768).
const UDP_HEADER: u32 = 8;

/// Which sockets are needed: where one that is in use is equal to it, its sockets go on seeing everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    interest: Interest,
    /// The interfaces by index; `None` stands for all that there are or will be, but loopback.
    indices: Option<Vec<u32>>,
    /// Named interfaces that are not there.
    pub missing: Vec<InterfaceName>,
}

impl Capture {
    /// What is needed to see `interest` on `interfaces`, or on every one but loopback.
    ///
    /// # Errors
    /// What the system said.
    pub fn new(interest: Interest, interfaces: Option<&[InterfaceName]>) -> io::Result<Self> {
        let Some(names) = interfaces else {
            return Ok(Self { interest, indices: None, missing: Vec::new() });
        };
        let (mut indices, mut missing) = (Vec::new(), Vec::new());
        for name in names {
            match packet_socket::interface_index(name.as_str()) {
                Ok(index) => indices.push(index),
                Err(error) if error.raw_os_error() == Some(libc::ENODEV) => missing.push(*name),
                Err(error) => return Err(error),
            }
        }
        Ok(Self { interest, indices: Some(indices), missing })
    }

    /// Opens the sockets, of both families.
    ///
    /// # Errors
    /// What the system said.
    pub fn open(&self) -> io::Result<Vec<OwnedFd>> {
        let (except, indices) = match &self.indices {
            Some(indices) => (None, indices.iter().copied().map(Some).collect()),
            None => (Some(loopback()?), vec![None]),
        };
        let mut sockets = Vec::new();
        for index in indices {
            for family in Family::ALL {
                let program = program(&self.interest, family, except);
                sockets.push(packet_socket::open(family, index, &program)?);
            }
        }
        Ok(sockets)
    }
}

fn loopback() -> io::Result<u32> {
    packet_socket::interface_index("lo")
}

/// The filter, which begins to count at the IP header.
fn program(interest: &Interest, family: Family, except_interface: Option<u32>) -> Vec<SockFilter> {
    let mut program = Program::default();
    program.load_ancillary(libc::SKF_AD_PKTTYPE);
    program.require(u32::from(libc::PACKET_HOST));
    if let Some(index) = except_interface {
        program.load_ancillary(libc::SKF_AD_IFINDEX);
        program.refuse(index);
    }
    match family {
        Family::Ipv4 => {
            program.load_half(6);
            program.refuse_bits(0x1fff);
            program.load_ipv4_header_length(0);
            program.load_byte(9);
            program.transports(interest, PortAt::BehindIndex);
        }
        Family::Ipv6 => {
            program.load_byte(6);
            // Behind extension headers the filter cannot look, since it has no loops: the listener does.
            for header in [0, 43, 44, 51, 60, 135] {
                program.accept(header);
            }
            program.transports(interest, PortAt::Fixed(40));
        }
    }
    program.0
}

/// Where the transport header begins.
#[derive(Clone, Copy)]
enum PortAt {
    /// As far behind the index register as the IP header is long.
    BehindIndex,
    /// At this byte.
    Fixed(u32),
}

/// Instructions; each test falls through where the packet may still be of interest.
#[derive(Default)]
struct Program(Vec<SockFilter>);

impl Program {
    fn push(&mut self, code: u32, jump_true: u8, jump_false: u8, operand: u32) {
        let code = u16::try_from(code).unwrap_or_default();
        self.0.push(SockFilter::new(code, jump_true, jump_false, operand));
    }

    fn load_ancillary(&mut self, what: i32) {
        let offset = libc::SKF_AD_OFF.wrapping_add(what).cast_unsigned();
        self.push(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset);
    }

    fn load_byte(&mut self, at: u32) {
        self.push(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, 0, at);
    }

    fn load_half(&mut self, at: u32) {
        self.push(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, 0, 0, at);
    }

    /// Puts four times the low half of the byte at `at` into the index register.
    fn load_ipv4_header_length(&mut self, at: u32) {
        self.push(libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH, 0, 0, at);
    }

    /// Loads a half word of the transport header.
    fn load_transport(&mut self, header: PortAt, at: u32) {
        match header {
            PortAt::BehindIndex => self.push(libc::BPF_LD | libc::BPF_H | libc::BPF_IND, 0, 0, at),
            PortAt::Fixed(header) => self.load_half(header.saturating_add(at)),
        }
    }

    fn verdict(&mut self, snap: u32) {
        self.push(libc::BPF_RET | libc::BPF_K, 0, 0, snap);
    }

    /// Drops the packet where what was loaded is not `value`.
    fn require(&mut self, value: u32) {
        self.push(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, 0, value);
        self.verdict(0);
    }

    /// Drops the packet where what was loaded is `value`.
    fn refuse(&mut self, value: u32) {
        self.push(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, value);
        self.verdict(0);
    }

    /// Drops the packet where what was loaded has one of these bits.
    fn refuse_bits(&mut self, bits: u32) {
        self.push(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 0, 1, bits);
        self.verdict(0);
    }

    /// Delivers the packet where what was loaded is `value`.
    fn accept(&mut self, value: u32) {
        self.push(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, value);
        self.verdict(SNAP);
    }

    /// Looks at the ports, where the protocol number is loaded.
    fn transports(&mut self, interest: &Interest, header: PortAt) {
        let tcp = ports_program(interest, Transport::Tcp, header);
        let udp = ports_program(interest, Transport::Udp, header);
        for (transport, block) in [(Transport::Tcp, tcp), (Transport::Udp, udp)] {
            self.push(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, 0, transport.number().into());
            let len = u32::try_from(block.0.len()).unwrap_or(u32::MAX);
            self.push(libc::BPF_JMP | libc::BPF_JA, 0, 0, len);
            self.0.extend(block.0);
        }
        self.verdict(0);
    }
}

/// Decides on a packet of one transport by its destination port.
fn ports_program(interest: &Interest, transport: Transport, header: PortAt) -> Program {
    let mut program = Program::default();
    program.load_transport(header, 2);
    let ports: Vec<u16> =
        interest.steps.iter().filter(|step| step.transport == transport).map(|step| step.port).collect();
    if ports.len() > MAX_PORTS {
        program.verdict(SNAP);
        return program;
    }
    let is_spa = |port: &&u16| transport == Transport::Udp && **port == interest.spa_port;
    ports.iter().filter(|port| !is_spa(port)).for_each(|port| program.accept((*port).into()));
    if transport == Transport::Udp {
        program.require(interest.spa_port.into());
        program.load_transport(header, 4);
        program.accept(u32::try_from(PACKET_LEN).unwrap_or(u32::MAX).saturating_add(UDP_HEADER));
    }
    program.verdict(0);
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_fit_into_the_kernel_s_limit() {
        let steps = |transport| (1..=u16::MAX).step_by(73).map(move |port| Step { transport, port });
        let steps: BTreeSet<Step> = steps(Transport::Tcp).chain(steps(Transport::Udp)).collect();
        assert!(steps.len() > 1700);
        let interest = Interest { spa_port: 62201, steps };
        for family in Family::ALL {
            let len = program(&interest, family, Some(1)).len();
            assert!((1700..=4096).contains(&len), "{len}");
        }
    }
}
