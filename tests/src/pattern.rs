//! What something prints, where not all of it can be known.

/// Whether a text is as the pattern, where each `…` stands for anything.
#[must_use]
pub fn fits(pattern: &str, text: &str) -> bool {
    let (first, rest) = pattern.split_once('…').map_or((pattern, None), |(first, rest)| (first, Some(rest)));
    let Some(text) = text.strip_prefix(first) else { return false };
    let Some(rest) = rest else { return text.is_empty() };
    let starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    starts.filter_map(|at| text.get(at..)).any(|tail| fits(rest, tail))
}

/// The text with an `N` in the place of each number of seconds or milliseconds.
#[must_use]
pub fn without_spans(text: &str) -> String {
    let is_unit = |word: &str| ["s", "ms"].contains(&word.trim_end_matches(|c: char| !c.is_alphanumeric()));
    let is_number = |word: &str| word.chars().all(|c| c.is_ascii_digit() || c == '.' || c == '(');
    let words: Vec<&str> = text.split(' ').collect();
    let shown = words.iter().enumerate().map(|(at, word)| {
        let before_unit =
            words.get(at + 1).is_some_and(|next| is_unit(next.split('\n').next().unwrap_or(next)));
        if before_unit && is_number(word) { "N" } else { word }
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, fit) in [
            ("", "", true),
            ("a", "ab", false),
            ("a…", "ab", true),
            ("…", "", true),
            ("a…c…e", "abcde", true),
            ("a…c", "abcd", false),
            ("a\n…\nd\n", "a\nb\nc\nd\n", true),
        ] {
            assert_eq!(fits(pattern, text), fit, "{pattern:?} {text:?}");
        }
    }

    #[test]
    fn spans() {
        let text = "ssh answers (3.9 ms)\n  in 500 ms\n24 things, in 8.7 s.";
        assert_eq!(without_spans(text), "ssh answers N ms)\n  in N ms\n24 things, in N s.");
    }
}
