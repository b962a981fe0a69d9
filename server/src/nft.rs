//! The guard: our own nftables table `inet knock_spa`, written over netlink.
//!
//! Ports are shut by the table and opened by elements with a timeout in the kernel, so that a door closes
//! also when nobody is left to close it. Every change is one batch. Nothing here waits for anything.

mod batch;
mod error;
mod expression;
mod filler;
mod identity;
mod kept;
mod kernel;
mod key;
mod rule;
mod ruleset;
mod set;
mod survey;
mod table;
mod trusted;
mod watch;

use std::time::Duration;
use std::{io, slice};

use knock_spa_proto::element::Element;
use netlink_sys::protocols::NETLINK_NETFILTER;

pub use self::error::NftError;
pub use self::filler::{FillError, Filler, Heard, SetWatch};
pub use self::kept::{Kept, Session, established};
pub use self::key::Unsuitable;
pub use self::ruleset::{Ruleset, Shown, TRUSTED_MAX};
pub use self::set::{DOORS_MAX, ELEMENTS_MAX};
pub use self::survey::{Chain, Family, Survey, Verdicts};
pub use self::trusted::{NotTrusted, Trusted};
pub use self::watch::RulesetWatch;
pub use crate::netlink::Refused;

use self::batch::{Batch, ENTRIES_MAX};
use self::identity::{Identity, TableIdentity, is_ours, rule_of};
use self::kernel::*;
use self::set::{Entry, Set, door_from_key, open_from_key};
use crate::netlink::{Attributes, Fault, NLM_F_ACK, NLM_F_DUMP, Request, Socket, attribute, attributes};

/// The name of our table, of family `inet`.
pub const TABLE: &str = "knock_spa";

/// How often a list is asked for that changes while it is told, before that counts as a failure.
const DUMP_ATTEMPTS: usize = 16;

/// The guard of this network namespace.
#[derive(Debug)]
pub struct Guard {
    socket: Socket,
    /// What was installed last, if the kernel said so.
    installed: Option<Identity>,
}

impl Guard {
    /// A guard that changes nothing yet.
    ///
    /// # Errors
    /// Where the kernel has no netlink socket for us.
    pub fn connect() -> io::Result<Self> {
        Ok(Self { socket: Socket::connect(NETLINK_NETFILTER, &[])?, installed: None })
    }

    /// Replaces our table whole, or makes it: nothing that it held before remains. One batch does it, unless
    /// there are thousands of openings; the last of those then come an instant later.
    ///
    /// # Errors
    /// Any [`NftError`]: [`NftError::TooMuch`] before anything is changed.
    pub fn install(&mut self, ruleset: &Ruleset) -> Result<(), NftError> {
        if !ruleset.fits() {
            return Err(NftError::TooMuch);
        }
        self.installed = None;
        table::replace(ruleset).iter().try_for_each(|batch| self.carry_out(batch))?;
        self.installed = self.identity().ok();
        Ok(())
    }

    /// Opens these elements for as long from now, `None` for ever, whether they are open already or not.
    /// Hundreds of them open together or not at all.
    ///
    /// # Errors
    /// [`NftError::Missing`] where the table is not installed, and any other.
    pub fn open(&mut self, elements: &[(Element, Option<Duration>)]) -> Result<(), NftError> {
        let entries: Vec<_> =
            elements.iter().map(|(element, timeout)| Entry::open(*element, *timeout)).collect();
        entries.chunks(ENTRIES_MAX / 3).try_for_each(|entries| self.add_anew(entries))
    }

    /// Closes these elements; one that is not open is no error.
    ///
    /// # Errors
    /// Any [`NftError`] but [`NftError::Missing`]; elements may then be open still, until their timeout.
    pub fn close(&mut self, elements: &[Element]) -> Result<(), NftError> {
        let entries: Vec<_> = elements.iter().map(|element| Entry::open(*element, None)).collect();
        self.remove_each(&entries)
    }

    /// Has nothing that is established count for these elements, for so long: only what is open passes.
    ///
    /// # Errors
    /// [`NftError::Missing`] where the table is not installed, [`NftError::Full`], and any other.
    pub fn cut(&mut self, elements: &[(Element, Duration)]) -> Result<(), NftError> {
        let entries: Vec<_> = elements.iter().map(|(element, left)| Entry::cut(*element, *left)).collect();
        entries.chunks(ENTRIES_MAX / 3).try_for_each(|entries| self.add_anew(entries))
    }

    /// Has what is established count again for these elements; one that was not cut is no error.
    ///
    /// # Errors
    /// Any [`NftError`] but [`NftError::Missing`].
    pub fn uncut(&mut self, elements: &[Element]) -> Result<(), NftError> {
        let entries: Vec<_> = elements.iter().map(|element| Entry::cut(*element, Duration::ZERO)).collect();
        self.remove_each(&entries)
    }

    /// For which elements nothing established counts, and for how much longer: none where the table is not installed.
    ///
    /// # Errors
    /// Any [`NftError`] but [`NftError::Missing`].
    pub fn cut_off(&mut self) -> Result<Vec<(Element, Duration)>, NftError> {
        let mut all = Vec::new();
        for set in [Set::Cut4, Set::Cut6] {
            match self.elements(set, open_from_key) {
                Ok(elements) => all.extend(elements),
                // Also where a version before this one made the table.
                Err(NftError::Missing(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all.into_iter().filter_map(|(element, left)| Some((element, left?))).collect())
    }

    /// Removes our table; that there is none is no error.
    ///
    /// # Errors
    /// Any [`NftError`].
    pub fn remove(&mut self) -> Result<(), NftError> {
        self.carry_out(&table::remove())
    }

    /// What the kernel holds: `None` where our table is not installed.
    ///
    /// # Errors
    /// Any [`NftError`] but [`NftError::Missing`].
    pub fn show(&mut self) -> Result<Option<Shown>, NftError> {
        match self.shown() {
            Ok(shown) => Ok(Some(shown)),
            Err(NftError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A watch that tells when somebody else changed what this guard installed.
    ///
    /// # Errors
    /// Where the kernel does not let us listen: that needs `CAP_NET_ADMIN`.
    pub fn watch(&self) -> io::Result<RulesetWatch> {
        RulesetWatch::connect()
    }

    /// The netlink port that the kernel names as the cause of what this guard changes.
    const fn port(&self) -> u32 {
        self.socket.port()
    }

    /// Whether the kernel still holds the table that was installed last, and every rule of it.
    fn stands(&mut self) -> bool {
        match (self.identity(), &self.installed) {
            (Ok(now), Some(installed)) => now.is_whole(installed),
            _ => false,
        }
    }

    fn identity(&mut self) -> Result<Identity, NftError> {
        let ours = Attributes::new().text(NFTA_TABLE, TABLE);
        let tables = self.list(NFT_MSG_GETTABLE, NLM_F_ACK, &ours, TableIdentity::of)?;
        let table = tables.into_iter().next().ok_or(NftError::NoAnswer)?;
        let rules = self.list(NFT_MSG_GETRULE, NLM_F_DUMP, &ours, rule_of)?;
        Ok(Identity { table, rules: rules.into_iter().flatten().collect() })
    }

    fn carry_out(&mut self, batch: &Batch) -> Result<(), NftError> {
        Ok(self.socket.execute(&batch.requests())?)
    }

    /// Adds elements, in the place of those that have the same keys.
    fn add_anew(&mut self, entries: &[Entry]) -> Result<(), NftError> {
        let mut batch = Batch::new();
        // Old kernels keep the timeout of an element that is added again. What was just added can always
        // be removed, and what was just removed is always new.
        batch.add(entries);
        batch.remove(entries);
        batch.add(entries);
        match self.carry_out(&batch) {
            // An element that expires between its addition and its removal: there is none the second time.
            Err(NftError::Missing(_)) => self.carry_out(&batch),
            outcome => outcome,
        }
    }

    /// Removes those of these elements that are there. Each batch waits for the kernel to be done with what it replaces:
    /// one for each element would hold up everything else for minutes where there are thousands.
    fn remove_each(&mut self, entries: &[Entry]) -> Result<(), NftError> {
        entries.chunks(ENTRIES_MAX / 2).try_for_each(|entries| {
            let together = self.remove_whether_there(entries);
            together.or_else(|_| entries.iter().try_for_each(|entry| self.remove_if_there(entry)))
        })
    }

    /// Removes these elements, whether they are there or not: what was just added can always be removed.
    fn remove_whether_there(&mut self, entries: &[Entry]) -> Result<(), NftError> {
        let mut batch = Batch::new();
        batch.add(entries);
        batch.remove(entries);
        match self.carry_out(&batch) {
            // An element that expires between its addition and its removal: there is none the second time.
            Err(NftError::Missing(_)) => self.carry_out(&batch),
            outcome => outcome,
        }
    }

    fn remove_all(&mut self, entries: &[Entry]) -> Result<(), NftError> {
        let mut batch = Batch::new();
        batch.remove(entries);
        self.carry_out(&batch)
    }

    fn remove_if_there(&mut self, entry: &Entry) -> Result<(), NftError> {
        match self.remove_all(slice::from_ref(entry)) {
            Err(NftError::Missing(_)) => Ok(()),
            outcome => outcome,
        }
    }

    fn shown(&mut self) -> Result<Shown, NftError> {
        let doors = self.elements(Set::Doors, door_from_key)?;
        let mut open = self.elements(Set::Open4, open_from_key)?;
        open.extend(self.elements(Set::Open6, open_from_key)?);
        Ok(Shown { doors, open, trusted: self.trusted()?, dropped: self.dropped()? })
    }

    /// The elements of a set in order, which the kernel does not keep, and for how much longer they are there.
    fn elements<T: Ord>(
        &mut self,
        set: Set,
        from_key: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<(T, Option<Duration>)>, NftError> {
        let messages = self.list(NFT_MSG_GETSETELEM, NLM_F_DUMP, &set.reference(), |message| {
            set::entries(message).filter_map(|(key, left)| Some((from_key(key)?, left))).collect::<Vec<_>>()
        })?;
        let mut elements: Vec<_> = messages.into_iter().flatten().collect();
        elements.sort_unstable();
        Ok(elements)
    }

    /// How many packets the last rule dropped.
    fn dropped(&mut self) -> Result<u64, NftError> {
        let chain = Attributes::new().text(NFTA_TABLE, TABLE).text(NFTA_RULE_CHAIN, table::SHUT);
        let counts = self.list(NFT_MSG_GETRULE, NLM_F_DUMP, &chain, counted)?;
        counts.into_iter().flatten().next().ok_or(NftError::NoAnswer)
    }

    /// Whom the rules trust, in order.
    fn trusted(&mut self) -> Result<Vec<Trusted>, NftError> {
        let chain = Attributes::new().text(NFTA_TABLE, TABLE).text(NFTA_RULE_CHAIN, table::SHUT);
        let found = self.list(NFT_MSG_GETRULE, NLM_F_DUMP, &chain, |rule| {
            attribute(rule, NFTA_RULE_EXPRESSIONS).filter(|_| is_ours(rule)).and_then(trusted::of_rule)
        })?;
        Ok(found.into_iter().flatten().collect())
    }

    /// What `each` makes of every message in the answer to a request for a list.
    fn list<T>(
        &mut self,
        kind: u16,
        flags: u16,
        attributes: &Attributes,
        each: impl Fn(&[u8]) -> T,
    ) -> Result<Vec<T>, NftError> {
        let request = Request { kind, flags, head: &INET, attributes };
        list(&mut self.socket, &request, |_, message| each(message))
    }
}

/// What `each` makes of every message in the answer to a request for a list: of the family that it is about, and what it
/// says.
fn list<T>(
    socket: &mut Socket,
    request: &Request<'_>,
    each: impl Fn(u8, &[u8]) -> T,
) -> Result<Vec<T>, NftError> {
    for _ in 0..DUMP_ATTEMPTS {
        let mut found = Vec::new();
        let outcome = socket.dump(request, |body| {
            let head = body.split_first_chunk::<{ INET.len() }>();
            found.extend(head.map(|([family, ..], message)| each(*family, message)));
        });
        match outcome {
            Ok(()) => return Ok(found),
            Err(Fault::Changed) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    Err(NftError::NoAnswer)
}

/// The packets that the rule in this message counted; `None` where it does not count, or is another table's.
fn counted(rule: &[u8]) -> Option<u64> {
    let expressions = attribute(rule, NFTA_RULE_EXPRESSIONS).filter(|_| is_ours(rule))?;
    let data = attributes(expressions).find_map(|(_, expression)| {
        attribute(expression, NFTA_EXPR_NAME).filter(|name| *name == b"counter\0")?;
        attribute(expression, NFTA_EXPR_DATA)
    })?;
    attribute(data, NFTA_COUNTER_PACKETS)?.first_chunk().map(|packets| u64::from_be_bytes(*packets))
}
