//! Lines as knockd reads them: cut where its buffer ends, and again at a zero byte.

use crate::config::knockd::numbers::trim;

/// The most bytes of a line, its newline among them. What is longer is cut there, and the rest is a line of its own.
pub(super) const MAX_LINE_LEN: usize = 4095;

/// One line, or a piece of a long one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'b> {
    /// Its number, from 1; pieces count.
    pub number: usize,
    /// Where it begins, in bytes from the start of the file.
    pub offset: usize,
    raw: &'b [u8],
}

impl<'b> Line<'b> {
    /// All its bytes, the newline among them.
    pub(crate) const fn raw(&self) -> &'b [u8] {
        self.raw
    }

    /// What knockd takes for the line: without the blanks at both ends, and up to the first zero byte.
    pub(crate) fn text(&self) -> &'b [u8] {
        trim(self.raw.split(|byte| *byte == 0).next().unwrap_or_default())
    }

    /// Whether there is nothing to read in it.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.text(), [] | [b'#', ..])
    }

    /// Whether a zero byte hides something.
    pub(super) fn has_zero(&self) -> bool {
        self.raw.contains(&0)
    }

    /// Whether it ends only because knockd's buffer does.
    pub(super) fn is_cut(&self) -> bool {
        self.raw.len() == MAX_LINE_LEN && !self.raw.ends_with(b"\n")
    }
}

/// The lines of a file.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let mut rest = bytes;
    let mut offset = 0_usize;
    (1..).map_while(move |number| {
        let buffer = rest.get(..MAX_LINE_LEN).unwrap_or(rest);
        let newline = buffer.iter().position(|byte| *byte == b'\n');
        let len = newline.map_or(buffer.len(), |at| at.saturating_add(1));
        let (raw, after) = rest.split_at_checked(len).filter(|(raw, _)| !raw.is_empty())?;
        let line = Line { number, offset, raw };
        rest = after;
        offset = offset.saturating_add(len);
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8]) -> Vec<(usize, usize, String)> {
        let text = |line: &Line<'_>| String::from_utf8_lossy(line.text()).into_owned();
        lines(bytes).map(|line| (line.number, line.offset, text(&line))).collect()
    }

    #[test]
    fn blanks_are_stripped_and_every_line_counts() {
        assert_eq!(shown(b""), []);
        let lines = [(1, 0, String::new()), (2, 1, "a b".into()), (3, 12, "c".into())];
        assert_eq!(shown(b"\n \ta b\x0b\x0c \r\n\nc")[..2], lines[..2]);
        assert_eq!(shown(b"\n \ta b\x0b\x0c \r\n\nc").last().unwrap().2, "c");
    }

    #[test]
    fn a_zero_byte_hides_the_rest_of_its_line() {
        assert_eq!(shown(b"a\0b\nc"), [(1, 0, "a".into()), (2, 4, "c".into())]);
        let flags: Vec<_> = lines(b"a\0b\nc").map(|line| line.has_zero()).collect();
        assert_eq!(flags, [true, false]);
    }

    #[test]
    fn a_long_line_is_cut() {
        let text = |len: usize, after: &str| format!("{}{after}", "x".repeat(len));
        let lens = |text: &str| lines(text.as_bytes()).map(|line| line.text().len()).collect::<Vec<_>>();
        assert_eq!(lens(&text(4094, "\ny")), [4094, 1]);
        // The newline no longer fits, and makes a line of its own.
        assert_eq!(lens(&text(4095, "\ny")), [4095, 0, 1]);
        assert_eq!(lens(&text(4096, "\ny")), [4095, 1, 1]);
        let cut: Vec<_> = lines(text(4095, "\ny").as_bytes()).map(|line| line.is_cut()).collect();
        assert_eq!(cut, [true, false, false]);
        assert!(!lines(text(4094, "\n").as_bytes()).next().unwrap().is_cut());
    }
}
