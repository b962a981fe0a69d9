#define rand	pan_rand
#define pthread_equal(a,b)	((a)==(b))
#if defined(HAS_CODE) && defined(VERBOSE)
	#ifdef BFS_PAR
		bfs_printf("Pr: %d Tr: %d\n", II, t->forw);
	#else
		cpu_printf("Pr: %d Tr: %d\n", II, t->forw);
	#endif
#endif
	switch (t->forw) {
	default: Uerror("bad forward move");
	case 0:	/* if without executable clauses */
		continue;
	case 1: /* generic 'goto' or 'skip' */
		IfNotBlocked
		_m = 3; goto P999;
	case 2: /* generic 'else' */
		IfNotBlocked
		if (trpt->o_pm&1) continue;
		_m = 3; goto P999;

		 /* PROC administrator */
	case 3: // STATE 1 - /tmp/w-proof/docs/formal/enrolment.pml:197 - [(((marking==0)&&invited))] (19:0:1 - 1)
		IfNotBlocked
		reached[1][1] = 1;
		if (!(((((int)now.marking)==0)&&((int)now.invited))))
			continue;
		/* merge: invited = 0(0, 2, 19) */
		reached[1][2] = 1;
		(trpt+1)->bup.oval = ((int)now.invited);
		now.invited = 0;
#ifdef VAR_RANGES
		logval("invited", ((int)now.invited));
#endif
		;
		/* merge: .(goto)(0, 20, 19) */
		reached[1][20] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 4: // STATE 4 - /tmp/w-proof/docs/formal/enrolment.pml:199 - [(((marking==0)&&(client!=0)))] (9:0:1 - 1)
		IfNotBlocked
		reached[1][4] = 1;
		if (!(((((int)now.marking)==0)&&(((int)now.client)!=0))))
			continue;
		/* merge: invited = 0(0, 5, 9) */
		reached[1][5] = 1;
		(trpt+1)->bup.oval = ((int)now.invited);
		now.invited = 0;
#ifdef VAR_RANGES
		logval("invited", ((int)now.invited));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 5: // STATE 6 - /tmp/w-proof/docs/formal/enrolment.pml:205 - [client = 0] (0:19:2 - 1)
		IfNotBlocked
		reached[1][6] = 1;
		(trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((int)now.client);
		now.client = 0;
#ifdef VAR_RANGES
		logval("client", ((int)now.client));
#endif
		;
		/* merge: removed = 1(19, 7, 19) */
		reached[1][7] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.removed);
		now.removed = 1;
#ifdef VAR_RANGES
		logval("removed", ((int)now.removed));
#endif
		;
		/* merge: .(goto)(19, 10, 19) */
		reached[1][10] = 1;
		;
		/* merge: .(goto)(0, 20, 19) */
		reached[1][20] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 6: // STATE 10 - /tmp/w-proof/docs/formal/enrolment.pml:209 - [.(goto)] (0:19:0 - 2)
		IfNotBlocked
		reached[1][10] = 1;
		;
		/* merge: .(goto)(0, 20, 19) */
		reached[1][20] = 1;
		;
		_m = 3; goto P999; /* 1 */
	case 7: // STATE 8 - /tmp/w-proof/docs/formal/enrolment.pml:207 - [(1)] (19:0:0 - 1)
		IfNotBlocked
		reached[1][8] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(19, 10, 19) */
		reached[1][10] = 1;
		;
		/* merge: .(goto)(0, 20, 19) */
		reached[1][20] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 8: // STATE 12 - /tmp/w-proof/docs/formal/enrolment.pml:218 - [(((client!=0)&&(used_by==client)))] (19:0:2 - 1)
		IfNotBlocked
		reached[1][12] = 1;
		if (!(((((int)now.client)!=0)&&(((int)now.used_by)==((int)now.client)))))
			continue;
		/* merge: client = 0(19, 13, 19) */
		reached[1][13] = 1;
		(trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((int)now.client);
		now.client = 0;
#ifdef VAR_RANGES
		logval("client", ((int)now.client));
#endif
		;
		/* merge: removed = 1(19, 14, 19) */
		reached[1][14] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.removed);
		now.removed = 1;
#ifdef VAR_RANGES
		logval("removed", ((int)now.removed));
#endif
		;
		/* merge: .(goto)(0, 20, 19) */
		reached[1][20] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 9: // STATE 16 - /tmp/w-proof/docs/formal/enrolment.pml:223 - [(!(over))] (19:0:1 - 1)
		IfNotBlocked
		reached[1][16] = 1;
		if (!( !(((int)now.over))))
			continue;
		/* merge: over = 1(0, 17, 19) */
		reached[1][17] = 1;
		(trpt+1)->bup.oval = ((int)now.over);
		now.over = 1;
#ifdef VAR_RANGES
		logval("over", ((int)now.over));
#endif
		;
		/* merge: .(goto)(0, 20, 19) */
		reached[1][20] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 10: // STATE 22 - /tmp/w-proof/docs/formal/enrolment.pml:225 - [-end-] (0:0:0 - 1)
		IfNotBlocked
		reached[1][22] = 1;
		if (!delproc(1, II)) continue;
		_m = 3; goto P999; /* 0 */

		 /* PROC keeper */
	case 11: // STATE 1 - /tmp/w-proof/docs/formal/enrolment.pml:104 - [(lives)] (0:0:0 - 1)
		IfNotBlocked
		reached[0][1] = 1;
		if (!(((int)now.lives)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 12: // STATE 2 - /tmp/w-proof/docs/formal/enrolment.pml:106 - [((marking!=0))] (82:0:7 - 1)
		IfNotBlocked
		reached[0][2] = 1;
		if (!((((int)now.marking)!=0)))
			continue;
		/* merge: stopped_between = 1(82, 3, 82) */
		reached[0][3] = 1;
		(trpt+1)->bup.ovals = grab_ints(7);
		(trpt+1)->bup.ovals[0] = ((int)now.stopped_between);
		now.stopped_between = 1;
#ifdef VAR_RANGES
		logval("stopped_between", ((int)now.stopped_between));
#endif
		;
		/* merge: .(goto)(82, 6, 82) */
		reached[0][6] = 1;
		;
		/* merge: lives = 0(82, 7, 82) */
		reached[0][7] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.lives);
		now.lives = 0;
#ifdef VAR_RANGES
		logval("lives", ((int)now.lives));
#endif
		;
		/* merge: knows_invited = 0(82, 8, 82) */
		reached[0][8] = 1;
		(trpt+1)->bup.ovals[2] = ((int)now.knows_invited);
		now.knows_invited = 0;
#ifdef VAR_RANGES
		logval("knows_invited", ((int)now.knows_invited));
#endif
		;
		/* merge: knows_client = 0(82, 9, 82) */
		reached[0][9] = 1;
		(trpt+1)->bup.ovals[3] = ((int)now.knows_client);
		now.knows_client = 0;
#ifdef VAR_RANGES
		logval("knows_client", ((int)now.knows_client));
#endif
		;
		/* merge: knows_used_by = 0(82, 10, 82) */
		reached[0][10] = 1;
		(trpt+1)->bup.ovals[4] = ((int)now.knows_used_by);
		now.knows_used_by = 0;
#ifdef VAR_RANGES
		logval("knows_used_by", ((int)now.knows_used_by));
#endif
		;
		/* merge: enrolling = 0(82, 11, 82) */
		reached[0][11] = 1;
		(trpt+1)->bup.ovals[5] = ((int)now.enrolling);
		now.enrolling = 0;
#ifdef VAR_RANGES
		logval("enrolling", ((int)now.enrolling));
#endif
		;
		/* merge: marking = 0(82, 12, 82) */
		reached[0][12] = 1;
		(trpt+1)->bup.ovals[6] = ((int)now.marking);
		now.marking = 0;
#ifdef VAR_RANGES
		logval("marking", ((int)now.marking));
#endif
		;
		/* merge: .(goto)(0, 83, 82) */
		reached[0][83] = 1;
		;
		_m = 3; goto P999; /* 9 */
	case 13: // STATE 7 - /tmp/w-proof/docs/formal/enrolment.pml:109 - [lives = 0] (0:82:6 - 3)
		IfNotBlocked
		reached[0][7] = 1;
		(trpt+1)->bup.ovals = grab_ints(6);
		(trpt+1)->bup.ovals[0] = ((int)now.lives);
		now.lives = 0;
#ifdef VAR_RANGES
		logval("lives", ((int)now.lives));
#endif
		;
		/* merge: knows_invited = 0(82, 8, 82) */
		reached[0][8] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.knows_invited);
		now.knows_invited = 0;
#ifdef VAR_RANGES
		logval("knows_invited", ((int)now.knows_invited));
#endif
		;
		/* merge: knows_client = 0(82, 9, 82) */
		reached[0][9] = 1;
		(trpt+1)->bup.ovals[2] = ((int)now.knows_client);
		now.knows_client = 0;
#ifdef VAR_RANGES
		logval("knows_client", ((int)now.knows_client));
#endif
		;
		/* merge: knows_used_by = 0(82, 10, 82) */
		reached[0][10] = 1;
		(trpt+1)->bup.ovals[3] = ((int)now.knows_used_by);
		now.knows_used_by = 0;
#ifdef VAR_RANGES
		logval("knows_used_by", ((int)now.knows_used_by));
#endif
		;
		/* merge: enrolling = 0(82, 11, 82) */
		reached[0][11] = 1;
		(trpt+1)->bup.ovals[4] = ((int)now.enrolling);
		now.enrolling = 0;
#ifdef VAR_RANGES
		logval("enrolling", ((int)now.enrolling));
#endif
		;
		/* merge: marking = 0(82, 12, 82) */
		reached[0][12] = 1;
		(trpt+1)->bup.ovals[5] = ((int)now.marking);
		now.marking = 0;
#ifdef VAR_RANGES
		logval("marking", ((int)now.marking));
#endif
		;
		/* merge: .(goto)(0, 83, 82) */
		reached[0][83] = 1;
		;
		_m = 3; goto P999; /* 6 */
	case 14: // STATE 14 - /tmp/w-proof/docs/formal/enrolment.pml:119 - [((marking==0))] (19:0:1 - 1)
		IfNotBlocked
		reached[0][14] = 1;
		if (!((((int)now.marking)==0)))
			continue;
		/* merge: lives = 1(0, 15, 19) */
		reached[0][15] = 1;
		(trpt+1)->bup.oval = ((int)now.lives);
		now.lives = 1;
#ifdef VAR_RANGES
		logval("lives", ((int)now.lives));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 15: // STATE 16 - /tmp/w-proof/docs/formal/enrolment.pml:124 - [(((invited&&(used_by==0))&&(client!=0)))] (28:0:4 - 1)
		IfNotBlocked
		reached[0][16] = 1;
		if (!(((((int)now.invited)&&(((int)now.used_by)==0))&&(((int)now.client)!=0))))
			continue;
		/* merge: used_by = client(28, 17, 28) */
		reached[0][17] = 1;
		(trpt+1)->bup.ovals = grab_ints(4);
		(trpt+1)->bup.ovals[0] = ((int)now.used_by);
		now.used_by = ((int)now.client);
#ifdef VAR_RANGES
		logval("used_by", ((int)now.used_by));
#endif
		;
		/* merge: .(goto)(28, 20, 28) */
		reached[0][20] = 1;
		;
		/* merge: knows_client = client(28, 21, 28) */
		reached[0][21] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.knows_client);
		now.knows_client = ((int)now.client);
#ifdef VAR_RANGES
		logval("knows_client", ((int)now.knows_client));
#endif
		;
		/* merge: knows_invited = invited(28, 22, 28) */
		reached[0][22] = 1;
		(trpt+1)->bup.ovals[2] = ((int)now.knows_invited);
		now.knows_invited = ((int)now.invited);
#ifdef VAR_RANGES
		logval("knows_invited", ((int)now.knows_invited));
#endif
		;
		/* merge: knows_used_by = used_by(28, 23, 28) */
		reached[0][23] = 1;
		(trpt+1)->bup.ovals[3] = ((int)now.knows_used_by);
		now.knows_used_by = ((int)now.used_by);
#ifdef VAR_RANGES
		logval("knows_used_by", ((int)now.knows_used_by));
#endif
		;
		_m = 3; goto P999; /* 5 */
	case 16: // STATE 18 - /tmp/w-proof/docs/formal/enrolment.pml:125 - [(1)] (28:0:3 - 1)
		IfNotBlocked
		reached[0][18] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(28, 20, 28) */
		reached[0][20] = 1;
		;
		/* merge: knows_client = client(28, 21, 28) */
		reached[0][21] = 1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = ((int)now.knows_client);
		now.knows_client = ((int)now.client);
#ifdef VAR_RANGES
		logval("knows_client", ((int)now.knows_client));
#endif
		;
		/* merge: knows_invited = invited(28, 22, 28) */
		reached[0][22] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.knows_invited);
		now.knows_invited = ((int)now.invited);
#ifdef VAR_RANGES
		logval("knows_invited", ((int)now.knows_invited));
#endif
		;
		/* merge: knows_used_by = used_by(28, 23, 28) */
		reached[0][23] = 1;
		(trpt+1)->bup.ovals[2] = ((int)now.knows_used_by);
		now.knows_used_by = ((int)now.used_by);
#ifdef VAR_RANGES
		logval("knows_used_by", ((int)now.knows_used_by));
#endif
		;
		_m = 3; goto P999; /* 4 */
	case 17: // STATE 21 - /tmp/w-proof/docs/formal/enrolment.pml:129 - [knows_client = client] (0:28:3 - 3)
		IfNotBlocked
		reached[0][21] = 1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = ((int)now.knows_client);
		now.knows_client = ((int)now.client);
#ifdef VAR_RANGES
		logval("knows_client", ((int)now.knows_client));
#endif
		;
		/* merge: knows_invited = invited(28, 22, 28) */
		reached[0][22] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.knows_invited);
		now.knows_invited = ((int)now.invited);
#ifdef VAR_RANGES
		logval("knows_invited", ((int)now.knows_invited));
#endif
		;
		/* merge: knows_used_by = used_by(28, 23, 28) */
		reached[0][23] = 1;
		(trpt+1)->bup.ovals[2] = ((int)now.knows_used_by);
		now.knows_used_by = ((int)now.used_by);
#ifdef VAR_RANGES
		logval("knows_used_by", ((int)now.knows_used_by));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 18: // STATE 24 - /tmp/w-proof/docs/formal/enrolment.pml:133 - [((client!=0))] (0:0:0 - 1)
		IfNotBlocked
		reached[0][24] = 1;
		if (!((((int)now.client)!=0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 19: // STATE 25 - /tmp/w-proof/docs/formal/enrolment.pml:90 - [assert(!(stopped_between))] (0:0:0 - 1)
		IfNotBlocked
		reached[0][25] = 1;
		spin_assert( !(((int)now.stopped_between)), " !(stopped_between)", II, tt, t);
		_m = 3; goto P999; /* 0 */
	case 20: // STATE 30 - /tmp/w-proof/docs/formal/enrolment.pml:139 - [((knows_used_by==0))] (82:0:1 - 1)
		IfNotBlocked
		reached[0][30] = 1;
		if (!((((int)now.knows_used_by)==0)))
			continue;
		/* merge: knows_used_by = client(82, 31, 82) */
		reached[0][31] = 1;
		(trpt+1)->bup.oval = ((int)now.knows_used_by);
		now.knows_used_by = ((int)now.client);
#ifdef VAR_RANGES
		logval("knows_used_by", ((int)now.knows_used_by));
#endif
		;
		/* merge: .(goto)(82, 34, 82) */
		reached[0][34] = 1;
		;
		/* merge: .(goto)(0, 83, 82) */
		reached[0][83] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 21: // STATE 34 - /tmp/w-proof/docs/formal/enrolment.pml:144 - [.(goto)] (0:82:0 - 2)
		IfNotBlocked
		reached[0][34] = 1;
		;
		/* merge: .(goto)(0, 83, 82) */
		reached[0][83] = 1;
		;
		_m = 3; goto P999; /* 1 */
	case 22: // STATE 36 - /tmp/w-proof/docs/formal/enrolment.pml:148 - [(((((lives&&(enrolling==0))&&(marking==0))&&knows_invited)&&!(over)))] (0:0:0 - 1)
		IfNotBlocked
		reached[0][36] = 1;
		if (!(((((((int)now.lives)&&(((int)now.enrolling)==0))&&(((int)now.marking)==0))&&((int)now.knows_invited))&& !(((int)now.over)))))
			continue;
		_m = 3; goto P999; /* 0 */
	case 23: // STATE 37 - /tmp/w-proof/docs/formal/enrolment.pml:149 - [key = 1] (0:0:1 - 1)
		IfNotBlocked
		reached[0][37] = 1;
		(trpt+1)->bup.oval = ((int)((P0 *)_this)->key);
		((P0 *)_this)->key = 1;
#ifdef VAR_RANGES
		logval("keeper:key", ((int)((P0 *)_this)->key));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 24: // STATE 38 - /tmp/w-proof/docs/formal/enrolment.pml:149 - [key = 2] (0:0:1 - 1)
		IfNotBlocked
		reached[0][38] = 1;
		(trpt+1)->bup.oval = ((int)((P0 *)_this)->key);
		((P0 *)_this)->key = 2;
#ifdef VAR_RANGES
		logval("keeper:key", ((int)((P0 *)_this)->key));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 25: // STATE 39 - /tmp/w-proof/docs/formal/enrolment.pml:149 - [key = 3] (0:0:1 - 1)
		IfNotBlocked
		reached[0][39] = 1;
		(trpt+1)->bup.oval = ((int)((P0 *)_this)->key);
		((P0 *)_this)->key = 3;
#ifdef VAR_RANGES
		logval("keeper:key", ((int)((P0 *)_this)->key));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 26: // STATE 40 - /tmp/w-proof/docs/formal/enrolment.pml:149 - [key = 4] (0:0:1 - 1)
		IfNotBlocked
		reached[0][40] = 1;
		(trpt+1)->bup.oval = ((int)((P0 *)_this)->key);
		((P0 *)_this)->key = 4;
#ifdef VAR_RANGES
		logval("keeper:key", ((int)((P0 *)_this)->key));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 27: // STATE 43 - /tmp/w-proof/docs/formal/enrolment.pml:151 - [(((((key!=4)&&(key!=3))&&(knows_used_by==0))&&((knows_client==0)||(knows_client==key))))] (82:0:2 - 1)
		IfNotBlocked
		reached[0][43] = 1;
		if (!(((((((int)((P0 *)_this)->key)!=4)&&(((int)((P0 *)_this)->key)!=3))&&(((int)now.knows_used_by)==0))&&((((int)now.knows_client)==0)||(((int)now.knows_client)==((int)((P0 *)_this)->key))))))
			continue;
		/* merge: enrolling = key(82, 44, 82) */
		reached[0][44] = 1;
		(trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((int)now.enrolling);
		now.enrolling = ((int)((P0 *)_this)->key);
#ifdef VAR_RANGES
		logval("enrolling", ((int)now.enrolling));
#endif
		;
		/* merge: .(goto)(82, 47, 82) */
		reached[0][47] = 1;
		;
		/* merge: key = 0(82, 48, 82) */
		reached[0][48] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P0 *)_this)->key);
		((P0 *)_this)->key = 0;
#ifdef VAR_RANGES
		logval("keeper:key", ((int)((P0 *)_this)->key));
#endif
		;
		/* merge: .(goto)(0, 83, 82) */
		reached[0][83] = 1;
		;
		_m = 3; goto P999; /* 4 */
	case 28: // STATE 47 - /tmp/w-proof/docs/formal/enrolment.pml:155 - [.(goto)] (0:82:1 - 2)
		IfNotBlocked
		reached[0][47] = 1;
		;
		/* merge: key = 0(82, 48, 82) */
		reached[0][48] = 1;
		(trpt+1)->bup.oval = ((int)((P0 *)_this)->key);
		((P0 *)_this)->key = 0;
#ifdef VAR_RANGES
		logval("keeper:key", ((int)((P0 *)_this)->key));
#endif
		;
		/* merge: .(goto)(0, 83, 82) */
		reached[0][83] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 29: // STATE 50 - /tmp/w-proof/docs/formal/enrolment.pml:159 - [((enrolling!=0))] (0:0:0 - 1)
		IfNotBlocked
		reached[0][50] = 1;
		if (!((((int)now.enrolling)!=0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 30: // STATE 51 - /tmp/w-proof/docs/formal/enrolment.pml:164 - [((invited&&(client==enrolling)))] (82:0:2 - 1)
		IfNotBlocked
		reached[0][51] = 1;
		if (!((((int)now.invited)&&(((int)now.client)==((int)now.enrolling)))))
			continue;
		/* merge: marking = enrolling(82, 52, 82) */
		reached[0][52] = 1;
		(trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((int)now.marking);
		now.marking = ((int)now.enrolling);
#ifdef VAR_RANGES
		logval("marking", ((int)now.marking));
#endif
		;
		/* merge: .(goto)(82, 67, 82) */
		reached[0][67] = 1;
		;
		/* merge: enrolling = 0(82, 68, 82) */
		reached[0][68] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.enrolling);
		now.enrolling = 0;
#ifdef VAR_RANGES
		logval("enrolling", ((int)now.enrolling));
#endif
		;
		/* merge: .(goto)(0, 83, 82) */
		reached[0][83] = 1;
		;
		_m = 3; goto P999; /* 4 */
	case 31: // STATE 67 - /tmp/w-proof/docs/formal/enrolment.pml:174 - [.(goto)] (0:82:1 - 5)
		IfNotBlocked
		reached[0][67] = 1;
		;
		/* merge: enrolling = 0(82, 68, 82) */
		reached[0][68] = 1;
		(trpt+1)->bup.oval = ((int)now.enrolling);
		now.enrolling = 0;
#ifdef VAR_RANGES
		logval("enrolling", ((int)now.enrolling));
#endif
		;
		/* merge: .(goto)(0, 83, 82) */
		reached[0][83] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 32: // STATE 53 - /tmp/w-proof/docs/formal/enrolment.pml:165 - [((((invited&&(client!=enrolling))&&(used_by==0))&&((client==0)||(client==enrolling))))] (0:0:0 - 1)
		IfNotBlocked
		reached[0][53] = 1;
		if (!((((((int)now.invited)&&(((int)now.client)!=((int)now.enrolling)))&&(((int)now.used_by)==0))&&((((int)now.client)==0)||(((int)now.client)==((int)now.enrolling))))))
			continue;
		_m = 3; goto P999; /* 0 */
	case 33: // STATE 54 - /tmp/w-proof/docs/formal/enrolment.pml:78 - [assert((made==0))] (0:82:4 - 1)
		IfNotBlocked
		reached[0][54] = 1;
		spin_assert((((int)now.made)==0), "(made==0)", II, tt, t);
		/* merge: assert(((enrolling!=4)&&(enrolling!=3)))(82, 55, 82) */
		reached[0][55] = 1;
		spin_assert(((((int)now.enrolling)!=4)&&(((int)now.enrolling)!=3)), "((enrolling!=4)&&(enrolling!=3))", II, tt, t);
		/* merge: assert(invited)(82, 56, 82) */
		reached[0][56] = 1;
		spin_assert(((int)now.invited), "invited", II, tt, t);
		/* merge: assert(!(removed))(82, 57, 82) */
		reached[0][57] = 1;
		spin_assert( !(((int)now.removed)), " !(removed)", II, tt, t);
		/* merge: made = enrolling(82, 58, 82) */
		reached[0][58] = 1;
		(trpt+1)->bup.ovals = grab_ints(4);
		(trpt+1)->bup.ovals[0] = ((int)now.made);
		now.made = ((int)now.enrolling);
#ifdef VAR_RANGES
		logval("made", ((int)now.made));
#endif
		;
		/* merge: client = enrolling(82, 59, 82) */
		reached[0][59] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.client);
		now.client = ((int)now.enrolling);
#ifdef VAR_RANGES
		logval("client", ((int)now.client));
#endif
		;
		/* merge: marking = enrolling(82, 61, 82) */
		reached[0][61] = 1;
		(trpt+1)->bup.ovals[2] = ((int)now.marking);
		now.marking = ((int)now.enrolling);
#ifdef VAR_RANGES
		logval("marking", ((int)now.marking));
#endif
		;
		/* merge: .(goto)(82, 64, 82) */
		reached[0][64] = 1;
		;
		/* merge: .(goto)(82, 67, 82) */
		reached[0][67] = 1;
		;
		/* merge: enrolling = 0(82, 68, 82) */
		reached[0][68] = 1;
		(trpt+1)->bup.ovals[3] = ((int)now.enrolling);
		now.enrolling = 0;
#ifdef VAR_RANGES
		logval("enrolling", ((int)now.enrolling));
#endif
		;
		/* merge: .(goto)(0, 83, 82) */
		reached[0][83] = 1;
		;
		_m = 3; goto P999; /* 10 */
	case 34: // STATE 62 - /tmp/w-proof/docs/formal/enrolment.pml:170 - [(1)] (82:0:1 - 1)
		IfNotBlocked
		reached[0][62] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(82, 64, 82) */
		reached[0][64] = 1;
		;
		/* merge: .(goto)(82, 67, 82) */
		reached[0][67] = 1;
		;
		/* merge: enrolling = 0(82, 68, 82) */
		reached[0][68] = 1;
		(trpt+1)->bup.oval = ((int)now.enrolling);
		now.enrolling = 0;
#ifdef VAR_RANGES
		logval("enrolling", ((int)now.enrolling));
#endif
		;
		/* merge: .(goto)(0, 83, 82) */
		reached[0][83] = 1;
		;
		_m = 3; goto P999; /* 4 */
	case 35: // STATE 70 - /tmp/w-proof/docs/formal/enrolment.pml:178 - [((marking!=0))] (0:0:0 - 1)
		IfNotBlocked
		reached[0][70] = 1;
		if (!((((int)now.marking)!=0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 36: // STATE 71 - /tmp/w-proof/docs/formal/enrolment.pml:180 - [(invited)] (76:0:3 - 1)
		IfNotBlocked
		reached[0][71] = 1;
		if (!(((int)now.invited)))
			continue;
		/* merge: used_by = marking(76, 72, 76) */
		reached[0][72] = 1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = ((int)now.used_by);
		now.used_by = ((int)now.marking);
#ifdef VAR_RANGES
		logval("used_by", ((int)now.used_by));
#endif
		;
		/* merge: knows_used_by = marking(76, 73, 76) */
		reached[0][73] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.knows_used_by);
		now.knows_used_by = ((int)now.marking);
#ifdef VAR_RANGES
		logval("knows_used_by", ((int)now.knows_used_by));
#endif
		;
		/* merge: knows_client = marking(76, 74, 76) */
		reached[0][74] = 1;
		(trpt+1)->bup.ovals[2] = ((int)now.knows_client);
		now.knows_client = ((int)now.marking);
#ifdef VAR_RANGES
		logval("knows_client", ((int)now.knows_client));
#endif
		;
		_m = 3; goto P999; /* 3 */
	case 37: // STATE 75 - /tmp/w-proof/docs/formal/enrolment.pml:90 - [assert(!(stopped_between))] (0:82:1 - 1)
		IfNotBlocked
		reached[0][75] = 1;
		spin_assert( !(((int)now.stopped_between)), " !(stopped_between)", II, tt, t);
		/* merge: .(goto)(82, 79, 82) */
		reached[0][79] = 1;
		;
		/* merge: marking = 0(82, 80, 82) */
		reached[0][80] = 1;
		(trpt+1)->bup.oval = ((int)now.marking);
		now.marking = 0;
#ifdef VAR_RANGES
		logval("marking", ((int)now.marking));
#endif
		;
		/* merge: .(goto)(0, 83, 82) */
		reached[0][83] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 38: // STATE 79 - /tmp/w-proof/docs/formal/enrolment.pml:189 - [.(goto)] (0:82:1 - 2)
		IfNotBlocked
		reached[0][79] = 1;
		;
		/* merge: marking = 0(82, 80, 82) */
		reached[0][80] = 1;
		(trpt+1)->bup.oval = ((int)now.marking);
		now.marking = 0;
#ifdef VAR_RANGES
		logval("marking", ((int)now.marking));
#endif
		;
		/* merge: .(goto)(0, 83, 82) */
		reached[0][83] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 39: // STATE 77 - /tmp/w-proof/docs/formal/enrolment.pml:187 - [(1)] (82:0:1 - 1)
		IfNotBlocked
		reached[0][77] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(82, 79, 82) */
		reached[0][79] = 1;
		;
		/* merge: marking = 0(82, 80, 82) */
		reached[0][80] = 1;
		(trpt+1)->bup.oval = ((int)now.marking);
		now.marking = 0;
#ifdef VAR_RANGES
		logval("marking", ((int)now.marking));
#endif
		;
		/* merge: .(goto)(0, 83, 82) */
		reached[0][83] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 40: // STATE 85 - /tmp/w-proof/docs/formal/enrolment.pml:192 - [-end-] (0:0:0 - 1)
		IfNotBlocked
		reached[0][85] = 1;
		if (!delproc(1, II)) continue;
		_m = 3; goto P999; /* 0 */
	case  _T5:	/* np_ */
		if (!((!(trpt->o_pm&4) && !(trpt->tau&128))))
			continue;
		/* else fall through */
	case  _T2:	/* true */
		_m = 3; goto P999;
#undef rand
	}

