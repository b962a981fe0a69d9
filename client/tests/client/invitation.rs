//! Enrolment by invitation, toward a server on loopback.

use std::net::Ipv4Addr;
use std::process::Child;
use std::time::Duration;

use knock_spa_keys::client::{ClientKey, ClientLine, ClientSecret};
use knock_spa_keys::invitation::InvitationLine;
use knock_spa_proto::spa::Proven;
use knock_spa_proto::spa::request::{Addresses, Open, Request};

use crate::program::{Device, PUBLIC_LINE, Run};
use crate::server::{RefusingPort, Server, SilentPort};
use crate::terminal::Terminal;

/// The single-use key of every invitation here.
fn invited() -> ClientSecret {
    ClientSecret::from_seed([11; 32])
}

/// An invitation to `server` that proposes `door`.
fn invitation(server: &Server, door: &str) -> String {
    let server = server.line().parse().unwrap();
    let [name, door] = ["laptop", door].map(|word| word.parse().unwrap());
    InvitationLine { server, secret: invited(), name, door }.to_text().to_string()
}

/// `knock-spa enroll` with these options and a line on standard input.
fn spawn(device: &Device, options: &str, input: &str) -> Child {
    let mut child = device.command(format!("enroll {options}").split_whitespace()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
    child
}

fn end(child: Child) -> Run {
    Run::of(&child.wait_with_output().unwrap())
}

fn key_of(device: &Device) -> ClientKey {
    device.run(["enroll"]).ended_with(0).out.trim().parse::<ClientLine>().unwrap().key
}

/// The next two packets: the invitation's, for the key that it names, and that key's own.
fn hear_both(server: &Server) -> (Proven, Request) {
    let enrol = server.hear_of(&invited().public());
    let asked = match enrol.request().unwrap() {
        Request::Enrol(asked) => Some(asked),
        Request::Open(_) | Request::Close(_) => None,
    };
    let key = asked.unwrap().verify(&server.key(), &invited().public()).unwrap();
    let own = server.hear_of(&key);
    (enrol, own.request().unwrap())
}

fn open_ssh() -> Request {
    let sender = Addresses::NONE.with_sender();
    Request::Open(Open::new("ssh".parse().unwrap(), sender, None).unwrap())
}

#[test]
fn an_invitation_enrols_and_opens_the_first_door() {
    let (device, server, port) = (Device::new(), Server::at(Ipv4Addr::LOCALHOST), SilentPort::new());
    let child = spawn(&device, &format!("--probe {}", port.number()), &invitation(&server, "ssh"));
    let (_, own) = hear_both(&server);
    assert_eq!(own, open_ssh());
    port.open();
    let run = end(child).ended_with(0);
    assert!(
        run.err.contains("added 127.0.0.1") && run.err.contains("asking to be enrolled as laptop"),
        "{run:?}"
    );
    assert!(run.err.contains("answers ("), "{run:?}");
    // The secret of the invitation is nowhere on this device, and its own key is what it printed.
    assert_eq!(run.out.trim().parse::<ClientLine>().unwrap().key, key_of(&device));
    assert_ne!(key_of(&device), invited().public());
    let files = device.files();
    assert!(files.iter().all(|(_, bytes)| !String::from_utf8_lossy(bytes).contains("invite")), "{files:?}");
    assert!(!run.err.contains("invite-v1") && !run.out.contains("invite-v1"));
}

#[test]
fn packets_that_get_lost_are_made_up_for_by_fresh_ones() {
    let (device, server, port) = (Device::new(), Server::at(Ipv4Addr::LOCALHOST), SilentPort::new());
    let child = spawn(&device, &format!("--probe {}", port.number()), &invitation(&server, "ssh"));
    let (first, _) = hear_both(&server);
    let (second, own) = hear_both(&server);
    assert!(second.stamp() > first.stamp());
    assert_eq!(own, open_ssh());
    port.open();
    end(child).ended_with(0);
}

#[test]
fn what_failed_can_be_tried_again_with_the_same_key() {
    let (device, server, port) = (Device::new(), Server::at(Ipv4Addr::LOCALHOST), SilentPort::new());
    let (options, line) = (format!("--wait 2s --probe {}", port.number()), invitation(&server, "ssh"));
    let failed = end(spawn(&device, &options, &line)).ended_with(69);
    let failed =
        failed.said("does not answer within 2 s").said("the same invitation").said("expired or revoked");
    let key = key_of(&device);
    while !server.has_heard_all() {
        assert_eq!(hear_both(&server).1, open_ssh());
    }
    let child = spawn(&device, &options, &line);
    assert_eq!(hear_both(&server).1, open_ssh());
    port.open();
    let run = end(child).ended_with(0).said("is known already");
    assert_eq!((run.out, key_of(&device)), (failed.out, key));
}

#[test]
fn a_port_that_answers_unasked_proves_nothing() {
    let (device, server, port) = (Device::new(), Server::at(Ipv4Addr::LOCALHOST), RefusingPort::new());
    port.listen();
    let run = end(spawn(&device, &format!("--probe {}", port.number()), &invitation(&server, "ssh")));
    let run = run.ended_with(0).said("answered before anything was sent").said("nothing shows from here");
    assert!(!run.err.contains(" answers ("), "{run:?}");
    for _ in 0..3 {
        assert_eq!(hear_both(&server).1, open_ssh());
    }
}

#[test]
fn without_a_door_it_only_enrols() {
    let (device, server) = (Device::new(), Server::at(Ipv4Addr::LOCALHOST));
    for (options, door) in [("", ""), ("--no-open", "ssh")] {
        let run = end(spawn(&device, options, &invitation(&server, door)));
        run.ended_with(0).said("nothing shows from here whether the invitation was taken");
        for _ in 0..3 {
            let enrol = server.hear_of(&invited().public()).request().unwrap();
            assert!(matches!(enrol, Request::Enrol(_)));
        }
        assert!(server.has_heard_all());
    }
}

#[test]
fn a_door_whose_port_nobody_knows_is_opened_unseen() {
    let (device, server) = (Device::new(), Server::at(Ipv4Addr::LOCALHOST));
    let run = end(spawn(&device, "--door cellar", &invitation(&server, "ssh"))).ended_with(0);
    run.said("to open cellar").said("nothing shows from here");
    let Request::Open(open) = hear_both(&server).1 else { panic!("it opens") };
    assert_eq!(open.services().to_string(), "cellar");
}

#[test]
fn a_key_of_the_device_is_kept_and_others_cannot_read_the_invitation() {
    let (device, server) = (Device::with_key(), Server::at(Ipv4Addr::LOCALHOST));
    let line = invitation(&server, "");
    let run = device.run(["enroll", &line]).ended_with(0).printed(&format!("{PUBLIC_LINE}\n"));
    run.said("other users of this machine");
    let pasted = end(spawn(&device, "", &line)).ended_with(0);
    assert!(!pasted.err.contains("other users"), "{pasted:?}");
    // Copied with a line's end in it, by quotes left out.
    device.run([&["enroll"], &*line.split(' ').collect::<Vec<_>>()].concat()).ended_with(0);
}

#[test]
fn a_key_under_a_passphrase_enrols() {
    let (device, server) = (Device::with_key(), Server::at(Ipv4Addr::LOCALHOST));
    device.run_with_input(["passphrase", "--passphrase-fd", "0"], "secret").ended_with(0);
    let input = format!("secret\n{}\n", invitation(&server, ""));
    device.run_with_input(["enroll", "--passphrase-fd", "0"], &input).ended_with(0);
    assert!(matches!(server.hear_of(&invited().public()).request().unwrap(), Request::Enrol(_)));

    let new = Device::new();
    let input = format!("secret\n{}\n", invitation(&server, ""));
    new.run_with_input(["enroll", "--passphrase", "--passphrase-fd", "0"], &input).ended_with(0);
    assert!(new.read("client.key").starts_with("knock-spa-client-sealed-v1 "));

    let mut terminal = Terminal::run(&device, "exec \"$0\" enroll");
    terminal.await_text("paste an invitation or a server line, or press Enter: ");
    terminal.type_keys(&format!("{}\n", invitation(&server, ""))).await_text("passphrase of ");
    terminal.await_text(": ").type_keys("secret\n");
    terminal.ended_with(0);
}

#[test]
fn half_an_invitation_changes_nothing() {
    let (device, server) = (Device::with_key(), Server::at(Ipv4Addr::LOCALHOST));
    let (before, line) = (device.files(), invitation(&server, "ssh"));
    let words: Vec<&str> = line.split(' ').collect();
    for broken in [
        words[..2].join(" "),
        words[..3].join(" "),
        line.replace(" ssh", " SSH"),
        line.replace(" ssh", " tcp/22"),
        format!("{line} more"),
        line.replacen("AA", "AB", 1).replacen('C', "D", 1),
    ] {
        let refused = device.run_with_input(["enroll"], &broken).ended_with(65);
        assert!(!refused.err.contains(words[1]), "it shows the secret: {refused:?}");
        assert_eq!(device.files(), before, "{broken}");
    }
    server.hears_nothing_for(Duration::from_millis(50));
}

#[test]
fn a_server_line_with_a_door_opens_it_too() {
    let (device, server, port) = (Device::with_key(), Server::at(Ipv4Addr::LOCALHOST), SilentPort::new());
    let child = spawn(&device, &format!("--door ssh --probe {}", port.number()), &server.line());
    assert_eq!(server.hear_request(), open_ssh());
    port.open();
    end(child).ended_with(0).said("answers (");
}
