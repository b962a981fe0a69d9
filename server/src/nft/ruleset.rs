//! What the guard is told, and what it shows.

use std::collections::BTreeSet;
use std::time::Duration;

use knock_spa_proto::address::Address;
use knock_spa_proto::element::Element;
use knock_spa_proto::port::ServicePort;

use super::kept::Kept;
use super::set::{DOORS_MAX, ELEMENTS_MAX};
use super::trusted::Trusted;

/// The most [`Trusted`]: each is a rule that every packet to a guarded port meets, and all must fit one
/// batch.
pub const TRUSTED_MAX: u32 = 256;

/// All that the guard is to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// The ports that are shut unless opened, the SPA port among them: at most [`super::DOORS_MAX`].
    pub doors: BTreeSet<ServicePort>,
    /// When the doors cease to be guarded by themselves: a trial.
    pub doors_until: Option<Duration>,
    /// Who is never shut out: at most [`TRUSTED_MAX`].
    pub trusted: Vec<Trusted>,
    /// Who may pass, and for how much longer; `None` is for ever. At most [`super::ELEMENTS_MAX`] a family.
    pub open: Vec<(Element, Option<Duration>)>,
    /// For whom nothing established counts, and for how much longer: at most [`super::ELEMENTS_MAX`] a family.
    pub cut: Vec<(Element, Duration)>,
    /// Sessions to spare: at most [`super::ELEMENTS_MAX`] a family.
    pub kept: Vec<Kept>,
}

impl Ruleset {
    /// Whether it is within its bounds.
    pub(super) fn fits(&self) -> bool {
        is_within(self.doors.len(), DOORS_MAX)
            && is_within(self.trusted.len(), TRUSTED_MAX)
            && families_fit(self.open.iter().map(|(element, _)| element.address))
            && families_fit(self.cut.iter().map(|(element, _)| element.address))
            && families_fit(self.kept.iter().map(|kept| kept.client))
    }
}

fn families_fit(addresses: impl Iterator<Item = Address> + Clone) -> bool {
    let v4 = addresses.clone().filter(|address| address.ip().is_ipv4()).count();
    let v6 = addresses.filter(|address| address.ip().is_ipv6()).count();
    is_within(v4, ELEMENTS_MAX) && is_within(v6, ELEMENTS_MAX)
}

fn is_within(count: usize, max: u32) -> bool {
    u32::try_from(count).is_ok_and(|count| count <= max)
}

/// What the kernel holds of the guard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// The guarded ports, and for how much longer they are; `None` is for ever.
    pub doors: Vec<(ServicePort, Option<Duration>)>,
    /// Who may pass, and for how much longer; `None` is for ever.
    pub open: Vec<(Element, Option<Duration>)>,
    /// Who is never shut out, in the order of the rules.
    pub trusted: Vec<Trusted>,
    /// How many packets to guarded ports were dropped since the table was installed, those of SPA included.
    pub dropped: u64,
}
