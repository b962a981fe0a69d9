//! Numbers as the C library's `atoi(3)` reads them, which finds one in any text.

/// The text without the characters at both ends that `isspace(3)` knows.
pub(super) fn trim(text: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !is_blank(*byte);
    let start = text.iter().position(is_text).unwrap_or(text.len());
    let end = text.iter().rposition(is_text).map_or(start, |last| last.saturating_add(1));
    text.get(start..end).unwrap_or_default()
}

/// The same for text that is UTF-8.
pub(super) fn trim_str(text: &str) -> &str {
    text.trim_matches(|letter: char| u8::try_from(letter).is_ok_and(is_blank))
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// The number that `atoi(3)` of a 64-bit glibc makes of a text: of its first digits, 0 where there are none, and
/// the lowest 32 bits of what is too large.
pub(super) fn atoi(text: &[u8]) -> i32 {
    let text = trim(text);
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let number = digits.map(|byte| i64::from(byte.wrapping_sub(b'0'))).fold(0_i64, |number, digit| {
        let signed = if is_negative { digit.wrapping_neg() } else { digit };
        number.saturating_mul(10).saturating_add(signed)
    });
    let [a, b, c, d, ..] = number.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

/// Whether everybody would read the number as `atoi(3)` does: digits, and not too many.
pub(super) fn is_plain(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_digit) && str::from_utf8(text).is_ok_and(|text| text.parse::<i32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_a_number() {
        let table: [(&str, i32); 24] = [
            ("", 0),
            ("0", 0),
            ("7000", 7000),
            ("  7000 ", 7000),
            ("\u{b}5", 5),
            ("+5002", 5002),
            ("0005001", 5001),
            ("-1", -1),
            ("- 5", 0),
            ("+-5", 0),
            ("5000abc", 5000),
            ("0x1388", 0),
            ("5.5", 5),
            ("1e3", 1),
            ("9 # nine", 9),
            ("abc", 0),
            ("٣", 0),
            ("2147483647", i32::MAX),
            ("2147483648", i32::MIN),
            ("4294967295", -1),
            ("4294967296", 0),
            ("99999999999", 1_215_752_191),
            ("99999999999999999999", -1),
            ("-99999999999999999999", 0),
        ];
        for (text, number) in table {
            assert_eq!(atoi(text.as_bytes()), number, "{text}");
        }
    }

    #[test]
    fn what_is_plain() {
        for text in ["0", "7000", "007", "2147483647"] {
            assert!(is_plain(text.as_bytes()), "{text}");
        }
        for text in ["", "+1", "-1", "1 ", "1x", "2147483648", "٣"] {
            assert!(!is_plain(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn blanks_are_those_of_c() {
        assert_eq!(trim(b" \t\n\x0b\x0c\ra b\r"), b"a b");
        assert_eq!(trim(b"  "), b"");
        assert_eq!(trim_str("\u{a0}a \u{b}"), "\u{a0}a");
    }
}
