//! The system's resolver, which may take its time.

use std::io;
use std::thread;

use knock_spa_proto::address::Address;

/// Looks up the name of an address, on a thread of its own which ends with the answer; nobody has to wait for that.
/// Whoever owns the address chooses the name: it may hold any bytes.
///
/// # Errors
/// Where the system has no thread to spare.
pub fn look_up(address: Address, answer: impl FnOnce(Option<String>) + Send + 'static) -> io::Result<()> {
    let ask = move || answer(dns_lookup::lookup_addr(&address.ip()).ok());
    thread::Builder::new().name("resolver".into()).spawn(ask).map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn every_question_is_answered() {
        let (sender, receiver) = mpsc::channel();
        // Loopback is in the hosts file, or nowhere.
        look_up("127.0.0.1".parse().unwrap(), move |name| sender.send(name).unwrap()).unwrap();
        assert!(receiver.recv().unwrap().is_none_or(|name| !name.is_empty()));
    }
}
