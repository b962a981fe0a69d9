//! The files of a repository, in memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// The texts that rules look at, by their paths from the top, and the names of everything at the top.
#[derive(Clone, Debug)]
pub struct Tree(BTreeMap<String, Arc<File>>);

#[derive(Debug)]
struct File {
    text: String,
    /// The identifiers and keywords in it, in order, if it is Rust.
    words: Vec<String>,
}

impl File {
    fn new(path: &str, text: String) -> Self {
        let words = if path.ends_with(".rs") { words_of(&code_of(&text)) } else { Vec::new() };
        Self { text, words }
    }
}

/// Directories that are not ours: results of builds, the history, and what fuzzing gathers.
const FOREIGN: [&str; 4] = ["target", ".git", "corpus", "artifacts"];

impl Tree {
    /// Reads the Rust, TOML and other files below `top`; those that are no text are taken as empty.
    pub fn read(top: &Path) -> Self {
        let mut tree = Self(BTreeMap::new());
        tree.gather(top, "");
        tree
    }

    fn gather(&mut self, directory: &Path, prefix: &str) {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().expect("names of ours are text");
            if FOREIGN.contains(&name.as_str()) {
                continue;
            }
            let path = format!("{prefix}{name}");
            if entry.file_type().unwrap().is_dir() {
                self.gather(&entry.path(), &format!("{path}/"));
            } else {
                self.write(&path, fs::read_to_string(entry.path()).unwrap_or_default());
            }
        }
    }

    fn write(&mut self, path: &str, text: String) {
        self.0.insert(path.to_owned(), Arc::new(File::new(path, text)));
    }

    /// Adds to the end of a file, or makes it.
    pub fn append(&mut self, path: &str, text: &str) {
        let before = self.0.get(path).map_or("", |file| &file.text);
        self.write(path, format!("{before}{text}"));
    }

    /// Replaces a text that a file has.
    pub fn replace(&mut self, path: &str, from: &str, to: &str) {
        assert!(self.text(path).contains(from), "{path} has no {from:?}");
        self.write(path, self.text(path).replacen(from, to, 1));
    }

    /// The text of a file that every tree has.
    pub fn text(&self, path: &str) -> &str {
        &self.0.get(path).unwrap_or_else(|| panic!("there is no {path}")).text
    }

    /// All paths.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The Rust files below `folder`, and the words of their code, which are not those of comments and strings.
    pub fn code<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a [String])> {
        let below = move |path: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        let files = self.0.iter().filter(move |(path, _)| path.ends_with(".rs") && below(path));
        files.map(|(path, file)| (path.as_str(), file.words.as_slice()))
    }
}

/// The identifiers and keywords in a piece of code.
fn words_of(code: &str) -> Vec<String> {
    let words = code.split(|character: char| !character.is_alphanumeric() && character != '_');
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Rust without its comments, strings and characters, each of which becomes a space.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let in_word = code.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        let skipped = comment(rest).or_else(|| literal(rest, in_word)).unwrap_or_default();
        if skipped == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.push(' ');
            rest = &rest[skipped..];
        }
    }
    code
}

/// The length of the comment that `text` begins with.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    let mut depth = 0;
    let mut at = 0;
    while text.starts_with("/*") && at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The length of the string or character that `text` begins with. In the middle of a word an `r` is no
/// prefix, except in `br`.
fn literal(text: &str, in_word: bool) -> Option<usize> {
    let raw = text.strip_prefix("br").or_else(|| text.strip_prefix('r')).filter(|_| !in_word);
    if let Some(raw) = raw {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let start = text.len() - raw.len() + hashes + 1;
            return Some(start + text[start..].find(&end)? + end.len());
        }
    }
    if text.starts_with('"') {
        return quoted(text, '"');
    }
    // A lifetime has no closing quote after one character.
    let mut characters = text.strip_prefix('\'')?.chars();
    let is_character = characters.next()? == '\\' || characters.next()? == '\'';
    is_character.then(|| quoted(text, '\'')).flatten()
}

/// The length of what ends at the next `quote` without a backslash, after the first.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        if !escaped && character == quote {
            return Some(at + 1);
        }
        escaped = !escaped && character == '\\';
    }
    None
}
