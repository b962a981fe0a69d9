//! What the keeper tells of itself.

use std::io;

use knock_spa_engine::knockd::KnockdDoor;
use knock_spa_engine::rules::{Action, Door};
use knock_spa_proto::control::{
    Counters, DoorStatus, FailingCloses, GuardStatus, Health, KnockdDoorStatus, LastUse, OpeningStatus,
    RefusalStatus, RunStatus, Status,
};
use knock_spa_proto::refusal::Refusal;
use knock_spa_proto::time::UnixTime;

use super::Keeper;
use super::wall::Wall;
use crate::io::clock;
use crate::io::process::Started;

impl<L: FnMut() -> io::Result<Started>> Keeper<L> {
    pub(super) fn status(&self) -> Status {
        let openings: Vec<OpeningStatus> = self.openings().collect();
        let doors = self.admit.rules().doors().map(|door| door_status(door, &openings)).collect();
        let runs: Vec<RunStatus> = self.runs().collect();
        let knockd_doors = self.admit.rules().knockd_doors().iter();
        let knockd_doors = knockd_doors.map(|door| knockd_door_status(door, &runs)).collect();
        let (retried, need_attention) = self.admit.failing_closes();
        Status {
            doors,
            openings,
            counters: self.counters(),
            refusals: self.refusals().collect(),
            listener: self.listening.status(),
            sets: self.sets.status(),
            guard: self.wall.as_ref().map_or(GuardStatus::NotNeeded, Wall::status),
            journal: if self.admit.journal_failed() { Health::Failed } else { Health::Good },
            failing_closes: FailingCloses { retried, need_attention },
            clients: self.admit.rules().clients().count(),
            invitations: self.admit.pending_invitations(clock::now().unix),
            knockd_doors,
            runs,
            server_keys: self.key_statuses(),
            unusable_previous_key: self.unusable_previous_key(),
        }
    }

    pub(super) fn last_uses(&self) -> Vec<LastUse> {
        let uses = self.admit.last_uses();
        uses.map(|(key, at)| LastUse { fingerprint: key.fingerprint().to_string(), at: seconds(at) })
            .collect()
    }

    fn openings(&self) -> impl Iterator<Item = OpeningStatus> {
        self.admit.openings(clock::now().boot).map(|opening| OpeningStatus {
            door: opening.door.to_string(),
            ports: opening.ports.iter().map(ToString::to_string).collect(),
            address: opening.address.to_string(),
            by: opening.by,
            since: seconds(opening.since),
            left: opening.left.map(|left| left.as_secs()),
        })
    }

    fn runs(&self) -> impl Iterator<Item = RunStatus> {
        let now = clock::now().boot;
        self.admit.runs().map(move |(run, until)| RunStatus {
            door: run.door.clone(),
            address: run.address.to_string(),
            since: seconds(run.since),
            left: until.map(|until| until.boot.saturating_since(now).as_secs()),
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
            at: seconds(refused.at),
            reason: refused.refusal.to_string(),
            from: refused.from.to_string(),
            client: refused.client.clone(),
            clock: refused.clock.map(|clock| clock.to_string()),
        })
    }
}

fn door_status(door: &Door, openings: &[OpeningStatus]) -> DoorStatus {
    let name = door.name.to_string();
    DoorStatus {
        open: openings.iter().filter(|opening| opening.door == name).count(),
        name,
        ports: door.ports.iter().map(ToString::to_string).collect(),
        action: match &door.action {
            Action::Guard => "guard".into(),
            Action::Set(_) => "set".into(),
            Action::Command(_) => "command".into(),
        },
    }
}

fn knockd_door_status(door: &KnockdDoor, runs: &[RunStatus]) -> KnockdDoorStatus {
    KnockdDoorStatus {
        name: door.name.clone(),
        can_be_knocked: door.knock.is_some(),
        open: runs.iter().filter(|run| run.door == door.name).count(),
    }
}

pub(super) const fn seconds(time: UnixTime) -> u64 {
    time.as_nanos() / 1_000_000_000
}
