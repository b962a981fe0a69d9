//! How much may be open in knockd's manner: bounded, and never all of it by one door.

use alloc::collections::BTreeMap;
use alloc::string::String;

/// Runs at a time at most: whoever knows a sequence can knock with any source address, and knockd would have a process
/// for each.
pub const MAX_RUNS: usize = 16_384;

/// Runs of one door at a time at most, so that a flood of it keeps nobody from the others.
const MAX_OF_DOOR: usize = MAX_RUNS / 4 * 3;

/// There is no room for one more run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::admit) struct NoRoom;

/// What is taken up.
#[derive(Debug, Default)]
pub(super) struct Room {
    taken: usize,
    /// By door, where it is not 0.
    by_door: BTreeMap<String, usize>,
}

impl Room {
    /// Takes room for one run of a door.
    ///
    /// # Errors
    /// [`NoRoom`], where nothing is taken.
    pub(super) fn take(&mut self, door: &str) -> Result<(), NoRoom> {
        let of_door = self.by_door.get(door).copied().unwrap_or_default();
        if self.taken >= MAX_RUNS || of_door >= MAX_OF_DOOR {
            return Err(NoRoom);
        }
        self.take_anyway(door);
        Ok(())
    }

    /// Takes room for what is there, however much that is.
    pub(super) fn take_anyway(&mut self, door: &str) {
        self.taken = self.taken.saturating_add(1);
        let of_door = self.by_door.entry(door.into()).or_default();
        *of_door = of_door.saturating_add(1);
    }

    /// Gives back what one run of a door took.
    pub(super) fn give_back(&mut self, door: &str) {
        let Some(of_door) = self.by_door.get_mut(door) else { return };
        self.taken = self.taken.saturating_sub(1);
        *of_door = of_door.saturating_sub(1);
        if *of_door == 0 {
            self.by_door.remove(door);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_door_takes_all_the_room() {
        let mut room = Room::default();
        let took = |room: &mut Room, door| (0..MAX_RUNS).filter(|_| room.take(door).is_ok()).count();
        assert_eq!(took(&mut room, "flooded"), MAX_OF_DOOR);
        assert_eq!(took(&mut room, "other"), MAX_RUNS - MAX_OF_DOOR);
        assert_eq!(room.take("third"), Err(NoRoom));
        room.give_back("flooded");
        assert_eq!((room.take("third"), room.take("third")), (Ok(()), Err(NoRoom)));
        room.give_back("third");
        room.give_back("third");
        assert_eq!((room.take("flooded"), room.take("flooded")), (Ok(()), Err(NoRoom)));
    }

    #[test]
    fn what_is_there_already_counts() {
        let mut room = Room::default();
        (0..=MAX_RUNS).for_each(|_| room.take_anyway("restored"));
        assert_eq!(room.take("other"), Err(NoRoom));
        room.give_back("restored");
        room.give_back("restored");
        assert_eq!(room.take("other"), Ok(()));
    }
}
