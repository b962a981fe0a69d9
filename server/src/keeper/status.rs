//! What the keeper tells of itself.

use std::collections::BTreeMap;
use std::io;

use knock_spa_engine::admit;
use knock_spa_engine::knockd::KnockdDoor;
use knock_spa_engine::rules::{Action, Door};
use knock_spa_proto::control::{
    CloseState, CloseStatus, Counters, DoorStatus, FailingCloses, GuardStatus, Health, KnockdDoorStatus,
    LastUse, OpeningStatus, RefusalStatus, RunStatus, Status,
};
use knock_spa_proto::refusal::Refusal;

use super::Keeper;
use super::attention::attention;
use super::wall::Wall;
use crate::audit::words_for_end;
use crate::io::clock;
use crate::io::process::Started;

impl<L: FnMut() -> io::Result<Started>> Keeper<L> {
    pub(super) fn status(&self) -> Status {
        let openings: Vec<OpeningStatus> = self.openings().collect();
        let open = count(openings.iter().map(|opening| opening.door.as_str()));
        let doors = self.admit.rules().doors().map(|door| door_status(door, &open)).collect();
        let runs: Vec<RunStatus> = self.runs().collect();
        let open = count(runs.iter().map(|run| run.door.as_str()));
        let knockd_doors = self.admit.rules().knockd_doors().iter();
        let knockd_doors = knockd_doors.map(|door| knockd_door_status(door, &open)).collect();
        let (retried, need_attention) = self.admit.failing_closes();
        let mut status = Status {
            attention: Vec::new(),
            doors,
            openings,
            counters: self.counters(),
            refusals: self.refusals().collect(),
            listener: self.listening.status(),
            sets: self.sets.status(),
            guard: self.wall.as_ref().map_or(GuardStatus::NotNeeded, Wall::status),
            journal: if self.admit.journal_failed() { Health::Failed } else { Health::Good },
            failing_closes: FailingCloses { retried, need_attention },
            closes: self.closes().collect(),
            audit: self.audit.status(),
            clients: self.admit.rules().clients().count(),
            invitations: self.admit.pending_invitations(clock::now().unix),
            knockd_doors,
            runs,
            server_keys: self.key_statuses(),
            unusable_previous_key: self.unusable_previous_key(),
        };
        status.attention = attention(&status);
        status
    }

    pub(super) fn last_uses(&self) -> Vec<LastUse> {
        let uses = self.admit.last_uses();
        uses.map(|(key, at)| LastUse { fingerprint: key.fingerprint().to_string(), at: at.as_secs() })
            .collect()
    }

    fn openings(&self) -> impl Iterator<Item = OpeningStatus> {
        let now = clock::now();
        self.admit.openings(now.boot).map(move |opening| OpeningStatus {
            door: opening.door.to_string(),
            ports: opening.ports.iter().map(ToString::to_string).collect(),
            address: opening.address.to_string(),
            client: (opening.origin == "spa").then(|| opening.by.clone()),
            by: opening.by,
            origin: opening.origin.into(),
            since: opening.since.as_secs(),
            until: opening.left.map(|left| now.unix.saturating_add(left).as_secs()),
            left: opening.left.map(|left| left.as_secs()),
        })
    }

    fn runs(&self) -> impl Iterator<Item = RunStatus> {
        let now = clock::now().boot;
        self.admit.runs().map(move |(run, until)| RunStatus {
            door: run.door.clone(),
            address: run.address.to_string(),
            since: run.since.as_secs(),
            left: until.map(|until| until.boot.saturating_since(now).as_secs()),
        })
    }

    fn closes(&self) -> impl Iterator<Item = CloseStatus> {
        let now = clock::now();
        self.admit.closes().map(move |close| CloseStatus {
            door: close.door,
            address: close.address.to_string(),
            port: close.port.map(|port| port.to_string()),
            state: match close.state {
                admit::closes::CloseState::Running => CloseState::Running,
                admit::closes::CloseState::RetryAt(_) => CloseState::Retried,
                admit::closes::CloseState::NeedsAttention => CloseState::NeedsAttention,
            },
            ended: close.failed.map(words_for_end),
            next: match close.state {
                admit::closes::CloseState::RetryAt(at) => {
                    Some(now.unix.saturating_add(at.saturating_since(now.boot)).as_secs())
                }
                admit::closes::CloseState::Running | admit::closes::CloseState::NeedsAttention => None,
            },
        })
    }

    fn counters(&self) -> Counters {
        let counted = self.listening.counted();
        let refused = counted.refused.plus(self.admit.refused());
        Counters {
            received: counted.received,
            key_agreements: counted.dh,
            explanations: counted.explained,
            accepted: self.admit.accepted(),
            refused: Refusal::ALL.map(|refusal| (refusal.name().into(), refused.of(refusal))).into(),
        }
    }

    fn refusals(&self) -> impl Iterator<Item = RefusalStatus> {
        self.admit.latest_refusals().map(|refused| RefusalStatus {
            at: refused.at.as_secs(),
            reason: refused.refusal.to_string(),
            from: refused.from.to_string(),
            client: refused.client.clone(),
            clock: refused.clock.map(|clock| clock.to_string()),
        })
    }
}

/// How often each name is there.
fn count<'n>(names: impl Iterator<Item = &'n str>) -> BTreeMap<&'n str, usize> {
    let mut counts = BTreeMap::<&str, usize>::new();
    for name in names {
        let count = counts.entry(name).or_default();
        *count = count.saturating_add(1);
    }
    counts
}

fn door_status(door: &Door, open: &BTreeMap<&str, usize>) -> DoorStatus {
    DoorStatus {
        open: open.get(door.name.as_str()).copied().unwrap_or_default(),
        name: door.name.to_string(),
        ports: door.ports.iter().map(ToString::to_string).collect(),
        action: match &door.action {
            Action::Guard => "guard".into(),
            Action::Set(_) => "set".into(),
            Action::Command(_) => "command".into(),
        },
    }
}

fn knockd_door_status(door: &KnockdDoor, open: &BTreeMap<&str, usize>) -> KnockdDoorStatus {
    KnockdDoorStatus {
        name: door.name.clone(),
        can_be_knocked: door.knock.is_some(),
        open: open.get(door.name.as_str()).copied().unwrap_or_default(),
    }
}
