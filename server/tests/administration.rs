//! From nothing to an enrolled client and back, as an administrator goes.
#![expect(clippy::disallowed_methods, reason = "the program under test is run here")]
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::process::{Command, Output};

use knock_spa_keys::client::ClientLine;
use knock_spa_keys::comment::Comment;
use knock_spa_keys::invitation::InvitationLine;
use knock_spa_keys::server::ServerLine;
use knock_spad::clients::date::NotAfter;

const PROGRAM: &str = env!("CARGO_BIN_EXE_knock-spad");
const ALICE: &str = "knock-spa-client-v1 /RckOFqgx1tk+3jNYC+h2ZH96/drE8WO1wLqyDXp9hizdz1g alice@laptop";

/// Runs a script where `/etc`, `/var/lib` and `/run` are empty and nobody else's.
fn in_an_empty_system(script: &str) -> Output {
    let mounts = "set -eu; for d in /etc /var/lib /run; do mount -t tmpfs none $d; done";
    Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "--propagation", "private", "sh", "-c"])
        .arg(format!(
            "{mounts}; knock_spad() {{ {PROGRAM} \"$@\"; }}; PROGRAM={PROGRAM}; alice='{ALICE}'\n{script}"
        ))
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn init_makes_what_is_missing_and_keeps_what_is_there() {
    let output = in_an_empty_system(
        "knock_spad init --endpoint gw.example.net
         knock_spad init --endpoint gw.example.net
         knock_spad key show
         (cd / && find etc var/lib run -mindepth 1 -printf '%M %p\\n' | sort -k2)",
    );
    let (said, notes) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{notes}");
    let lines: Vec<_> = said.lines().collect();
    assert!(
        lines[0].starts_with("knock-spa-server-v1 ") && lines[0].ends_with(" gw.example.net:62201"),
        "{said}"
    );
    assert_eq!((lines[1], lines[2]), (lines[0], lines[0]));
    assert_eq!(
        lines[3..],
        [
            "drwxr-xr-x etc/knock-spa",
            "-rw------- etc/knock-spa/knock-spad.toml",
            "drwx------ var/lib/knock-spa",
            "drwx------ var/lib/knock-spa/clients.d",
            "-rw------- var/lib/knock-spa/journal",
            "-rw------- var/lib/knock-spa/lock",
            "-rw------- var/lib/knock-spa/server.key",
            "-rw------- var/lib/knock-spa/server.key.pub",
        ]
    );
    for note in [
        "made the directory /etc/knock-spa\n",
        "made the server's key /var/lib/knock-spa/server.key\n",
        "made the configuration /etc/knock-spa/knock-spad.toml",
        "kept the server's key /var/lib/knock-spa/server.key\n",
        "kept the configuration /etc/knock-spa/knock-spad.toml\n",
        "fingerprint: SHA256:",
    ] {
        assert_eq!(
            notes.matches(note).count(),
            if note.starts_with("fing") { 3 } else { 1 },
            "{note}: {notes}"
        );
    }
}

#[test]
fn init_without_an_endpoint_takes_the_host_s_name_and_keeps_another() {
    let output = in_an_empty_system(
        "knock_spad init
         knock_spad init --endpoint '192.0.2.1:99,[2001:db8::1]'
         knock_spad init",
    );
    let (said, notes) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{notes}");
    let endpoints: Vec<_> = said.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    let host = text(&Command::new("uname").arg("-n").output().unwrap().stdout).trim().to_lowercase();
    assert_eq!(
        endpoints,
        [&format!("{host}:62201"), "192.0.2.1:99,[2001:db8::1]:62201", "192.0.2.1:99,[2001:db8::1]:62201"]
    );
    assert_eq!(notes.matches(&format!("clients will look for this server as {host}")).count(), 1, "{notes}");
    let keys: Vec<_> = said.lines().filter_map(|line| line.split(' ').nth(1)).collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "{said}");
}

#[test]
fn a_client_comes_and_goes() {
    let output = in_an_empty_system(
        "knock_spad init --endpoint gw 2>/dev/null
         knock_spad client add alice \"$alice\" --door ssh --service tcp/8000-8100 --door ssh --address claimed \\
             --from 203.0.113.0/24 --from 2001:db8::/32 --max-open 90m \\
             --not-before 2020-01-01 --not-after 2020-06-30 --rate 7/min
         cat /var/lib/knock-spa/clients.d/alice.toml
         knock_spad client list --json
         knock_spad client list
         knock_spad check
         knock_spad client remove alice
         knock_spad client list
         knock_spad client list --json",
    );
    let (said, notes) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{notes}");
    let (lines, rest) = said.split_once("key        = ").unwrap();
    let server: Vec<_> = lines.lines().collect();
    assert_eq!(server[0], server[1], "init and add print the same line");
    let expected = format!(
        "\"{ALICE}\"\n\
         services   = [\"ssh\", \"tcp/8000-8100\"]\n\
         address    = \"claimed\"\n\
         from       = [\"203.0.113.0/24\", \"2001:db8::/32\"]\n\
         max-open   = \"90m\"\n\
         not-before = 2020-01-01\n\
         not-after  = 2020-06-30\n\
         rate       = \"7/min\"\n"
    );
    let listed = rest.strip_prefix(&expected).unwrap_or(rest);
    let (json, table) = listed.split_once("]\nNAME").unwrap();
    let json: serde_json::Value = serde_json::from_str(&format!("{json}]")).unwrap();
    let expected = serde_json::json!([{
        "name": "alice",
        "fingerprint": "SHA256:s3c9YLAPaGl2Gss1RFPnUf7O1Kkl4WXPiQvqAk3uowE",
        "services": ["ssh", "tcp/8000-8100"],
        "address": "claimed",
        "from": ["203.0.113.0/24", "2001:db8::/32"],
        "max-open": "90m",
        "not-before": "2020-01-01",
        "not-after": "2020-06-30",
        "rate": "7/min",
        "valid": false,
        "last-use": "never",
    }]);
    assert_eq!(json, expected);
    let rows: Vec<_> = table.lines().collect();
    let row = "alice NO ssh,tcp/8000-8100 claimed 203.0.113.0/24,2001:db8::/32 90m 2020-01-01 2020-06-30 7/min never";
    let shown = rows[1].split_whitespace().take(10).collect::<Vec<_>>().join(" ");
    assert_eq!(shown, row, "{table}");
    assert_eq!(rows[2..], ["/etc/knock-spa/knock-spad.toml: good; doors: 1; clients: 1", "[]"]);
    for note in [
        "enrolled client alice, SHA256:s3c9YLAPaGl2Gss1RFPnUf7O1Kkl4WXPiQvqAk3uowE\n",
        "  It is not valid now, by --not-before or --not-after.\n",
        "alice.toml: services: no door has tcp/8000-8100\n",
        "removed client alice\n",
        "no client is enrolled\n",
    ] {
        assert_eq!(notes.matches(note).count(), 1, "{note}: {notes}");
    }
}

#[test]
fn a_client_is_changed_option_by_option() {
    let output = in_an_empty_system(
        "knock_spad init --endpoint gw 2>/dev/null >&2
         knock_spad client add alice \"$alice\" --door ssh --from 203.0.113.0/24 --rate 7/min 2>/dev/null >&2
         file=/var/lib/knock-spa/clients.d/alice.toml
         echo '# hers' >>$file
         knock_spad client set alice --service tcp/8000-8100 --service udp/53 --from 2001:db8::/32 --max-open 90m \\
             --not-before 2020-01-01 --expires 2099-06-30 --address match --door ssh
         cat $file; echo; stat -c '%a %u' $file
         knock_spad client set alice --without ssh --without udp/53 --without 203.0.113.0/24 --rate 60/min
         cat $file; echo
         knock_spad client set alice --from any --max-open none --not-before none --not-after never --address sender \\
             --without tcp/8000-8100
         cat $file",
    );
    let (said, notes) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{notes}");
    let expected = format!(
        "key        = \"{ALICE}\"\n\
         services   = [\"ssh\", \"tcp/8000-8100\", \"udp/53\"]\n\
         address    = \"match\"\n\
         from       = [\"203.0.113.0/24\", \"2001:db8::/32\"]\n\
         max-open   = \"90m\"\n\
         not-before = 2020-01-01\n\
         not-after  = 2099-06-30\n\
         rate       = \"7/min\"\n\
         \n600 0\n\
         key        = \"{ALICE}\"\n\
         services   = [\"tcp/8000-8100\"]\n\
         address    = \"match\"\n\
         from       = [\"2001:db8::/32\"]\n\
         max-open   = \"90m\"\n\
         not-before = 2020-01-01\n\
         not-after  = 2099-06-30\n\
         rate       = \"60/min\"\n\
         \n\
         key        = \"{ALICE}\"\n\
         services   = []\n\
         address    = \"sender\"\n\
         rate       = \"60/min\"\n"
    );
    assert_eq!(said, expected);
    assert_eq!(notes.matches("changed client alice\n").count(), 3);
    for note in ["the comments in it are gone", "It may open nothing"] {
        assert_eq!(notes.matches(note).count(), 1, "{note}: {notes}");
    }
}

#[test]
fn a_change_that_cannot_be_tells_everything_that_is_wrong_and_changes_nothing() {
    let many = (1..=65).map(|port| format!(" --service tcp/{port}")).collect::<String>();
    let output = in_an_empty_system(&format!(
        "knock_spad init --endpoint gw 2>/dev/null >&2
         knock_spad client add alice \"$alice\" --door ssh --from 203.0.113.0/24 2>/dev/null >&2
         cd /var/lib/knock-spa/clients.d; cp alice.toml /run/before
         code() {{ knock_spad client \"$@\" || echo $?; }}
         code set alice --door web --door mail --without tcp/1 --without 203.0.113.0/24 \\
             --not-before 2027-01-01 --not-after 2026-12-31
         code set alice --from any --from 10.0.0.0/8
         code set alice{many}
         code add carol \"$alice\"{many}
         code set bob --door ssh
         code set alice
         code set alice --max-open never
         cmp alice.toml /run/before; ls
         echo 'colour = 1' >>alice.toml; code set alice --address match"
    ));
    let (said, notes) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{notes}");
    assert_eq!(said, "65\n65\n65\n65\n66\n64\n64\nalice.toml\n65\n");
    for note in [
        "error: --door web: the configuration has no such door\n  its doors: ssh\n\
         --door mail: the configuration has no such door\n  its doors: ssh\n\
         --without tcp/1: the client has no such thing\n\
         --without: no network is left, so that it could open nothing\n  --from any: anywhere\n\
         --not-after: it would end with 2026-12-31, before it begins with 2027-01-01\n",
        "error: --from any: a network beside it would mean nothing\n",
        "error: there is no client bob\n",
        "colour: unknown key\n",
    ] {
        assert_eq!(notes.matches(note).count(), 1, "{note}: {notes}");
    }
    assert_eq!(notes.matches("more than 64").count(), 1, "{notes}");
}

#[test]
fn a_broken_configuration_does_not_hold_up_a_removal() {
    let output = in_an_empty_system(
        "knock_spad init --endpoint gw 2>/dev/null >&2
         knock_spad client add alice \"$alice\" --door ssh 2>/dev/null >&2
         echo 'colour = 1' >>/etc/knock-spa/knock-spad.toml
         knock_spad client list || echo $?
         knock_spad client remove alice
         ls /var/lib/knock-spa/clients.d
         echo '[paths' >>/etc/knock-spa/knock-spad.toml
         knock_spad client remove alice || echo $?",
    );
    let (said, notes) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{notes}");
    assert_eq!(said, "78\n78\n", "{notes}");
    assert_eq!(notes.matches("warning: the configuration can't be used:").count(), 1, "{notes}");
    assert_eq!(notes.matches("removed client alice").count(), 1, "{notes}");
}

#[test]
fn without_a_daemon_and_a_whole_journal_the_last_use_is_unknown_and_nothing_is_touched() {
    let output = in_an_empty_system(
        "knock_spad init --endpoint gw 2>/dev/null >&2
         knock_spad client add alice \"$alice\" --door ssh 2>/dev/null >&2
         cd /var/lib/knock-spa
         last() { knock_spad client list | tail -1 | sed 's/ *SHA256.*//; s/.* //'; knock_spad client list --json 2>/dev/null | grep last-use; }
         last
         printf 'rubbish' >journal; last; cat journal
         rm journal; last
         find . -newer server.key -name 'journal*'",
    );
    let (said, notes) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{notes}");
    let lines: Vec<_> = said.lines().map(str::trim).collect();
    let (unknown, null) = ("unknown", "\"last-use\": null");
    let expected = ["never", "\"last-use\": \"never\"", unknown, null, "rubbishunknown", null];
    assert_eq!(lines, expected, "{notes}");
    for why in ["is no journal that this version reads", "there is no journal"] {
        assert_eq!(notes.matches(why).count(), 1, "{why}: {notes}");
    }
}

#[test]
fn bare_it_prints_its_help_and_nobody_listening_is_no_failure() {
    let output = Command::new(PROGRAM).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    assert!(text(&output.stdout).contains("Usage: knock-spad"));
    let closed =
        Command::new("sh").arg("-c").arg(format!("{PROGRAM} --help | true; {PROGRAM} --help >&-")).output();
    assert_eq!(text(&closed.unwrap().stderr), "");
}

#[test]
fn a_full_disk_is_told() {
    let output = Command::new("sh").arg("-c").arg(format!("{PROGRAM} --help >/dev/full")).output().unwrap();
    assert_eq!(output.status.code(), Some(74));
    assert!(text(&output.stderr).starts_with("error: can't write to standard output: No space left"));
}

#[test]
fn an_invitation_is_one_line_and_the_server_keeps_its_public_half() {
    let output = in_an_empty_system(
        "knock_spad init --endpoint gw 2>/dev/null
         knock_spad invite laptop --door ssh --service tcp/8443 --max-open 10m --not-after 2100-01-01
         knock_spad invite phone --expires 1m
         cat /var/lib/knock-spa/invitations.d/laptop.toml
         ls -l /var/lib/knock-spa/invitations.d | tail -n +2 | cut -c 1-10",
    );
    let (said, notes) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}\n{notes}");
    let lines: Vec<_> = said.lines().collect();
    let server: ServerLine = lines[0].parse().unwrap();
    let [laptop, phone] = [1, 2].map(|at| lines[at].parse::<InvitationLine>().unwrap());
    assert_eq!((laptop.name.as_str(), laptop.door.as_str()), ("laptop", "ssh"));
    assert_eq!((phone.name.as_str(), phone.door.as_str()), ("phone", ""));
    assert!(laptop.server == server && phone.server == server);
    assert_ne!(laptop.secret.public(), phone.secret.public());
    let key = ClientLine { key: laptop.secret.public(), comment: Comment::default() };
    let kept = [
        &format!("key        = \"{key}\""),
        "services   = [\"ssh\", \"tcp/8443\"]",
        "address    = \"sender\"",
        "max-open   = \"10m\"",
        "not-after  = 2100-01-01",
        "rate       = \"60/min\"",
    ];
    assert_eq!(lines[3..9], kept);
    let expires = lines[9].strip_prefix("expires    = ").unwrap();
    assert!(expires.parse::<NotAfter>().is_ok());
    assert_eq!(lines[10..], ["-rw-------", "-rw-------"]);
    for (note, count) in [
        (&*format!("invited laptop, until {expires}\n"), 1),
        ("  The line is a SECRET, good once: whoever uses it first is this client.\n", 2),
        ("  On the device that is to be the client: `knock-spa enroll`, and paste it there:\n", 2),
        ("  It may open nothing: --door or --service gives it something to open.\n", 1),
        // The secret goes to standard output alone.
        ("knock-spa-invite-v1", 0),
    ] {
        assert_eq!(notes.matches(note).count(), count, "{note}: {notes}");
    }
}

#[test]
fn an_invitation_keeps_its_name_until_it_is_revoked() {
    let output = in_an_empty_system(
        "knock_spad init --endpoint gw >/dev/null 2>&1
         fails() { knock_spad \"$@\" && exit 9 || echo $?; }
         knock_spad invite laptop >/dev/null 2>&1
         fails invite laptop
         fails client add laptop \"$alice\"
         knock_spad client add alice \"$alice\" >/dev/null 2>&1
         fails invite alice
         fails invite tv --door nosuch
         fails invite tv --expires 59s
         fails invite tv --expires 31d
         fails invite list --door ssh
         fails invite --door ssh revoke
         fails invite
         knock_spad check
         knock_spad invite revoke laptop
         fails invite revoke laptop
         knock_spad invite laptop >/dev/null 2>&1",
    );
    let (said, notes) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}\n{notes}");
    let checked = "/etc/knock-spa/knock-spad.toml: good; doors: 1; clients: 1; invitations: 1";
    let said: Vec<_> = said.lines().collect();
    assert_eq!(said, ["73", "73", "73", "65", "64", "64", "64", "64", "64", checked, "66"]);
    for (note, count) in [
        ("error: there is an invitation laptop already, and nobody has used it yet\n", 1),
        ("error: the name laptop is kept by an invitation\n", 1),
        ("`knock-spad invite revoke laptop` first\n", 2),
        ("error: there is a client alice already\n", 1),
        ("error: --door nosuch: the configuration has no such door\n", 1),
        ("error: --expires: out of range\n  from 1m to 30d\n", 2),
        ("`list` and `revoke` are words of `knock-spad invite`: nobody can be invited by such a name\n", 2),
        ("revoked the invitation laptop\n", 1),
        ("error: there is no invitation laptop\n", 1),
    ] {
        assert_eq!(notes.matches(note).count(), count, "{note}: {notes}");
    }
}

#[test]
fn a_rotation_tells_how_many_hold_an_invitation_made_with_an_older_key() {
    let output = in_an_empty_system(
        "knock_spad init --endpoint gw >/dev/null 2>&1
         knock_spad key rotate >/dev/null
         for name in used phone laptop; do knock_spad invite $name --door ssh >/dev/null 2>&1; done
         echo \"used-by = '$alice'\" >>/var/lib/knock-spa/invitations.d/used.toml
         knock_spad key rotate --end-previous >/dev/null",
    );
    let notes = text(&output.stderr);
    assert!(output.status.success(), "{notes}");
    assert_eq!(notes.matches("pending in `knock-spad invite list`").count(), 1, "{notes}");
    assert!(notes.contains("2 pending in `knock-spad invite list` have an older key"), "{notes}");
}

#[test]
fn invitations_are_listed_with_what_became_of_them() {
    let output = in_an_empty_system(
        "knock_spad init --endpoint gw >/dev/null 2>&1
         knock_spad invite list
         for name in laptop old phone; do knock_spad invite $name --door ssh >/dev/null 2>&1; done
         cd /var/lib/knock-spa/invitations.d
         for name in laptop old phone; do sed -i \"s/^expires .*/expires = 2100-01-01T12:00:00Z/\" $name.toml; done
         sed -i 's/2100/2020/' old.toml
         echo \"used-by = '$alice'\" >>phone.toml
         knock_spad invite list
         knock_spad invite list --json
         knock_spad invite revoke phone",
    );
    let (said, notes) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}\n{notes}");
    let (table, json) = said.split_once('[').unwrap();
    let print = "SHA256:s3c9YLAPaGl2Gss1RFPnUf7O1Kkl4WXPiQvqAk3uowE";
    assert_eq!(
        table,
        format!(
            "NAME    SERVICES  UNTIL                 STATE\n\
             laptop  ssh       2100-01-01T12:00:00Z  pending\n\
             old     ssh       2020-01-01T12:00:00Z  expired\n\
             phone   ssh       2100-01-01T12:00:00Z  used by {print}\n"
        )
    );
    let json: serde_json::Value = serde_json::from_str(&format!("[{json}")).unwrap();
    let row = |name, expires, state, by: Option<&str>| {
        serde_json::json!({
            "name": name, "services": ["ssh"], "expires": expires, "state": state, "used-by": by,
        })
    };
    let expected = serde_json::json!([
        row("laptop", "2100-01-01T12:00:00Z", "pending", None),
        row("old", "2020-01-01T12:00:00Z", "expired", None),
        row("phone", "2100-01-01T12:00:00Z", "used", Some(print)),
    ]);
    assert_eq!(json, expected);
    assert!(notes.starts_with("nobody is invited\n"), "{notes}");
    assert!(notes.contains("whoever used it stays enrolled: `knock-spad client remove phone`\n"), "{notes}");
}

#[test]
fn a_terminal_gets_a_drawing_and_a_pipe_only_where_it_is_asked_for() {
    let output = in_an_empty_system(
        "knock_spad init --endpoint gw >/dev/null 2>&1
         knock_spad invite plain 2>/run/plain >/run/line
         knock_spad invite drawn --qr 2>/run/drawn >>/run/line
         script -qec \"$PROGRAM invite seen 2>/run/seen\" /dev/null >/run/typed
         grep -c '^knock-spa-invite-v1 ' /run/line
         for file in plain drawn seen; do grep -c █ /run/$file || :; done",
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    let counts: Vec<usize> = said.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(counts[..2], [2, 0]);
    assert!(counts[2..].iter().all(|lines| (20..40).contains(lines)), "{said}");
}
