//! Descriptors that the caller opened.

use std::fs::File;
use std::io::{self, Read};

use zeroize::Zeroizing;

/// A descriptor to read from.
#[derive(Debug)]
pub(crate) enum Descriptor {
    /// Standard input, of which others read the rest.
    Standard,
    /// Another one.
    Other(File),
}

impl Descriptor {
    /// The descriptor of this number, which the caller must have opened.
    pub(crate) fn open(number: u16) -> io::Result<Self> {
        match number {
            0 => Ok(Self::Standard),
            number => File::open(format!("/proc/self/fd/{number}")).map(Self::Other),
        }
    }

    /// The next line, without its end; at most `max` bytes. None at the end of all.
    pub(crate) fn read_line(&self, max: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        match self {
            Self::Standard => read_line(&mut io::stdin().lock(), max),
            Self::Other(file) => read_line(&mut &*file, max),
        }
    }
}

/// Byte by byte, so that nothing of the next line is taken away.
fn read_line(from: &mut impl Read, max: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(max));
    let mut byte = Zeroizing::new([0]);
    loop {
        let read = match from.read(byte.as_mut_slice()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        match *byte {
            _ if read == 0 => return Ok(Some(line).filter(|line| !line.is_empty())),
            [b'\n'] => return Ok(Some(line)),
            _ if line.len() >= max => {
                return Err(io::Error::other(format!("the line is longer than {max} bytes")));
            }
            [byte] => line.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_one_by_one() {
        let mut from = "one\n\ntwo".as_bytes();
        let mut next = || read_line(&mut from, 3).unwrap().map(|line| line.to_vec());
        assert_eq!(next().unwrap(), b"one");
        assert_eq!(next().unwrap(), b"");
        assert_eq!(next().unwrap(), b"two");
        assert_eq!(next(), None);
        assert!(read_line(&mut "four\n".as_bytes(), 3).is_err());
    }
}
