//! What the commands of traces do, without running them: a list of words that a shell would understand too.

/// What came of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// The lines that it wrote.
    pub ran: Vec<String>,
    /// The status that knockd tells, where it tells one.
    pub status: Option<i32>,
    /// What it said to standard output.
    pub out: Vec<String>,
    /// What it or the shell said to standard error.
    pub err: Vec<String>,
    /// How long it took, in milliseconds.
    pub takes: i64,
}

/// What a command comes to, with these variables. It may consist of `echo WORDS`, with `>>$RAN` or `>&2` behind
/// it or nothing, `exit N`, `kill -9 $$`, `sleep N` and paths that do not exist, with `;` between them.
///
/// # Panics
/// For anything else.
#[must_use]
pub fn effect(command: &str, variables: &[(&str, String)]) -> Effect {
    let mut effect = Effect::default();
    for part in command.split(';').map(str::trim) {
        if let Some(words) = part.strip_prefix("echo ") {
            effect.echo(words, variables);
        } else if let Some(status) = part.strip_prefix("exit ") {
            effect.status = status.parse().ok().filter(|status| *status != 0);
            break;
        } else if part == "kill -9 $$" {
            effect.status = Some(0);
            break;
        } else if let Some(seconds) = part.strip_prefix("sleep ") {
            effect.takes += seconds.parse::<f64>().map_or(0, |seconds| (seconds * 1000.0) as i64);
        } else if part.starts_with("/nonexistent") {
            let program = part.split_whitespace().next().unwrap_or_default();
            effect.err.push(format!("sh: 1: {program}: not found"));
            effect.status = Some(127);
        } else {
            assert_eq!(part, "", "a command that the model does not know");
        }
    }
    effect
}

impl Effect {
    fn echo(&mut self, words: &str, variables: &[(&str, String)]) {
        let (words, to) = match (words.strip_suffix(">>$RAN"), words.strip_suffix(">&2")) {
            (Some(words), _) => (words, &mut self.ran),
            (None, Some(words)) => (words, &mut self.err),
            (None, None) => (words, &mut self.out),
        };
        let mut line = words.split_whitespace().collect::<Vec<_>>().join(" ");
        for (name, value) in variables {
            line = line.replace(&format!("${name}"), value);
        }
        to.push(line);
    }
}
