//! Doors whose sequences are good once: which one is next.

use std::collections::BTreeMap;
use std::path::PathBuf;

use knock_spa_engine::admit::effect::Unwritten;
use knock_spa_engine::rules::Knockable;
use knock_spa_proto::knock::ClassicKnock;

use crate::config::settings::Settings;
use crate::one_time;

/// Where the sequences of each such door are, and whether its present one is there.
#[derive(Debug)]
pub(super) struct OneTimeSequences(BTreeMap<Knockable, File>);

#[derive(Debug)]
struct File {
    path: PathBuf,
    /// The present sequence is the configuration's own: nothing is to be struck out for it.
    is_elsewhere: bool,
}

impl OneTimeSequences {
    /// Those of settings that were just read.
    pub(super) fn new(settings: &Settings) -> Self {
        let files = settings
            .one_time
            .iter()
            .map(|door| (door.door, File { path: door.file.clone(), is_elsewhere: door.begins_elsewhere }));
        Self(files.collect())
    }

    /// Strikes out the present sequence of a door, durably, and gives it the next one, if there is one.
    pub(super) fn strike_out(&mut self, door: Knockable, settings: &mut Settings) -> Result<(), Unwritten> {
        let Some(knock) = settings.knock_mut(door) else { return Err(Unwritten) };
        let (Some(file), Some(present)) = (self.0.get_mut(&door), knock.as_ref()) else {
            return Err(Unwritten);
        };
        let next = if file.is_elsewhere {
            one_time::current(&file.path)
        } else {
            one_time::strike_out(&file.path, &present.sequence)
        };
        let next = next.map_err(|error| {
            tracing::error!(event = "sequence-not-struck-out", %error);
            Unwritten
        })?;
        file.is_elsewhere = false;
        *knock = next.map(|sequence| ClassicKnock { sequence, ..present.clone() });
        Ok(())
    }
}
