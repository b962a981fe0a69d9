//! What a client asks for: a door by its name, or a port by its number.

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::port::ServicePort;

/// A service name after RFC 6335 section 5.1, in the one spelling that knock-spa allows:
/// `[a-z][a-z0-9-]{0,14}`. Doors bear such names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName {
    /// Zero-padded ASCII.
    bytes: [u8; Self::MAX_LEN],
}

/// Not `[a-z][a-z0-9-]{0,14}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a service name: a lower-case letter, then at most 14 lower-case letters, digits or hyphens")]
pub struct NotAServiceName;

impl ServiceName {
    /// The longest name, in bytes (RFC 6335 section 5.1).
    pub const MAX_LEN: usize = 15;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let len = self.bytes.iter().position(|byte| *byte == 0).unwrap_or(Self::MAX_LEN);
        self.bytes.get(..len).and_then(|bytes| core::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// The name, zero-padded: for fixed-size records.
    #[must_use]
    pub const fn to_bytes(&self) -> [u8; Self::MAX_LEN] {
        self.bytes
    }

    /// The name that [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`NotAServiceName`] where the bytes are not a name and its padding.
    pub fn from_bytes(bytes: [u8; Self::MAX_LEN]) -> Result<Self, NotAServiceName> {
        let name = Self { bytes };
        let parsed: Self = name.as_str().parse()?;
        if parsed == name { Ok(name) } else { Err(NotAServiceName) }
    }
}

impl FromStr for ServiceName {
    type Err = NotAServiceName;

    fn from_str(text: &str) -> Result<Self, NotAServiceName> {
        let ([b'a'..=b'z', rest @ ..], true) = (text.as_bytes(), text.len() <= Self::MAX_LEN) else {
            return Err(NotAServiceName);
        };
        if !rest.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
            return Err(NotAServiceName);
        }
        let mut bytes = [0; Self::MAX_LEN];
        bytes.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
        Ok(Self { bytes })
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// By name: a door's, or the registered name of a port.
    Named(ServiceName),
    /// One port, whichever door lists it.
    Port(ServicePort),
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => name.fmt(f),
            Self::Port(port) => port.fmt(f),
        }
    }
}

/// Neither a service name nor `tcp/PORT` or `udp/PORT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a door's name (like ssh) nor a port (like tcp/22)")]
pub struct NotAService;

impl FromStr for Service {
    type Err = NotAService;

    fn from_str(text: &str) -> Result<Self, NotAService> {
        if text.contains('/') {
            text.parse().map(Self::Port).map_err(|_| NotAService)
        } else {
            text.parse().map(Self::Named).map_err(|_| NotAService)
        }
    }
}

/// The services of one request: no duplicates, and short enough for the field that carries them.
/// The order is the asker's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services(Vec<Service>);

/// Why a list of services cannot be asked for in one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadServices {
    /// An element is no service.
    #[error(transparent)]
    NotAService(#[from] NotAService),
    /// A service stands twice.
    #[error("a service is named twice")]
    Duplicate,
    /// The text is longer than [`Services::MAX_LEN`].
    #[error("the list is longer than 102 characters: ask for fewer services at once")]
    TooLong,
}

impl Services {
    /// The longest list, in bytes of its text (`docs/protocol.md` section 3).
    pub const MAX_LEN: usize = 102;

    /// The empty list.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// The list of these services.
    ///
    /// # Errors
    /// [`BadServices::Duplicate`] and [`BadServices::TooLong`].
    pub fn new(services: Vec<Service>) -> Result<Self, BadServices> {
        let repeated = |(i, service)| services.iter().take(i).any(|earlier| earlier == service);
        if services.iter().enumerate().any(repeated) {
            return Err(BadServices::Duplicate);
        }
        let list = Self(services);
        if alloc::string::ToString::to_string(&list).len() > Self::MAX_LEN {
            return Err(BadServices::TooLong);
        }
        Ok(list)
    }

    /// Whether nothing is asked for.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The services, in the asker's order.
    pub fn iter(&self) -> core::slice::Iter<'_, Service> {
        self.0.iter()
    }
}

impl From<Service> for Services {
    /// The list of one, which is never too long.
    fn from(service: Service) -> Self {
        Self(Vec::from([service]))
    }
}

impl<'a> IntoIterator for &'a Services {
    type Item = &'a Service;
    type IntoIter = core::slice::Iter<'a, Service>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, service) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            service.fmt(f)?;
        }
        Ok(())
    }
}

impl FromStr for Services {
    type Err = BadServices;

    /// Parses `ssh,tcp/8443`; the empty text is the empty list.
    fn from_str(text: &str) -> Result<Self, BadServices> {
        if text.is_empty() {
            return Ok(Self::none());
        }
        if text.len() > Self::MAX_LEN {
            return Err(BadServices::TooLong);
        }
        Self::new(text.split(',').map(str::parse).collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn names_have_one_spelling() {
        for text in ["a", "ssh", "http-alt", "a23456789012345"] {
            let name: ServiceName = text.parse().unwrap();
            assert_eq!(name.to_string(), text);
            assert_eq!(ServiceName::from_bytes(name.to_bytes()), Ok(name));
        }
        for text in ["", "SSH", "1ssh", "-ssh", "s sh", "a234567890123456", "ssh\0", "é"] {
            assert_eq!(text.parse::<ServiceName>(), Err(NotAServiceName), "{text}");
        }
        assert_eq!(ServiceName::from_bytes(*b"ssh\0x\0\0\0\0\0\0\0\0\0\0"), Err(NotAServiceName));
    }

    #[test]
    fn lists_are_bounded_and_free_of_repeats() {
        let list: Services = "ssh,tcp/8443".parse().unwrap();
        assert_eq!(list.to_string(), "ssh,tcp/8443");
        assert_eq!("ssh,ssh".parse::<Services>(), Err(BadServices::Duplicate));
        assert_eq!("ssh,".parse::<Services>(), Err(BadServices::NotAService(NotAService)));
        assert_eq!("x".repeat(103).parse::<Services>(), Err(BadServices::TooLong));
        assert!("".parse::<Services>().unwrap().is_empty());
    }
}
