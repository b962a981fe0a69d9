/* Enrolment by an invitation (docs/protocol.md section 3), for Spin. README.md says what is left out, and why.
 *
 * One invitation, one keeper with the files of clients and invitations, and the worst of worlds: the listener is the
 * attacker's, so that every request that anybody ever made reaches the keeper at any moment, as often as they like,
 * beside such as they made up; the keeper is killed at any step, and each write may fail; the administrator revokes the
 * invitation and removes the client at any moment, while the keeper does not hear of it before it reads the files again.
 *
 * Who asks, by the key that is to be enrolled:
 *   DEVICE   whoever has the invitation's line, for the device before them: both keys sign.
 *   SECOND   the same, for another of their devices: both keys sign.
 *   ANOTHER  the same, for somebody else's key, whose owner does not agree: the new key does not sign.
 *   LISTENER the listener, for a key of its own: it signs for the new key, and the invitation does not.
 *
 * Claims: one client at most is ever made of the invitation, by who has both keys, not after it was revoked, and not
 * again after the client was removed.
 *
 * Wrong rules:
 *   -DNO_PROOF       The new key's signature is not asked for.
 *   -DNO_SIGNATURE   The invitation's is not.
 *   -DNO_MARK        The invitation is never marked as used: that a client has its name is all that uses it up.
 *   -DMARK_ALONE     The mark is all that uses it up, and comes after the client: its name keeps nobody away.
 *   -DFROM_MEMORY    The keeper decides by what it has read earlier, without another look at the files.
 *   -DREMOVED_ALONE  A client is removed, and the invitation that it came by is left.
 *
 * Limit of the right rule:
 *   -DBY_HAND        Somebody removes the client's file by hand before the invitation is marked.
 *
 * -DENROLS_NOBODY claims too much, to show that somebody is enrolled; with -DAFTER_A_CRASH, that an enrolment which was
 * stopped between its two writes is one.
 */
#define NOBODY 0
#define DEVICE 1
#define SECOND 2
#define ANOTHER 3
#define LISTENER 4

/* Whose signatures are there, and which of them are looked at. */
#define by_invitation(key) (key != LISTENER)
#define by_new_key(key) (key != ANOTHER)
#ifdef NO_SIGNATURE
#define is_signed(key) (true)
#else
#define is_signed(key) by_invitation(key)
#endif
#ifdef NO_PROOF
#define is_proven(key) (true)
#else
#define is_proven(key) by_new_key(key)
#endif

/* Whether nobody else has the name that the invitation keeps. */
#ifdef MARK_ALONE
#define name_is_free(holder, key) (true)
#else
#define name_is_free(holder, key) (holder == NOBODY || holder == key)
#endif

/* The disk: the client of the invitation's name, the invitation, and its mark. */
byte client = NOBODY;
bool invited = true;
byte used_by = NOBODY;

/* The keeper's memory: what it has read, and what it is about to write. */
bool lives, knows_invited;
byte knows_client, knows_used_by;
byte enrolling = NOBODY; /* Whose record is durable: the files come next. */
byte marking = NOBODY;   /* Whose file is written: the mark comes next. */

bool over; /* The invitation's time is. */

/* What the claims are about. */
byte made = NOBODY;
bool removed;
bool stopped_between;

/* A client's file comes to be. */
inline make(key) {
    assert(made == NOBODY);
    assert(by_invitation(key) && by_new_key(key));
    assert(invited);
    assert(!removed);
    made = key;
    client = key
}

/* Somebody is enrolled, with all that belongs to it. */
inline enrolled() {
#ifdef ENROLS_NOBODY
#ifdef AFTER_A_CRASH
    assert(!stopped_between)
#else
    assert(false)
#endif
#else
    skip
#endif
}

active proctype keeper() {
    byte key;
    do
    /* It is killed: at any step. */
    :: atomic {
           lives ->
           if
           :: marking != NOBODY -> stopped_between = true
           :: else
           fi;
           lives = false;
           knows_invited = false;
           knows_client = NOBODY;
           knows_used_by = NOBODY;
           enrolling = NOBODY;
           marking = NOBODY
       }
    /* It starts, or reads the files again. An invitation whose name a client has is used by that one, and is marked,
       if that can be done. */
    :: atomic {
           marking == NOBODY ->
           lives = true;
#ifndef NO_MARK
#ifndef MARK_ALONE
           if
           :: invited && used_by == NOBODY && client != NOBODY -> used_by = client
           :: skip
           fi;
#endif
#endif
           knows_client = client;
           knows_invited = invited;
           knows_used_by = used_by;
           if
           :: client != NOBODY -> enrolled()
           :: else
           fi;
#ifndef MARK_ALONE
#ifndef NO_MARK
           if
           :: knows_used_by == NOBODY -> knows_used_by = client
           :: else
           fi
#endif
#endif
       }

    /* A request comes: any. What is refused is refused. */
    :: atomic {
           lives && enrolling == NOBODY && marking == NOBODY && knows_invited && !over ->
           select(key : DEVICE .. LISTENER);
           if
           :: is_signed(key) && is_proven(key) && knows_used_by == NOBODY && name_is_free(knows_client, key) ->
              enrolling = key
           :: else /* It is refused. */
           fi;
           key = NOBODY
       }
    /* Under the lock: the files are read again, and the client's is written, or cannot be. */
    :: atomic {
           enrolling != NOBODY ->
           if
#ifdef FROM_MEMORY
           :: true ->
#else
           :: invited && client == enrolling -> marking = enrolling
           :: invited && client != enrolling && used_by == NOBODY && name_is_free(client, enrolling) ->
#endif
              if
              :: make(enrolling);
                 marking = enrolling
              :: skip
              fi
           :: else /* Somebody was faster, or the invitation is gone. */
           fi;
           enrolling = NOBODY
       }
    /* Then the mark, or that cannot be. */
    :: atomic {
           marking != NOBODY ->
           if
           :: invited ->
#ifndef NO_MARK
              used_by = marking;
              knows_used_by = marking;
#endif
              knows_client = marking;
              enrolled()
           :: skip
           fi;
           marking = NOBODY
       }
    od
}

/* The administrator's commands take the lock: they come before the files of an enrolment are written, or after. */
active proctype administrator() {
    do
    :: atomic { marking == NOBODY && invited -> invited = false }
    :: atomic {
           marking == NOBODY && client != NOBODY ->
           /* The invitation goes first: a command that dies in between has removed nobody. */
#ifndef REMOVED_ALONE
           invited = false;
#endif
           if
           :: client = NOBODY;
              removed = true
           :: skip
           fi
       }
    /* Or the client's file is removed by hand. */
    :: atomic {
           client != NOBODY &&
#if defined(BY_HAND)
           true ->
#elif defined(NO_MARK)
           knows_client == client ->
#else
           used_by == client ->
#endif
           client = NOBODY;
           removed = true
       }
    :: atomic { !over -> over = true }
    od
}
