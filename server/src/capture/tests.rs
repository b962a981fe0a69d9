use knock_spa_proto::knock::TcpFlags;

use super::*;

fn interest(step: usize) -> Interest {
    let ports = (1..=u16::MAX).step_by(step);
    let steps = |transport| ports.clone().map(move |port| Step { transport, port });
    let steps = steps(Transport::Tcp).chain(steps(Transport::Udp)).collect();
    Interest { spa_port: Some(62201), steps, flags: FlagRule::default().requiring(TcpFlags::SYN) }
}

#[test]
fn programs_fit_into_the_kernel_s_limits() {
    // 8 bytes an instruction, and up to twice as many after the translation.
    const OPTMEM: usize = 20_480;
    for step in [131, 263, 1000] {
        let interest = interest(step);
        for family in Family::ALL {
            let len = program(&interest, family, Some(1), MAX_PORTS).len();
            assert!(len * 8 * 2 < OPTMEM, "{step}: {len}");
        }
    }
    let many = interest(73);
    assert!(many.steps.len() > MAX_PORTS);
    let ports = Ports::of(&many, MAX_PORTS);
    assert!(ports.tcp.is_none() && ports.udp.is_none());
}

#[test]
fn ports_that_are_too_many_to_be_told_apart_all_pass() {
    let mut interest = interest(73);
    interest.steps.retain(|step| step.transport == Transport::Tcp || step.port < 1000);
    let ports = Ports::of(&interest, MAX_PORTS);
    assert!(ports.tcp.is_none() && ports.udp.is_some_and(|udp| udp.len() > 10));
    let program = program(&interest, Family::Ipv4, None, MAX_PORTS);
    let packet = |transport, flags| packet(Family::Ipv4, transport, 3, flags, 9);
    assert!(delivers(&program, &packet(Transport::Tcp, TcpFlags::SYN)));
    assert!(!delivers(&program, &packet(Transport::Tcp, TcpFlags::ACK)), "flags still count");
    assert!(!delivers(&program, &packet(Transport::Udp, 0)));
}

/// What a program says of a packet, from its IP header on, that was sent to this host.
fn delivers(program: &[Instruction], packet: &[u8]) -> bool {
    let (mut a, mut x, mut at) = (0_u32, 0_u32, 0_usize);
    let load = |offset: u32, len: usize| -> u32 {
        let offset = offset as usize;
        packet[offset..offset + len].iter().fold(0, |sum, byte| (sum << 8) | u32::from(*byte))
    };
    loop {
        let Instruction { code, jump_true, jump_false, operand: k } = program[at];
        at += 1;
        let mut jump = |holds: bool| at += usize::from(if holds { jump_true } else { jump_false });
        match code {
            // Ancillary: every packet is for this host, and from an interface that is not left out.
            0x20 => a = 0,
            0x30 => a = load(k, 1),
            0x28 => a = load(k, 2),
            0x50 => a = load(x + k, 1),
            0x48 => a = load(x + k, 2),
            0xb1 => x = 4 * (load(k, 1) & 15),
            0x54 => a &= k,
            0x15 => jump(a == k),
            0x35 => jump(a >= k),
            0x45 => jump(a & k != 0),
            0x05 => at += k as usize,
            0x06 => return k > 0,
            _ => panic!("unknown instruction {code:#x}"),
        }
    }
}

fn packet(family: Family, transport: Transport, port: u16, flags: u8, len: u16) -> Vec<u8> {
    let mut packet = match family {
        Family::Ipv4 => {
            let mut header = vec![0; 24];
            (header[0], header[9]) = (0x46, transport.number());
            header
        }
        Family::Ipv6 => {
            let mut header = vec![0; 40];
            (header[0], header[6]) = (0x60, transport.number());
            header
        }
    };
    let mut header = [0; 20];
    header[2..4].copy_from_slice(&port.to_be_bytes());
    header[4..6].copy_from_slice(&len.to_be_bytes());
    header[13] = flags;
    packet.extend(header);
    packet
}

#[test]
fn programs_deliver_what_is_of_interest_and_nothing_else() {
    for step in [311, 701, 9001] {
        let interest = interest(step);
        for family in Family::ALL {
            let program = program(&interest, family, Some(1), MAX_PORTS);
            for port in (1..=u16::MAX).filter(|port| port % 5 != 2) {
                let listed = (port - 1) % u16::try_from(step).unwrap() == 0;
                let tcp = |flags| packet(family, Transport::Tcp, port, flags, 0);
                assert_eq!(delivers(&program, &tcp(TcpFlags::SYN)), listed, "tcp/{port}");
                assert!(!delivers(&program, &tcp(TcpFlags::ACK)), "tcp/{port}");
                let udp = |len| packet(family, Transport::Udp, port, 0, len);
                let spa = port == 62201;
                assert_eq!(delivers(&program, &udp(9)), listed && !spa, "udp/{port}");
                assert_eq!(delivers(&program, &udp(328)), listed || spa, "udp/{port}");
            }
        }
    }
}
