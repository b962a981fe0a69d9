//! In which manner to ask: for how long, for whom, over which families, and how long to wait for the answer.

use std::num::NonZeroU32;

use knock_spa_proto::span::Span;

use crate::reach::Families;
use crate::source::Source;

/// Options of every command that asks a server to open something.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Manner {
    /// How long the door is to be open, such as 90s, 10m or 1h [default: the server's]
    #[arg(long = "for", value_name = "SPAN")]
    pub(crate) span: Option<Span>,
    /// Whom to open for: auto states this machine's own address where it is global, sender means whatever
    /// address the packet comes from, one or two addresses whoever has them
    #[arg(long, default_value = "auto", value_name = "auto|sender|ADDR[,ADDR]")]
    pub(crate) source: Source,
    /// How long to try
    #[arg(long, value_name = "SPAN", default_value_t = DEFAULT_WAIT)]
    pub(crate) wait: Span,
    #[command(flatten)]
    pub(crate) families: Families,
}

/// How long to try where the user does not say: long for a packet, short for a person.
const DEFAULT_WAIT: Span = Span::from_secs(match NonZeroU32::new(5) {
    Some(secs) => secs,
    None => NonZeroU32::MIN,
});

impl Manner {
    /// The options that say this, those that say the usual left out.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut say = |option: &str, value: String| words.extend([option.to_owned(), value]);
        if let Some(span) = self.span {
            say("--for", span.to_string());
        }
        if self.source != Source::Auto {
            say("--source", self.source.to_string());
        }
        if self.wait != DEFAULT_WAIT {
            say("--wait", self.wait.to_string());
        }
        words.extend(self.families.word().map(str::to_owned));
        words
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct CommandLine {
        #[command(flatten)]
        manner: Manner,
    }

    fn parsed(words: &[String]) -> Manner {
        let words = std::iter::once("it".to_owned()).chain(words.iter().cloned());
        CommandLine::try_parse_from(words).unwrap().manner
    }

    #[test]
    fn what_it_says_is_what_was_said() {
        for line in [
            "",
            "--for 10m",
            "--source sender --wait 20s -6",
            "--source 192.0.2.1,2001:db8::1 -4",
            "--for 1h --source 2001:db8::1",
        ] {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            assert_eq!(parsed(&words).words(), words);
        }
        assert_eq!(
            parsed(&["--source".into(), "auto".into(), "--wait".into(), "5s".into()]).words(),
            [""; 0]
        );
    }
}
