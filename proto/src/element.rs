//! What an opening opens: one port to one address.

use core::fmt;

use crate::address::Address;
use crate::port::ServicePort;

/// One address that may reach one port: the smallest thing that opens and closes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Element {
    /// Who may come in.
    pub address: Address,
    /// Where.
    pub port: ServicePort,
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", self.port, self.address)
    }
}

impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
