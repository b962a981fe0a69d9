//! The environments of the processes that this one was started by, from proc(5).

use std::fs;

/// How many generations are asked: a shell, `sudo` and a script are three.
const GENERATIONS: usize = 16;

/// Longer than any environment that is read, in bytes.
const MAX_LEN: usize = 1 << 20;

/// The value of a variable, as this process has it, or else as the nearest ancestor was given it: `sudo` leaves most of
/// them out. What cannot be read is passed over.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    let mut process = std::process::id();
    for _ in 0..GENERATIONS {
        let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        if let Some(value) = value(&environment, name) {
            return Some(value);
        }
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        process = parent(&stat).filter(|parent| *parent > 0)?;
    }
    None
}

fn value(environment: &[u8], name: &str) -> Option<String> {
    let mut entries = environment.get(..MAX_LEN).unwrap_or(environment).split(|byte| *byte == 0);
    entries.find_map(|entry| {
        let value = entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        String::from_utf8(value.to_vec()).ok()
    })
}

/// The fourth field; the second is a name in parentheses, which may have any characters.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_parents_are_found() {
        let environment = b"A=1\0SSH_CONNECTION=1 2 3 4\0SSH_CONNECTION_X=5\0";
        assert_eq!(value(environment, "SSH_CONNECTION").as_deref(), Some("1 2 3 4"));
        assert_eq!(value(environment, "SSH"), None);
        assert_eq!(value(b"", "A"), None);
        assert_eq!(parent("12 (a) b) S 7 8 9"), Some(7));
        assert_eq!(parent("12 a"), None);
        assert!(variable("PATH").is_some());
        assert_eq!(variable("KNOCK_SPA_NOWHERE_SET"), None);
    }
}
