//! What the listener gets to see: a kernel filter for exactly the packets that could matter, and the sockets under it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;

use knock_spa_proto::interface::InterfaceName;
use knock_spa_proto::knock::{FlagRule, Step};
use knock_spa_proto::port::Transport;
use knock_spa_proto::spa::PACKET_LEN;
use socket2::SockFilter;

use crate::addresses::default_link;
use crate::config::settings::{CaptureMode, Interfaces, Listen};
use crate::io::channel::{Deliver, Sockets};
use crate::io::datagram_socket;
use crate::io::packet_socket::{self, Family};

/// What is worth seeing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interest {
    /// The UDP port of SPA packets, where any are expected.
    pub spa_port: Option<u16>,
    /// Every step of every classic knock.
    pub steps: BTreeSet<Step>,
    /// What every classic knock asks of TCP segments: with `syn`, the segments of other connections never get here.
    pub flags: FlagRule,
}

/// Ports of both transports together that the filter tells apart one by one. Beyond it every port of a transport passes,
/// and the listener, which looks again anyway, does the work: a filter has at most 4096 instructions, and before Linux
/// 6.7 what they are translated to must fit into `net.core.optmem_max`, which is 20 KiB.
const MAX_PORTS: usize = 500;

/// Ports that are looked at one after the other; of more, half are left out with one comparison.
const LEAF: usize = 16;

/// Where a TCP header has its control bits (RFC 9293 section 3.1).
const TCP_FLAGS_AT: u32 = 13;

/// Bytes of a packet that are delivered: all of it.
const SNAP: u32 = 65_535;

/// What the UDP header of an SPA packet says of its length, itself included (RFC 768).
#[expect(clippy::cast_possible_truncation, reason = "320 bytes")]
const SPA_LEN: u32 = PACKET_LEN as u32 + 8;

/// Which sockets are needed: where one that is in use is equal to it, its sockets go on seeing everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    mode: CaptureMode,
    interest: Interest,
    /// The interfaces by index; `None` stands for all that there are or will be.
    interfaces: Option<BTreeMap<u32, InterfaceName>>,
    /// An interface that is left out where all are meant.
    except: Option<u32>,
    /// Named interfaces that are not there.
    pub missing: Vec<InterfaceName>,
}

impl Capture {
    /// What is needed to see `interest` where it is listened to.
    ///
    /// # Errors
    /// What the system said.
    pub fn new(interest: Interest, listen: &Listen) -> io::Result<Self> {
        let mode = listen.capture;
        let all = |interest, except| Self { mode, interest, interfaces: None, except, missing: Vec::new() };
        let names = match &listen.interfaces {
            Interfaces::AllButLoopback => return Ok(all(interest, Some(loopback()?))),
            Interfaces::All => return Ok(all(interest, None)),
            Interfaces::Named(names) => names.clone(),
            Interfaces::Owning(links) => links.iter().map(|link| link.name).collect(),
            Interfaces::Default { ipv6 } => default_link(*ipv6).iter().map(|link| link.name).collect(),
        };
        let (mut found, mut missing) = (BTreeMap::new(), Vec::new());
        for name in names {
            match packet_socket::interface_index(name.as_str()) {
                Ok(index) => drop(found.insert(index, name)),
                Err(error) if error.raw_os_error() == Some(libc::ENODEV) => missing.push(name),
                Err(error) => return Err(error),
            }
        }
        Ok(Self { mode, interest, interfaces: Some(found), except: None, missing })
    }

    /// Opens the sockets, of both families.
    ///
    /// # Errors
    /// What the system said.
    pub fn open(&self) -> io::Result<Sockets> {
        let interfaces: Vec<_> = match &self.interfaces {
            Some(interfaces) => interfaces.iter().map(|(index, name)| Some((*index, name))).collect(),
            None => vec![None],
        };
        let mut sockets = Vec::new();
        for interface in interfaces {
            for family in Family::ALL {
                sockets.extend(match self.mode {
                    CaptureMode::Packet => {
                        Some(self.open_capture(family, interface.map(|(index, _)| index))?)
                    }
                    CaptureMode::Socket => {
                        self.open_bound(family, interface.map(|(_, name)| name.as_str()))?
                    }
                });
            }
        }
        let deliver = match self.mode {
            CaptureMode::Packet => Deliver::Packets,
            CaptureMode::Socket => Deliver::Datagrams,
        };
        Ok(Sockets { deliver, sockets })
    }
}

impl Capture {
    /// A socket that is bound to the SPA port, where there is one.
    fn open_bound(&self, family: Family, interface: Option<&str>) -> io::Result<Option<OwnedFd>> {
        let Some(port) = self.interest.spa_port else { return Ok(None) };
        let program: Vec<SockFilter> =
            datagram_program(self.except).into_iter().map(SockFilter::from).collect();
        datagram_socket::open(family, interface, port, &program)
    }

    /// Where the kernel has no room for the filter, a coarser one does.
    fn open_capture(&self, family: Family, index: Option<u32>) -> io::Result<OwnedFd> {
        let open = |told_apart| {
            let program = program(&self.interest, family, self.except, told_apart);
            let program: Vec<SockFilter> = program.into_iter().map(SockFilter::from).collect();
            packet_socket::open(family, index, &program)
        };
        match open(MAX_PORTS) {
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => open(0),
            opened => opened,
        }
    }
}

fn loopback() -> io::Result<u32> {
    packet_socket::interface_index("lo")
}

/// The filter, which begins to count at the IP header.
fn program(
    interest: &Interest,
    family: Family,
    except_interface: Option<u32>,
    told_apart: usize,
) -> Vec<Instruction> {
    let ports = Ports::of(interest, told_apart);
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
            program.transports(&ports, PortAt::BehindIndex);
        }
        Family::Ipv6 => {
            program.load_byte(6);
            // Behind extension headers the filter cannot look, since it has no loops: the listener does.
            for header in [0, 43, 44, 51, 60, 135] {
                program.accept(header);
            }
            program.transports(&ports, PortAt::Fixed(40));
        }
    }
    program.0
}

/// The filter of a bound socket, which begins to count at the UDP header: what was sent to this host alone, on the right
/// interface, and has the one length that can be good.
fn datagram_program(except_interface: Option<u32>) -> Vec<Instruction> {
    let mut program = Program::default();
    program.load_ancillary(libc::SKF_AD_PKTTYPE);
    program.require(u32::from(libc::PACKET_HOST));
    if let Some(index) = except_interface {
        program.load_ancillary(libc::SKF_AD_IFINDEX);
        program.refuse(index);
    }
    program.load_half(4);
    program.require(SPA_LEN);
    program.verdict(SNAP);
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

/// One instruction of a classic filter: a code, how far it jumps where its test holds and where not, and an operand.
#[derive(Clone, Copy)]
struct Instruction {
    code: u16,
    jump_true: u8,
    jump_false: u8,
    operand: u32,
}

impl From<Instruction> for SockFilter {
    fn from(instruction: Instruction) -> Self {
        let Instruction { code, jump_true, jump_false, operand } = instruction;
        Self::new(code, jump_true, jump_false, operand)
    }
}

/// Instructions; each test falls through where the packet may still be of interest.
#[derive(Default)]
struct Program(Vec<Instruction>);

impl Program {
    fn push(&mut self, code: u32, jump_true: u8, jump_false: u8, operand: u32) {
        let code = u16::try_from(code).unwrap_or_default();
        self.0.push(Instruction { code, jump_true, jump_false, operand });
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

    /// Drops a TCP segment that no knock admits.
    fn require_flags(&mut self, flags: FlagRule, header: PortAt) {
        let looked_at = flags.required() | flags.forbidden();
        if looked_at != 0 {
            match header {
                PortAt::BehindIndex => {
                    self.push(libc::BPF_LD | libc::BPF_B | libc::BPF_IND, 0, 0, TCP_FLAGS_AT);
                }
                PortAt::Fixed(header) => self.load_byte(header.saturating_add(TCP_FLAGS_AT)),
            }
            self.push(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, 0, looked_at.into());
            self.require(flags.required().into());
        }
    }

    /// Decides on what is for the SPA port, where the port is loaded: only its one length can be good.
    fn spa(&mut self, port: u16, header: PortAt) {
        let mut block = Self::default();
        block.load_transport(header, 4);
        block.accept(SPA_LEN);
        block.verdict(0);
        let len = u8::try_from(block.0.len()).unwrap_or(u8::MAX);
        self.push(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, len, port.into());
        self.0.extend(block.0);
    }

    /// Decides by the port that is loaded, or delivers everything.
    fn listed(&mut self, ports: Option<&[u16]>) {
        match ports {
            Some(ports) => self.ports(ports),
            None => self.verdict(SNAP),
        }
    }

    /// Decides by the port that is loaded; `ports` are in order.
    fn ports(&mut self, ports: &[u16]) {
        let (low, high) = ports.split_at(ports.len() / 2);
        match high.first() {
            Some(first) if ports.len() > LEAF => {
                let mut block = Self::default();
                block.ports(low);
                let len = u32::try_from(block.0.len()).unwrap_or(u32::MAX);
                self.push(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, (*first).into());
                self.push(libc::BPF_JMP | libc::BPF_JA, 0, 0, len);
                self.0.extend(block.0);
                self.ports(high);
            }
            Some(_) | None => {
                ports.iter().for_each(|port| self.accept((*port).into()));
                self.verdict(0);
            }
        }
    }

    /// Looks at the ports, where the protocol number is loaded.
    fn transports(&mut self, ports: &Ports, header: PortAt) {
        let tcp = tcp_program(ports, header);
        let udp = udp_program(ports, header);
        for (transport, block) in [(Transport::Tcp, tcp), (Transport::Udp, udp)] {
            self.push(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, 0, transport.number().into());
            let len = u32::try_from(block.0.len()).unwrap_or(u32::MAX);
            self.push(libc::BPF_JMP | libc::BPF_JA, 0, 0, len);
            self.0.extend(block.0);
        }
        self.verdict(0);
    }
}

/// The ports of a filter; `None` stands for all of a transport.
struct Ports {
    flags: FlagRule,
    spa_port: Option<u16>,
    tcp: Option<Vec<u16>>,
    udp: Option<Vec<u16>>,
}

impl Ports {
    /// Tells so many ports apart, and those of the transport with fewer before those of the other.
    fn of(interest: &Interest, told_apart: usize) -> Self {
        let of = |transport| -> Vec<u16> {
            let steps = interest.steps.iter().filter(|step| step.transport == transport);
            steps.map(|step| step.port).collect()
        };
        let (tcp, mut udp) = (of(Transport::Tcp), of(Transport::Udp));
        udp.retain(|port| Some(*port) != interest.spa_port);
        let all_fit = tcp.len().saturating_add(udp.len()) <= told_apart;
        let udp_is_less = udp.len() <= tcp.len();
        let fits = |ports: &Vec<u16>, is_less| all_fit || (is_less && ports.len() <= told_apart);
        Self {
            flags: interest.flags,
            spa_port: interest.spa_port,
            tcp: Some(tcp).filter(|ports| fits(ports, !udp_is_less)),
            udp: Some(udp).filter(|ports| fits(ports, udp_is_less)),
        }
    }
}

/// Decides on a TCP segment by its control bits and destination port.
fn tcp_program(ports: &Ports, header: PortAt) -> Program {
    let mut program = Program::default();
    program.require_flags(ports.flags, header);
    program.load_transport(header, 2);
    program.listed(ports.tcp.as_deref());
    program
}

/// Decides on a UDP datagram by its destination port and length.
fn udp_program(ports: &Ports, header: PortAt) -> Program {
    let mut program = Program::default();
    program.load_transport(header, 2);
    if let Some(port) = ports.spa_port {
        program.spa(port, header);
    }
    program.listed(ports.udp.as_deref());
    program
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a sum that overflows fails its test, as it should")]
mod tests;
