//! Files of one-time sequences: one in a line, and the first that is not struck out with a `#` is the current one.

use knock_spa_proto::knock::Sequence;

use crate::config::knockd::complaints::MAX_REMARKS;
use crate::config::knockd::lines::{Line, lines};
use crate::config::knockd::sequence;
use crate::config::table::escape;

/// What is in such a file.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The current sequence.
    pub first: Option<Sequence>,
    /// What may not be what was meant, by line: what is skipped, and what is odd in the current sequence.
    pub remarks: Vec<(usize, String)>,
}

/// Looks for the current sequence.
pub(super) fn read(bytes: &[u8]) -> Found {
    let mut found = Found::default();
    for line in lines(bytes).filter(|line| !line.is_idle()) {
        match sequence::read(line.text()) {
            Ok(reading) => {
                found.first = Some(reading.sequence);
                let odd = Some(reading.oddities.join("; ")).filter(|odd| !odd.is_empty());
                found.remarks.extend(odd.map(|odd| (line.number, odd)));
                break;
            }
            // More are not told anyway.
            Err(_) if found.remarks.len() > MAX_REMARKS => {}
            Err(wrong) => {
                found.remarks.push((line.number, format!("skipped: {}", escape(&wrong.to_string()))));
            }
        }
    }
    found
}

/// The lines that hold a sequence each, in order.
pub(crate) fn usable_lines(bytes: &[u8]) -> impl Iterator<Item = (Line<'_>, Sequence)> {
    let usable = |line: Line<'_>| Some(sequence::read(line.text()).ok()?.sequence);
    lines(bytes).filter(|line| !line.is_idle()).filter_map(move |line| Some((line, usable(line)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remarks(bytes: &[u8]) -> Vec<(usize, String)> {
        read(bytes).remarks
    }

    fn first(bytes: &[u8]) -> Option<String> {
        let steps = |sequence: Sequence| sequence.steps().iter().map(ToString::to_string).collect::<Vec<_>>();
        read(bytes).first.map(|sequence| steps(sequence).join(" "))
    }

    #[test]
    fn the_first_usable_line_is_the_current_one() {
        for bytes in [&b""[..], b"# 1,2\n\n", b"  \t\r\n  #a", b"99999\n1:x\n"] {
            assert_eq!(first(bytes), None, "{bytes:?}");
        }
        for (bytes, wanted) in [
            (&b"# x\n\n 1,2:udp\n 3\n"[..], "1/tcp 2/udp"),
            (b" 99999\n 1:x\n 5,6", "5/tcp 6/tcp"),
            (b"\xe9\n7", "0/tcp"),
            (b"1:x\n5\x006,7\n", "5/tcp"),
        ] {
            assert_eq!(first(bytes).unwrap(), wanted);
        }
    }

    #[test]
    fn what_is_skipped_or_odd_is_told() {
        assert_eq!(remarks(b"# x\n 1\n99999"), []);
        let told = [
            (1, "skipped: port 99999 is invalid".into()),
            (2, "skipped: unknown protocol in knock sequence".into()),
            (4, "\"foo\" is taken for port 0".into()),
        ];
        assert_eq!(remarks(b"99999\n1:x\n\nfoo\n1:y"), told);
    }
}
