//! Names of interfaces, as long as knockd takes them.

use crate::config::knockd::complaints::cut;
use crate::config::knockd::numbers::trim_str;

/// The most bytes of a name; the kernel allows no more than 15.
const MAX_NAME_LEN: usize = 31;

/// The list with each name as much of itself as knockd would take, and without blanks around it.
pub(crate) fn cut_names(list: &str) -> String {
    list.split(',').map(|name| cut(trim_str(name), MAX_NAME_LEN)).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_cut() {
        assert_eq!(cut_names("eth0"), "eth0");
        assert_eq!(cut_names(""), "");
        assert_eq!(cut_names(" eth0 , eth0:1"), "eth0,eth0:1");
        assert_eq!(cut_names(&format!("{},b", "a".repeat(40))), format!("{},b", "a".repeat(31)));
    }
}
