//! Whose flows were cut, as long as that is to be remembered.

use std::collections::BTreeMap;
use std::time::Duration;

use knock_spa_proto::element::Element;
use knock_spa_proto::time::BootTime;

/// For how long nothing established counts after a cut: as long as connection tracking remembers an idle flow by
/// default (`net.netfilter.nf_conntrack_tcp_timeout_established`), five days.
pub(super) const CUT_FOR: Duration = Duration::from_secs(432_000);

/// Elements for which nothing established counts, each until some time: as many as the guard's sets hold.
#[derive(Debug, Default)]
pub(super) struct CutOff {
    until: BTreeMap<Element, BootTime>,
}

impl CutOff {
    /// At most as many: beyond that the guard could not be built any more.
    const MAX: usize = 1 << 16;

    /// Remembers these for so long, and forgets those that would be forgotten soonest where there are too many.
    pub(super) fn remember(&mut self, cut: impl IntoIterator<Item = (Element, Duration)>, now: BootTime) {
        self.until.retain(|_, until| *until > now);
        self.until.extend(cut.into_iter().map(|(element, left)| (element, now.saturating_add(left))));
        let excess = self.until.len().saturating_sub(Self::MAX);
        if excess > 0 {
            let mut by_end: Vec<_> = self.until.iter().map(|(element, until)| (*until, *element)).collect();
            by_end.sort_unstable();
            for (_, element) in by_end.into_iter().take(excess) {
                self.until.remove(&element);
            }
        }
    }

    /// Forgets those of these that were remembered; gives them.
    pub(super) fn forget(&mut self, elements: impl IntoIterator<Item = Element>) -> Vec<Element> {
        elements.into_iter().filter(|element| self.until.remove(element).is_some()).collect()
    }

    /// All of them, and for how much longer.
    pub(super) fn left(&self, now: BootTime) -> Vec<(Element, Duration)> {
        let left = |(element, until): (&Element, &BootTime)| (*element, until.saturating_since(now));
        self.until.iter().map(left).filter(|(_, left)| !left.is_zero()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use knock_spa_proto::address::Address;

    use super::*;

    fn element(number: u32) -> Element {
        let address = Address::from(Ipv4Addr::from_bits(number));
        Element { address, port: "tcp/22".parse().unwrap() }
    }

    #[test]
    fn it_remembers_for_a_time_or_until_it_is_told() {
        let [one, other] = [1, 2].map(element);
        let at = |seconds: u64| BootTime::from_nanos(seconds * 1_000_000_000);
        let mut cut_off = CutOff::default();
        cut_off.remember([(one, Duration::from_secs(5)), (other, Duration::from_secs(9))], at(1));
        assert_eq!(cut_off.left(at(4)), [(one, Duration::from_secs(2)), (other, Duration::from_secs(6))]);
        assert_eq!(cut_off.left(at(6)), [(other, Duration::from_secs(4))]);
        assert_eq!(cut_off.forget([element(3), other, other]), [other]);
        assert_eq!(cut_off.left(at(0)).len(), 1);
    }

    #[test]
    fn it_never_remembers_more_than_the_guard_can_hold() {
        let mut cut_off = CutOff::default();
        let now = BootTime::ZERO;
        cut_off.remember([(element(0), Duration::from_secs(1)), (element(1), Duration::from_secs(9))], now);
        let many = u32::try_from(CutOff::MAX).unwrap();
        cut_off.remember((2..=many).map(|number| (element(number), CUT_FOR)), now);
        assert_eq!(CutOff::MAX, usize::try_from(crate::nft::ELEMENTS_MAX).unwrap());
        assert_eq!(cut_off.left(now).len(), CutOff::MAX);
        assert_eq!(cut_off.forget([element(0), element(1)]), [element(1)], "the one that ends first is gone");
    }
}
