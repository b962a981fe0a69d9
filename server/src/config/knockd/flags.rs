//! `TCPFlags = syn,!ack`: read from the left, where the last word on a flag is the one that counts.

use knock_spa_proto::knock::{FlagRule, TcpFlags};

/// What is told where a flag is not known.
pub(super) const HINT: &str = "known: fin, syn, rst, psh, ack and urg, each with ! before it where it must be clear; commas between, no blanks";

/// What is told where a flag exists, but was never one of knockd's.
const UNHEEDED_HINT: &str = "leave it out: that flag never matters";

/// A word that is no flag, as knockd repeats it: in capitals, blanks and all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UnknownFlag(pub String);

impl UnknownFlag {
    /// What would be right.
    pub(super) fn hint(&self) -> &'static str {
        match self.0.as_str() {
            "ECE" | "!ECE" | "CWR" | "!CWR" => UNHEEDED_HINT,
            _ => HINT,
        }
    }
}

/// The rule that `before` is after these flags too.
pub(super) fn read(text: &str, before: FlagRule) -> Result<FlagRule, UnknownFlag> {
    text.split(',').try_fold(before, |rule, flag| {
        let (name, is_wanted) = flag.strip_prefix('!').map_or((flag, true), |name| (name, false));
        let bit = bit(name).ok_or_else(|| UnknownFlag(flag.to_ascii_uppercase()))?;
        Ok(if is_wanted { rule.requiring(bit) } else { rule.forbidding(bit) })
    })
}

fn bit(name: &str) -> Option<u8> {
    match name.to_ascii_lowercase().as_str() {
        "fin" => Some(TcpFlags::FIN),
        "syn" => Some(TcpFlags::SYN),
        "rst" => Some(TcpFlags::RST),
        "psh" => Some(TcpFlags::PSH),
        "ack" => Some(TcpFlags::ACK),
        "urg" => Some(TcpFlags::URG),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<FlagRule, UnknownFlag> {
        read(text, FlagRule::default())
    }

    #[test]
    fn the_last_mention_counts() {
        let rule = FlagRule::default().forbidding(TcpFlags::SYN | TcpFlags::ACK).requiring(TcpFlags::URG);
        assert_eq!(parse("!sYn,ack,ACK,urg,!ack"), Ok(rule));
        assert_eq!(read("syn,!urg", rule).unwrap().required(), TcpFlags::SYN);
        assert_eq!(read("syn,!urg", rule).unwrap().forbidden(), TcpFlags::ACK | TcpFlags::URG);
        let all = parse("fin,syn,rst,psh,ack,urg").unwrap();
        assert_eq!((all.required(), all.forbidden()), (0x3f, 0));
    }

    #[test]
    fn unknown_flags_are_repeated_in_capitals() {
        for (text, flag) in [
            ("", ""),
            ("syn,", ""),
            (",syn", ""),
            ("syn, ack", " ACK"),
            ("syn ,ack", "SYN "),
            ("!", "!"),
            ("!!syn", "!!SYN"),
            ("ece", "ECE"),
            ("syn ack", "SYN ACK"),
            ("é", "é"),
        ] {
            assert_eq!(parse(text), Err(UnknownFlag(flag.into())), "{text}");
        }
        assert_eq!(parse("!cwr").unwrap_err().hint(), UNHEEDED_HINT);
        assert_eq!(parse("sin").unwrap_err().hint(), HINT);
    }
}
