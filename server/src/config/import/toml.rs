//! Text of TOML, line by line.

use std::fmt::Display;

/// The longest line of a comment, in characters.
const WIDTH: usize = 110;

/// A file on its way.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    /// An empty line.
    pub(super) fn blank(&mut self) {
        self.line("");
    }

    /// A comment, in as many lines as it takes; the text has no line breaks of its own.
    pub(super) fn comment(&mut self, text: &str) {
        let mut line = "#".to_owned();
        for word in text.split(' ') {
            let len = line.chars().count().saturating_add(word.chars().count());
            if len >= WIDTH && line.len() > 1 {
                self.line(&line);
                "#".clone_into(&mut line);
            }
            if !word.is_empty() {
                line.push(' ');
                line.push_str(word);
            }
        }
        self.line(&line);
    }

    /// The header of a table.
    pub(super) fn header(&mut self, header: &str) {
        self.line(header);
    }

    /// A key and its value.
    pub(super) fn value(&mut self, key: &str, value: impl Display) {
        self.line(&format!("{key} = {value}"));
    }

    /// A key and a text.
    pub(super) fn string(&mut self, key: &str, text: &str) {
        self.value(key, quoted(text));
    }

    /// A key and texts.
    pub(super) fn list(&mut self, key: &str, texts: &[String]) {
        self.value(key, array(texts));
    }

    /// A line of a comment that is TOML without its mark.
    pub(super) fn suggestion(&mut self, line: &str) {
        self.line(&format!("# {line}"));
    }

    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// The text.
    pub(super) fn into_string(self) -> String {
        self.0
    }
}

/// A text as TOML has it, quoted in whichever way needs the fewest marks. Control characters are never there as such.
pub(super) fn quoted(text: &str) -> String {
    if text.chars().any(char::is_control) {
        let escaped = text.chars().map(|character| match character {
            '"' | '\\' => format!("\\{character}"),
            control if control.is_control() => format!("\\u{:04X}", u32::from(control)),
            plain => plain.into(),
        });
        return format!("\"{}\"", escaped.collect::<String>());
    }
    toml::Value::String(text.to_owned()).to_string()
}

/// Texts as TOML has them.
pub(super) fn array(texts: &[String]) -> String {
    let quoted: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", quoted.join(", "))
}
