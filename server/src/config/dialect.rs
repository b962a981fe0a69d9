//! In which dialect a file is.

use std::path::Path;

/// A way to write a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// TOML.
    Native,
    /// That of `/etc/knockd.conf`.
    Knockd,
}

impl Dialect {
    /// The dialect of a file, by its name: knockd's where that ends in `.conf`.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        if path.extension().is_some_and(|extension| extension == "conf") {
            Self::Knockd
        } else {
            Self::Native
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_dialect() {
        for path in ["/etc/knockd.conf", "a.conf", "/x.toml/y.conf"] {
            assert_eq!(Dialect::of(path.as_ref()), Dialect::Knockd, "{path}");
        }
        for path in ["/etc/knock-spa/knock-spad.toml", "a", "conf", "/x.conf/y", "a.conf~", "a.CONF", ".conf"]
        {
            assert_eq!(Dialect::of(path.as_ref()), Dialect::Native, "{path}");
        }
    }
}
