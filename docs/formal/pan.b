	switch (t->back) {
	default: Uerror("bad return move");
	case  0: goto R999; /* nothing to undo */

		 /* PROC administrator */

	case 3: // STATE 2
		;
		now.invited = trpt->bup.oval;
		;
		goto R999;

	case 4: // STATE 5
		;
		now.invited = trpt->bup.oval;
		;
		goto R999;

	case 5: // STATE 7
		;
		now.removed = trpt->bup.ovals[1];
		now.client = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;
;
		
	case 6: // STATE 10
		goto R999;
;
		
	case 7: // STATE 8
		goto R999;

	case 8: // STATE 14
		;
		now.removed = trpt->bup.ovals[1];
		now.client = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 9: // STATE 17
		;
		now.over = trpt->bup.oval;
		;
		goto R999;

	case 10: // STATE 22
		;
		p_restor(II);
		;
		;
		goto R999;

		 /* PROC keeper */
;
		;
		
	case 12: // STATE 12
		;
		now.marking = trpt->bup.ovals[6];
		now.enrolling = trpt->bup.ovals[5];
		now.knows_used_by = trpt->bup.ovals[4];
		now.knows_client = trpt->bup.ovals[3];
		now.knows_invited = trpt->bup.ovals[2];
		now.lives = trpt->bup.ovals[1];
		now.stopped_between = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 7);
		goto R999;

	case 13: // STATE 12
		;
		now.marking = trpt->bup.ovals[5];
		now.enrolling = trpt->bup.ovals[4];
		now.knows_used_by = trpt->bup.ovals[3];
		now.knows_client = trpt->bup.ovals[2];
		now.knows_invited = trpt->bup.ovals[1];
		now.lives = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 6);
		goto R999;

	case 14: // STATE 15
		;
		now.lives = trpt->bup.oval;
		;
		goto R999;

	case 15: // STATE 23
		;
		now.knows_used_by = trpt->bup.ovals[3];
		now.knows_invited = trpt->bup.ovals[2];
		now.knows_client = trpt->bup.ovals[1];
		now.used_by = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 4);
		goto R999;

	case 16: // STATE 23
		;
		now.knows_used_by = trpt->bup.ovals[2];
		now.knows_invited = trpt->bup.ovals[1];
		now.knows_client = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;

	case 17: // STATE 23
		;
		now.knows_used_by = trpt->bup.ovals[2];
		now.knows_invited = trpt->bup.ovals[1];
		now.knows_client = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;
;
		;
		;
		;
		
	case 20: // STATE 31
		;
		now.knows_used_by = trpt->bup.oval;
		;
		goto R999;
;
		
	case 21: // STATE 34
		goto R999;
;
		;
		
	case 23: // STATE 37
		;
		((P0 *)_this)->key = trpt->bup.oval;
		;
		goto R999;

	case 24: // STATE 38
		;
		((P0 *)_this)->key = trpt->bup.oval;
		;
		goto R999;

	case 25: // STATE 39
		;
		((P0 *)_this)->key = trpt->bup.oval;
		;
		goto R999;

	case 26: // STATE 40
		;
		((P0 *)_this)->key = trpt->bup.oval;
		;
		goto R999;

	case 27: // STATE 48
		;
		((P0 *)_this)->key = trpt->bup.ovals[1];
		now.enrolling = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 28: // STATE 48
		;
		((P0 *)_this)->key = trpt->bup.oval;
		;
		goto R999;
;
		;
		
	case 30: // STATE 68
		;
		now.enrolling = trpt->bup.ovals[1];
		now.marking = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 31: // STATE 68
		;
		now.enrolling = trpt->bup.oval;
		;
		goto R999;
;
		;
		
	case 33: // STATE 68
		;
		now.enrolling = trpt->bup.ovals[3];
		now.marking = trpt->bup.ovals[2];
		now.client = trpt->bup.ovals[1];
		now.made = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 4);
		goto R999;

	case 34: // STATE 68
		;
		now.enrolling = trpt->bup.oval;
		;
		goto R999;
;
		;
		
	case 36: // STATE 74
		;
		now.knows_client = trpt->bup.ovals[2];
		now.knows_used_by = trpt->bup.ovals[1];
		now.used_by = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;

	case 37: // STATE 80
		;
		now.marking = trpt->bup.oval;
		;
		goto R999;

	case 38: // STATE 80
		;
		now.marking = trpt->bup.oval;
		;
		goto R999;

	case 39: // STATE 80
		;
		now.marking = trpt->bup.oval;
		;
		goto R999;

	case 40: // STATE 85
		;
		p_restor(II);
		;
		;
		goto R999;
	}

