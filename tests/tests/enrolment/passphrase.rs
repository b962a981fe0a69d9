//! With a key under a passphrase.

use std::fs;

use super::*;

#[test]
fn a_key_under_a_passphrase_enrols_and_opens() {
    let world = World::new();
    let site = Site::new(&world);
    let laptop = site.laptop();
    let line = site.invite("laptop", &["--door", "ssh"]);
    let enrolled =
        laptop.run_with_input("enroll --passphrase --passphrase-fd 0", &format!("secret\n{line}\n"));
    enrolled.ended_with(0).said("ssh answers (");
    let kept = fs::read_to_string(laptop.path("home/client.key")).unwrap();
    assert!(kept.starts_with("knock-spa-client-sealed-v1 "), "{kept}");
    let open = "open ssh gw.example.net --passphrase-fd 0";
    laptop.run_with_input(open, "wrong\n").ended_with(77);
    laptop.run_with_input(open, "secret\n").ended_with(0).said("ssh answers (");
    // The key is the same without it.
    laptop.run_with_input("passphrase --remove --passphrase-fd 0", "secret\n").ended_with(0);
    laptop.run("open ssh gw.example.net").ended_with(0).said("ssh answers (");
    assert_eq!(site.clients(), ["laptop"]);
}
