//! The wrong inputs.

use crate::Row;
use crate::Step::{Bytes, Directory, Gone, Link, Long, Mode, Pipe, Text};

const CONFIG: &str = "knock-spad.toml";
const KEY: &str = "server.key";
const LINE: &str = "server.key.pub";
const CLIENTS: &str = "clients.d";
const ALICE: &str = "clients.d/alice.toml";
const OLD: &str = "old.conf";
const BOB: &str = "clients.d/bob.toml";

const CHECK: &[&str] = &["check"];
const INIT: &[&str] = &["init"];
const SHOW: &[&str] = &["key", "show"];
const LIST: &[&str] = &["client", "list"];

/// A good line that nobody has.
const BOBS: &str = "knock-spa-client-v1 Q6cucUQBdi32a2jCbfvfJoKq7J8kdOykYT5CSg+6/TztfJB/ bob@phone";
const ALICES: &str = crate::scene::ALICE;

const fn row(
    steps: &'static [crate::Step],
    arguments: &'static [&'static str],
    status: i32,
    words: &'static [&'static str],
) -> Row {
    Row { steps, arguments, status, words }
}

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    // The command line itself.
    row(&[], &["frob"], 64, &["unrecognized subcommand"]),
    row(&[], &["check", "--frob"], 64, &["unexpected argument"]),
    row(&[], &["check", "file"], 64, &["unexpected argument"]),
    row(&[], &["key"], 64, &["something is missing", "show"]),
    row(&[], &["client"], 64, &["something is missing", "remove"]),
    row(&[], &["client", "remove"], 64, &["<NAME>"]),
    row(&[], &["client", "add", "bob"], 64, &["<LINE>"]),

    // check: the configuration.
    row(&[Gone(CONFIG)], CHECK, 1, &["error: can't read DIR/knock-spad.toml: No such file"]),
    row(&[Directory(CONFIG)], CHECK, 1, &["DIR/knock-spad.toml is not a regular file"]),
    row(&[Pipe(CONFIG)], CHECK, 1, &["is not a regular file"]),
    row(&[Link(CONFIG, CONFIG)], CHECK, 1, &["Too many levels of symbolic links"]),
    row(&[Link(CONFIG, "/dev/zero")], CHECK, 1, &["is not a regular file"]),
    row(&[Bytes(CONFIG, b"\x7fELF\x02\x01\x01\x00\xff\xfe")], CHECK, 1, &["is not text"]),
    row(&[Bytes(CONFIG, b"a = \"\x01\x1b[2J\"")], CHECK, 1, &["knock-spad.toml:1: error: not TOML"]),
    row(&[Long(CONFIG, 2_000_000)], CHECK, 1, &["longer than 1048576 bytes"]),
    row(&[Text(CONFIG, "[door.ssh\n")], CHECK, 1, &["knock-spad.toml:1: error: not TOML", "1 error was found"]),
    row(&[Text(CONFIG, "[door.ssh]\nports = 22")], CHECK, 1, &["knock-spad.toml:2: error: [door.ssh] ports: a whole number where an array belongs"]),
    row(&[Text(CONFIG, "[door.ssh]\nport = ['tcp/22']")], CHECK, 1, &[":2: error: [door.ssh] port: unknown key", "known here: aliases, ports,", ":1: error: [door.ssh]: no ports"]),
    row(&[Text(CONFIG, "[\"\\u001b]0;x\\u0007\"]\na = 1")], CHECK, 1, &["\\u{1b}]0;x\\u{7}: unknown key"]),
    row(&[Text(CONFIG, "[spa]\nwindow = '1 minute'")], CHECK, 1, &[":2: error: [spa] window: \"1 minute\": not a span of time"]),
    row(&[Text(CONFIG, "[spa]\nwindow = '1h'")], CHECK, 1, &["out of range", "from 10s to 10m"]),
    row(&[Text(CONFIG, "[door.a]\nports = ['tcp/22']\n[door.b]\nports = ['tcp/22']")], CHECK, 1, &[":4: error: [door.b] ports: tcp/22 is listed by door a already, in line 2"]),
    row(&[Text(CONFIG, "[knockd]\ninclude = 'DIR/no.conf'")], CHECK, 1, &["knock-spad.toml:2: error: [knockd] include: DIR/no.conf: No such file"]),
    row(&[Text(CONFIG, "x = 1\n[knockd]\ninclude = 'DIR/old.conf'"), Text(OLD, "[a]\nsequence = 70000\n")], CHECK, 1, &["knock-spad.toml:1: error: x: unknown key", "old.conf:2: error: [a] Sequence: port 70000 is invalid", "2 errors were found"]),
    row(&[Text(CONFIG, "[[knockd.door]]\nname = 'a'")], CHECK, 1, &[":1: error: [[knockd.door]]: neither sequence nor one-time-sequences"]),
    row(&[Text(CONFIG, "[a]\nsequence = 1\nx = 2\n")], &["check", "--knockd"], 1, &["knock-spad.toml:3: error: syntax error", "1 error was found"]),
    row(&[Text(CONFIG, "[listen]\ncapture = 'socket'\n[door.a]\nports = ['tcp/1']\nsequence = ['1', '2', '4']")], CHECK, 1, &[":3: error: [door.a]: no sequence is heard with capture = \"socket\"", "leave the sequence out"]),
    row(&[Text("server.key.previous", "knock-spa-server-previous-v2 2027-06-30T12:00:00Z\n"), Mode("server.key.previous", 0o600)], &["key", "rotate"], 65, &["there is a previous key that can't be used: DIR/server.key.previous: its first line is not", "key rotate --end-previous"]),
    row(&[Text(CONFIG, "[door.a]\nports = ['tcp/1']\naction = { set4 = 'inet filter' }")], CHECK, 1, &[":3: error: [door.a] action.set4: \"inet filter\": not the name of a set"]),

    // check: the key and the clients.
    row(&[Mode(KEY, 0o644)], CHECK, 1, &["error: DIR/server.key holds a secret, and others may use it (its mode is 0644)", "chmod 600 DIR/server.key"]),
    row(&[Directory(KEY)], CHECK, 1, &["DIR/server.key is not a regular file"]),
    row(&[Text(KEY, "rubbish")], CHECK, 1, &["DIR/server.key: not a key: it does not begin with knock-spa-server-secret-v1"]),
    row(&[Text(KEY, "knock-spa-server-v1 x gw:1")], CHECK, 1, &["this is a knock-spa-server-v1 line"]),
    row(&[Text(ALICE, "kee = 1")], CHECK, 1, &["alice.toml:1: error: kee: unknown key", "alice.toml:1: error: no key"]),
    row(&[Text(ALICE, "key = 'knock-spa-client-v1 AAAA'")], CHECK, 1, &["alice.toml:1: error: key: the key is not as long as it should be"]),
    row(&[Text(BOB, "\nkey = 'knock-spa-client-v1 /RckOFqgx1tk+3jNYC+h2ZH96/drE8WO1wLqyDXp9hizdz1g'")], CHECK, 1, &["bob.toml:2: error: key: client alice has this key already"]),
    row(&[Directory(BOB)], CHECK, 1, &["DIR/clients.d/bob.toml is not a regular file"]),
    row(&[Bytes(BOB, &[0xc3, 0x28])], CHECK, 1, &["bob.toml is not text"]),
    row(&[Long(BOB, 20_000)], CHECK, 1, &["bob.toml is longer than 16384 bytes"]),
    row(&[Text("clients.d/b b.toml", "")], CHECK, 1, &["DIR/clients.d/b b.toml: not a client's name"]),
    row(&[Gone(CLIENTS), Text(CLIENTS, "")], CHECK, 1, &["can't read DIR/clients.d: Not a directory"]),

    // init.
    row(&[Text(CONFIG, "x")], INIT, 78, &["knock-spad.toml:1: not TOML"]),
    row(&[Directory(CONFIG)], INIT, 66, &["is not a regular file"]),
    row(&[Mode(KEY, 0o640)], INIT, 77, &["holds a secret", "chmod 600"]),
    row(&[Directory(KEY)], INIT, 66, &["server.key is not a regular file"]),
    row(&[Text(KEY, "")], INIT, 65, &["server.key: not a key"]),
    row(&[Directory(LINE)], INIT, 66, &["server.key.pub is not a regular file"]),
    row(&[Gone(CLIENTS), Text(CLIENTS, "")], INIT, 73, &["DIR/clients.d is not a directory"]),
    row(&[], &["init", "--endpoint", ""], 64, &["--endpoint"]),
    row(&[], &["init", "--endpoint", "gw:0"], 64, &["a number from 1 to 65535"]),
    row(&[], &["init", "--endpoint", "gw_1"], 64, &["host name"]),
    row(&[], &["init", "--endpoint", "gw,gw"], 64, &["--endpoint: an endpoint stands twice"]),
    row(&[], &["init", "--endpoint", "a,b,c,d,e,f,g,h,i"], 64, &["1 to 8 endpoints"]),
    row(&[], &["init", "gw"], 64, &["unexpected argument"]),

    // key show.
    row(&[Gone(CONFIG)], SHOW, 66, &["No such file", "knock-spad init"]),
    row(&[Text(CONFIG, "a = 1")], SHOW, 78, &["a: unknown key"]),
    row(&[Gone(KEY)], SHOW, 66, &["can't read DIR/server.key: No such file", "knock-spad init"]),
    row(&[Mode(KEY, 0o604)], SHOW, 77, &["its mode is 0604"]),
    row(&[Bytes(KEY, b"\xff\xff")], SHOW, 65, &["server.key is not text"]),
    row(&[Long(KEY, 10_000)], SHOW, 65, &["longer than 4096 bytes"]),
    row(&[Pipe(KEY), Mode(KEY, 0o600)], SHOW, 66, &["is not a regular file"]),
    row(&[Gone(LINE)], SHOW, 66, &["can't read DIR/server.key.pub", "knock-spad init --endpoint HOST"]),
    row(&[Text(LINE, "knock-spa-server-v1 ")], SHOW, 65, &["server.key.pub: "]),
    row(&[Text(KEY, "knock-spa-server-secret-v1 OTHER")], SHOW, 65, &["server.key: the key is not as long as it should be"]),

    // client add.
    row(&[], &["client", "add", "../bob", BOBS], 64, &["not a client's name"]),
    row(&[], &["client", "add", "", BOBS], 64, &["not a client's name"]),
    row(&[], &["client", "add", ".bob", BOBS], 64, &["not a client's name"]),
    row(&[], &["client", "add", "b\u{1b}b", BOBS], 64, &["not a client's name"]),
    row(&[], &["client", "add", "bob", ""], 65, &["LINE: not a key", "knock-spa enroll"]),
    row(&[], &["client", "add", "bob", "knock-spa-server-v1 x"], 65, &["this is a knock-spa-server-v1 line, and a knock-spa-client-v1 line is wanted"]),
    row(&[], &["client", "add", "bob", "knock-spa-client-v1 /RckOFqgx1tk+3jNYC+h2ZH96/drE8WO1wLqyDXp9hizdz1"], 65, &["not as long as it should be"]),
    row(&[], &["client", "add", "bob", "knock-spa-client-v1 /rckOFqgx1tk+3jNYC+h2ZH96/drE8WO1wLqyDXp9hizdz1g"], 65, &["checksum is wrong"]),
    row(&[], &["client", "add", "bob", BOBS, "--door", "web"], 65, &["--door web: the configuration has no such door", "its doors: ssh"]),
    row(&[], &["client", "add", "bob", BOBS, "--door", "tcp/22"], 64, &["not a service name"]),
    row(&[], &["client", "add", "bob", BOBS, "--service", "tcp/0"], 64, &["neither a door's name"]),
    row(&[], &["client", "add", "bob", BOBS, "--address", "any"], 64, &["not an address mode: sender, claimed or match"]),
    row(&[], &["client", "add", "bob", BOBS, "--from", "192.0.2.1/24"], 64, &["did you mean 192.0.2.0/24"]),
    row(&[], &["client", "add", "bob", BOBS, "--max-open", "forever"], 64, &["not a span of time"]),
    row(&[], &["client", "add", "bob", BOBS, "--not-after", "2027-02-29"], 64, &["neither a date"]),
    row(&[], &["client", "add", "bob", BOBS, "--not-before", "2027-02-02", "--not-after", "2027-02-01"], 65, &["--not-after: it would end with 2027-02-01, before it begins with 2027-02-02"]),
    row(&[], &["client", "add", "bob", BOBS, "--rate", "60"], 64, &["not a rate like 60/min"]),
    row(&[], &["client", "add", "alice", BOBS], 73, &["there is a client alice already", "another name"]),
    row(&[], &["client", "add", "bob", ALICES], 65, &["client alice has this key already"]),
    row(&[Directory(BOB)], &["client", "add", "bob", BOBS], 65, &["bob.toml is not a regular file"]),
    row(&[Text(ALICE, "x")], &["client", "add", "bob", BOBS], 65, &["alice.toml:1: not TOML"]),
    row(&[Gone(CLIENTS)], &["client", "add", "bob", BOBS], 66, &["clients.d: No such file", "knock-spad init"]),
    row(&[Gone(KEY)], &["client", "add", "bob", BOBS], 66, &["server.key: No such file", "knock-spad init"]),
    row(&[Gone(LINE)], &["client", "add", "bob", BOBS], 66, &["server.key.pub: No such file"]),
    row(&[Gone(CONFIG)], &["client", "add", "bob", BOBS], 66, &["knock-spad.toml: No such file"]),
    row(&[Text(CONFIG, "x = 1")], &["client", "add", "bob", BOBS], 78, &["x: unknown key"]),

    // import knockd.
    row(&[], &["import"], 64, &["something is missing", "knockd"]),
    row(&[], &["import", "knockd"], 64, &["<FILE>"]),
    row(&[], &["import", "knockd", "/nowhere/knockd.conf"], 66, &["can't read /nowhere/knockd.conf: No such file"]),
    row(&[], &["import", "knockd", "/dev/null/x"], 74, &["can't read /dev/null/x: Not a directory"]),

    // client list and remove.
    row(&[Text(ALICE, "key = 1")], LIST, 65, &["alice.toml:1: key: a whole number where a string belongs"]),
    row(&[Gone(CLIENTS)], LIST, 66, &["knock-spad init"]),
    row(&[], &["client", "remove", "bob"], 66, &["there is no client bob", "client list"]),
    row(&[], &["client", "remove", "../server"], 64, &["not a client's name"]),
    row(&[Directory(BOB)], &["client", "remove", "bob"], 74, &["can't remove DIR/clients.d/bob.toml"]),
    row(&[Gone(CLIENTS)], &["client", "remove", "bob"], 66, &["clients.d: No such file"]),
    row(&[Text(CONFIG, "[paths")], &["client", "remove", "alice"], 78, &["knock-spad.toml:1: not TOML"]),
];
