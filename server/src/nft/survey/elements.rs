//! The sets and maps of others.

use super::Chain;
use super::packet::{Answer, Byte};
use crate::netlink::{Attributes, NLM_F_DUMP, Request, Socket, attribute, attributes};
use crate::nft::error::NftError;
use crate::nft::expression::{Verdict, number, verdict};
use crate::nft::kernel::*;
use crate::nft::list;

/// The most elements of a set that are looked through; one that has more may have anything.
const LOOKED_THROUGH: usize = 4096;

/// The `nft` program's numbers of the types `ipv4_addr` and `ipv6_addr`.
const ADDRESS_TYPES: [u32; 2] = [7, 8];

/// What a set has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Elements {
    key_len: usize,
    /// Whether elements come in pairs: where an interval begins, and where it has ended.
    are_intervals: bool,
    /// Whether keys are addresses and nothing else.
    are_addresses: bool,
    /// In the order of their keys.
    elements: Vec<Element>,
    /// Whether it may have others.
    may_have_more: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Element {
    key: Vec<u8>,
    /// An end sorts before what begins at the same key.
    begins: bool,
    verdict: Option<Verdict>,
}

/// What a lookup finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) answer: Answer,
    /// The verdicts that it may give.
    pub(super) verdicts: Vec<Verdict>,
}

impl Elements {
    /// The set in this message, with none of its elements yet.
    pub(super) fn of_set(message: &[u8]) -> Option<Self> {
        let flags = number(message, NFTA_SET_FLAGS).unwrap_or(0);
        let key_type = number(message, NFTA_SET_KEY_TYPE).unwrap_or(0);
        Some(Self {
            key_len: usize::try_from(number(message, NFTA_SET_KEY_LEN)?).ok()?,
            are_intervals: flags & NFT_SET_INTERVAL != 0,
            are_addresses: ADDRESS_TYPES.contains(&key_type),
            elements: Vec::new(),
            may_have_more: false,
        })
    }

    /// Whether it matters which elements it has: an address that no rule names is in no set of addresses.
    pub(super) const fn is_wanted(&self) -> bool {
        !self.are_addresses
    }

    /// Reads the elements.
    pub(super) fn read(&mut self, socket: &mut Socket, name: &Chain) -> Result<(), NftError> {
        let set = Attributes::new().text(NFTA_TABLE, &name.table).text(NFTA_SET_ELEM_LIST_SET, &name.name);
        let head = [name.family, 0, 0, 0];
        let request = Request { kind: NFT_MSG_GETSETELEM, flags: NLM_F_DUMP, head: &head, attributes: &set };
        let messages = list(socket, &request, |_, message| {
            let list = attribute(message, NFTA_SET_ELEM_LIST_ELEMENTS).unwrap_or_default();
            attributes(list).map(|(_, element)| parse(element)).take(LOOKED_THROUGH).collect::<Vec<_>>()
        })?;
        for element in messages.into_iter().flatten() {
            match element {
                Some(element) if self.elements.len() < LOOKED_THROUGH => self.elements.push(element),
                Some(_) | None => self.may_have_more = true,
            }
        }
        self.elements.sort();
        Ok(())
    }

    /// Looks for what the registers hold.
    pub(super) fn find(&self, registers: &[Byte]) -> Found {
        let key = registers.get(..self.key_len).unwrap_or(registers);
        let found = |answer, verdicts| Found { answer, verdicts };
        let known: Option<Vec<u8>> = key.iter().map(|byte| byte.known()).collect();
        if let Some(known) = known.filter(|_| !self.may_have_more) {
            return self.element(&known).map_or_else(
                || found(Answer::No, Vec::new()),
                |element| found(Answer::Yes, element.verdict.iter().cloned().collect()),
            );
        }
        let may_be = |element: &Element| key.iter().zip(&element.key).all(|(byte, at)| byte.may_be(*at));
        let is_open = self.are_intervals || self.are_addresses || self.elements.iter().any(may_be);
        if self.may_have_more || (is_open && !key.contains(&Byte::Unnamed)) {
            let all = self.elements.iter().filter_map(|element| element.verdict.clone());
            return found(
                Answer::Maybe,
                all.chain(self.may_have_more.then_some(Verdict::Elsewhere)).collect(),
            );
        }
        found(Answer::No, Vec::new())
    }

    fn element(&self, key: &[u8]) -> Option<&Element> {
        if !self.are_intervals {
            return self.elements.iter().find(|element| element.key == key);
        }
        let before = self.elements.partition_point(|element| element.key.as_slice() <= key);
        self.elements.get(before.checked_sub(1)?).filter(|element| element.begins)
    }
}

/// An element; `None` for those of which nobody knows here what they have.
fn parse(element: &[u8]) -> Option<Element> {
    let flags = number(element, NFTA_SET_ELEM_FLAGS).unwrap_or(0);
    if flags & NFT_SET_ELEM_CATCHALL != 0 || attribute(element, NFTA_SET_ELEM_KEY_END).is_some() {
        return None;
    }
    Some(Element {
        key: attribute(attribute(element, NFTA_SET_ELEM_KEY)?, NFTA_DATA_VALUE)?.to_vec(),
        begins: flags & NFT_SET_ELEM_INTERVAL_END == 0,
        verdict: attribute(element, NFTA_SET_ELEM_DATA).and_then(verdict),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(are_intervals: bool, elements: &[(u16, bool)]) -> Elements {
        let element = |(port, begins): &(u16, bool)| Element {
            key: port.to_be_bytes().to_vec(),
            begins: *begins,
            verdict: None,
        };
        let elements = elements.iter().map(element).collect();
        Elements { key_len: 2, are_intervals, are_addresses: false, elements, may_have_more: false }
    }

    fn known(port: u16) -> Vec<Byte> {
        port.to_be_bytes().map(Byte::Known).into()
    }

    #[test]
    fn what_is_known_is_in_a_set_or_not() {
        let some = ports(false, &[(22, true), (80, true)]);
        let ranges = ports(true, &[(0, false), (22, true), (23, false), (8000, true), (8101, false)]);
        for (port, is_in) in [(21, false), (22, true), (23, false), (80, true), (8050, false)] {
            assert_eq!(some.find(&known(port)).answer == Answer::Yes, is_in, "{port}");
        }
        for (port, is_in) in [(21, false), (22, true), (23, false), (8000, true), (8100, true), (8101, false)]
        {
            assert_eq!(ranges.find(&known(port)).answer == Answer::Yes, is_in, "{port}");
        }
    }

    #[test]
    fn what_is_half_known_may_be() {
        let some = ports(false, &[(22, true)]);
        let half = [Byte::Known(0), Byte::Any];
        assert_eq!(some.find(&half).answer, Answer::Maybe);
        assert_eq!(some.find(&[Byte::Known(1), Byte::Any]).answer, Answer::No);
        assert_eq!(some.find(&[Byte::Unnamed; 2]).answer, Answer::No);
        let more = Elements { may_have_more: true, ..some };
        assert_eq!(more.find(&known(23)).answer, Answer::Maybe);
    }
}
