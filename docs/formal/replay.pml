/* The replay rule of knock-spa/1 (docs/protocol.md section 5), for Spin. README.md says what is left out, and why.
 *
 * One client, one keeper with its journal, and the worst of worlds: the attacker has every packet that the client ever
 * makes, one for each time, and delivers any of them at any moment, as often as they like; the keeper is killed at any
 * step; the wall clock steps to and fro.
 *
 * Claims: no packet opens twice, and no start keeps anybody out for longer than twice the window.
 *
 *   (nothing)          A record may be refused; what is not on record is not opened, as with doors of commands.
 *   -DMARKS_LOST       The journal may be gone at a start, and what cannot be recorded is opened, as with doors of the
 *                      guard. The clock goes forward alone.
 *   -DCLOCK_FORWARD    The clock goes forward alone.
 *   -DMARKS_LOST -DDEAD_DISK     The disk may take no record, and no other name for the journal.
 *
 * Wrong rules:
 *   -DACT_FIRST        A packet opens before it is on record.
 *   -DFLOOR_ONLY       No mark is kept: each start refuses whatever an earlier one may have taken.
 *   -DEVICTING_CACHE   Packets that were taken are kept, durably, for as long as they are fresh.
 *   -DMARKS_LOST -DDEAD_DISK -DNO_START_FLOOR   A start that finds all marks takes what was made before it.
 *   -DMARKS_LOST -DDEAD_DISK -DACT_EARLY        What is not on record opens before its own time.
 *
 * Limits of the right rule:
 *   -DMARKS_LOST -DCLOCK_BACK    Marks are lost, and the clock steps back.
 *   -DROLLED_BACK                The journal's last records are gone, and nothing shows it.
 *
 * -DOPENS_NOTHING claims too much, to show that packets do open; with -DMARKS_LOST, that they do after a loss.
 */
#ifndef T
#define T 6 /* Times are 1 to T, and there is a packet for each. */
#endif
#ifndef W
#define W 2 /* The window. */
#endif
#if !defined(MARKS_LOST) && !defined(CLOCK_FORWARD)
#define CLOCK_BACK
#endif

#define MIN(a, b) ((a) < (b) -> (a) : (b))
#define MAX(a, b) ((a) > (b) -> (a) : (b))

/* What is not on record waits for its own time. */
#ifdef ACT_EARLY
#define MAY_OPEN(packet) true
#else
#define MAY_OPEN(packet) (has_file || (packet) <= now)
#endif

byte now = 1;

/* The keeper's memory: gone with it. */
mtype = { dead, reading, taking, moving };
mtype phase = dead;
byte mark, floor;
bool has_file;     /* Whether there is a file to append to. */
bool batch[T + 1]; /* What was taken, and did not open yet. */

/* The disk. */
byte disk_mark, disk_floor;
bool disk_key = true;      /* Whether every mark is known to be there. */
bool disk_opening[T + 1]; /* What is on record, and did not open yet. */

/* What the claim is about. */
bool opened[T + 1];
#ifdef OPENS_NOTHING
bool was_lost;
#endif
#ifdef EVICTING_CACHE
bool cached[T + 1];
#endif

inline open(packet) {
    assert(!opened[packet]);
    opened[packet] = true;
#ifdef OPENS_NOTHING
#ifdef MARKS_LOST
    assert(!was_lost);
#else
    assert(false);
#endif
#endif
}

inline forget_batch() {
    for (i : 1 .. T) {
        batch[i] = false;
    }
    i = 0
}

/* The records of the batch reach the disk: those up to a packet, in the order in which they were taken. */
inline append_up_to(last) {
    for (i : 1 .. last) {
        if
        :: batch[i] ->
           disk_mark = MAX(disk_mark, i);
           disk_opening[i] = true
        :: else
        fi
    }
    i = 0
}

/* A write that was not confirmed: nobody knows how much of it is there. */
inline append_some() {
    select(t : 0 .. T);
    append_up_to(t);
    t = 0
}

/* A new file in place of the old one, with the keeper's whole state. */
inline write_snapshot() {
    disk_mark = mark;
    disk_floor = floor;
    disk_key = true;
    for (i : 1 .. T) {
        disk_opening[i] = batch[i];
    }
    i = 0;
    has_file = true
}

/* No file takes records: the old one is renamed, so that the next start knows that some are missing. */
inline give_up() {
    has_file = false;
#ifdef DEAD_DISK
    if
    :: skip
    :: disk_key = false
    fi
#else
    disk_key = false
#endif
}

active proctype clock() {
#ifdef EVICTING_CACHE
    byte i;
#endif
    do
    :: d_step {
           now < T ->
           now++;
#ifdef EVICTING_CACHE
           for (i : 1 .. T) {
               cached[i] = cached[i] && i + W >= now;
           }
           i = 0
#endif
       }
#ifdef CLOCK_BACK
    :: now > 1 -> now--
#endif
    od
}

active proctype keeper() {
    byte t, i;
    do
    /* It is killed: at any step. */
    :: atomic {
           phase != dead ->
           if
           :: phase == taking && has_file -> append_some()
           :: else
           fi;
           forget_batch();
           mark = 0;
           floor = 0;
           has_file = false;
           phase = dead
       }

    /* It starts, and reads the journal. */
    :: atomic {
           phase == dead ->
#ifdef MARKS_LOST
           if
           :: disk_mark = 0;
              disk_floor = 0;
              disk_key = false;
#ifdef OPENS_NOTHING
              was_lost = true
#endif
           :: skip
           fi;
#endif
#ifdef ROLLED_BACK
           select(t : 0 .. disk_mark);
           disk_mark = t;
           t = 0;
#endif
           mark = disk_mark;
           floor = MAX(MIN(disk_floor, now + 2 * W), (disk_key -> now : now + W));
#ifdef NO_START_FLOOR
           floor = MAX(MIN(disk_floor, now + 2 * W), (disk_key -> 0 : now + W));
#endif
#ifdef FLOOR_ONLY
           mark = 0;
           floor = now + W;
#endif
           assert(floor <= now + 2 * W);
           /* What is on record is open, also where the one before died before it moved. */
           for (i : 1 .. T) {
               if
               :: disk_opening[i] && !opened[i] -> open(i)
               :: else
               fi;
               disk_opening[i] = false;
           }
           i = 0;
           phase = reading
       }
    /* It begins a new file with what it has read, or cannot. */
    :: atomic {
           phase == reading ->
           if
           :: write_snapshot()
           :: give_up()
           fi;
           phase = taking
       }

    /* A packet comes: any. */
    :: atomic {
           phase == taking ->
           select(t : 1 .. T);
           if
           :: t + W >= now && t <= now + W &&
#ifdef EVICTING_CACHE
              !cached[t] -> cached[t] = true;
#else
              t > MAX(mark, floor) -> mark = t;
#endif
              if
              :: batch[t] = true;
#ifdef ACT_FIRST
                 open(t)
#endif
              :: skip /* It is the client's, and policy refuses it. */
              fi
           :: else
           fi;
           t = 0
       }

    /* All that was taken is written at once. */
    :: atomic {
           phase == taking ->
           if
           :: has_file -> append_up_to(T)
           :: write_snapshot()
           :: if
              :: has_file -> append_some()
              :: else
              fi;
              give_up();
#ifndef MARKS_LOST
              forget_batch()
#endif
           fi;
           phase = moving
       }
    /* Then it opens, one after the other. */
    :: atomic {
           phase == moving ->
           t = 1;
           do
           :: t <= T && !(batch[t] && MAY_OPEN(t)) -> t++
           :: else -> break
           od;
           if
           :: t <= T ->
              batch[t] = false;
              disk_opening[t] = false;
#ifndef ACT_FIRST
              open(t)
#endif
           :: else -> phase = taking /* What waits for its own time is looked at again after the next write. */
           fi;
           t = 0
       }
    od
}
