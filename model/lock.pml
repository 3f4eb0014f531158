/*
 * The lock protocol of docs/protocol.md as a model for SPIN: one key, one server, processes that wait for it.
 * What is modelled, what is left out, and how to read a counter-example: README.md beside this file.
 *
 * Every process is followed in full: its question, its place in line, its messages, its connection, its lease. Time is
 * counted in ticks; nothing has a date, only an age or a rest, so that the states are finite in number although time has
 * no end. Unless TIMED is defined, ticks pass at any moment: every message and every process may then be as late as it
 * likes, which is what a stopped process, a full socket or a slow network are.
 *
 * Sizes (each may be given with -D)
 *   NP 1..3      processes that are followed
 *   NV           names that each has for its waits at one time
 *   TTL          ticks that a hold lasts
 *   WAITERS      of one process, that wait or hold; a hold then goes from hand to hand inside it
 *   BLOCK        fences of one visit
 *   COHORT       ticks after a visit during which hands are changed without the server
 *   MESSAGES     under way to one process at one time; more are lost
 * What may happen (each is left out unless defined)
 *   COMPANY n    any number of other clients, Go's among them, of which at most n stand in line at one time
 *   ABORTS       waiters give up
 *   REFRESH      holders refresh
 *   LOSSES       messages are lost, and nobody is told
 *   BREAKS n     connections break, n times at most (0: without end), and are made again
 *   LATE         what was sent on broken connections, LATES calls at one time, may arrive after what is sent on the next ones
 *   SHORT n      holders refresh for n ticks, too; a refresh without an answer at the unlock is sent again at any time
 *   STRANGERS    whoever heard a message sends another one for the same wait, as new and with as high a fence as he likes
 *   YIELD        a release lets the lock be free for others instead of handing it on, and questions are put off meanwhile;
 *                with TIMED for PAUSE ticks, once in QUIET ticks
 *   NEW_TOKEN    a waiter whose grant came too late begins anew with another token; without, with the same one
 *   CRASHES n    processes end, n of them at most
 *   STOPS        processes stand still for as long as they like
 *   FENCES       fences are followed
 *   ORDER        how often a waiter in line is overtaken is counted
 *   TIMED        processes, server and network need at most DELAY ticks together whenever there is something to do;
 *                waiters ask again after SAFETY ticks, holders release after HOLD ticks: what is owed is done in time
 * BUG_...        the protocol, broken on purpose: see run.js
 */

#ifndef NP
#define NP 1
#endif
#ifndef NV
#define NV 2
#endif
#ifndef TTL
#define TTL 3
#endif
#ifndef WAITERS
#define WAITERS 1
#endif
#ifndef BLOCK
#define BLOCK 1
#endif
#ifndef COHORT
#define COHORT 0
#endif
#ifndef MESSAGES
#define MESSAGES 1
#endif
#ifndef LATES
#define LATES 1
#endif
#ifndef CALLS
#define CALLS 3
#endif
#ifdef TIMED
#ifndef DELAY
#define DELAY 1
#endif
#ifndef SAFETY
#define SAFETY 2
#endif
#ifndef HOLD
#define HOLD 1
#endif
#define PAUSE 1
#define QUIET 3
#endif

/* ------------------------------------------------------------------------------------------------ promises */

/* The first letter and number are those of docs/model.md. A promise that is broken ends the search, with its name. */
hidden byte S1, S2, S3, S4, S5, S6, S7, S8, S9, S10, L1, L2, L3, L5, SIZE;

#define CHECK(promise, kept) if :: (kept) :: else -> promise = 1; assert(promise == 0) fi

/* For controls that look at what follows from a broken promise. */
#ifdef WITHOUT_S3
#define CHECK_S3(kept) skip
#else
#define CHECK_S3(kept) CHECK(S3, kept)
#endif
#ifdef WITHOUT_S9
#define CHECK_S9(kept) skip
#else
#define CHECK_S9(kept) CHECK(S9, kept)
#endif

/* ------------------------------------------------------------------------------------------------ state */

/* A wait has a name, 1..NW, each process its own; what stands in L is the name of the wait whose token it is. */
#define NW (NP * NV)
#define FIRST(p) ((p) * NV + 1)
#define OWNER(w) (((w) - 1) / NV)
/* Others: one name for all of them, for nobody here can tell them apart; and one for those who stand in line, but died. */
#define OTHER 20
#define GHOST 21
#define OURS(w) ((w) <= NW)

/* Operations: as in script.ts; F is the K that confirms a message, Z the X of a short life. */
mtype = { O, K, F, R, C, X, Z };

/* The server: whose value is in L, and its ttl; who stands in line; the guard is 0 by definition, for fences are ages. */
byte L, T;
#ifdef COMPANY
/* A company goes with one process that is followed. */
#if NV > 2
#define OURS_IN_LINE ((Q??[1] -> 1 : 0) + (Q??[2] -> 1 : 0) + (Q??[3] -> 1 : 0))
#else
#define OURS_IN_LINE ((Q??[1] -> 1 : 0) + (Q??[2] -> 1 : 0))
#endif
chan Q = [NW + COMPANY] of { byte };
#else
chan Q = [NW] of { byte };
#endif

/* The way to the server, in its order; and what was sent on a connection that is broken. */
chan calls[NP] = [CALLS] of { mtype, byte };
#ifdef LATE
chan late[NP] = [LATES] of { mtype, byte };
#endif

/* The way back: grants on the process's channel, which name the wait. */
#define NM (NP * MESSAGES)
#define MSG(p) ((p) * MESSAGES)
byte msg[NM], msg_age[NM], msg_fence[NM];

/* A call goes through these. */
#define NONE 0
#define UNSENT 1
#define SENT 2
#define YES 3
#define NO 4

/* The process: */
bit alive[NP] = 1;
bit up[NP] = 1;
/* the head of its own line, and those behind it; */
byte cur[NP], more[NP];
/* its question, how long ago it was asked, and the fence of its answer; how long the last status took to be made, +1; */
byte asking[NP], ask_age[NP], ask_fence[NP], sample[NP];
/* the confirmation of a message; */
byte confirming[NP], confirm_age[NP], confirm_fence[NP];
/* a refresh: of which wait's lease, and what became of that meanwhile; */
#define ENDED 0
#define CURRENT 1
#define LOST 2
byte refreshing[NP], refresh_age[NP], refresh_wid[NP], refresh_of[NP];
#ifdef SHORT
/* whether that is for a short life; the wait whose refresh was without an answer at its unlock, and which it was; */
bit refresh_short[NP];
byte stray[NP];
mtype stray_op[NP];
#define LIFE(p) (refresh_short[p] -> SHORT : TTL)
#else
#define LIFE(p) TTL
#endif
#ifdef STRANGERS
/* whether others may have heard the name of its wait; */
bit overheard[NP];
#define OVERHEARS(p) overheard[p] = 1
#else
#define OVERHEARS(p) skip
#endif
/* its lease: of which wait, for how long; what is left of the window and of the block. */
byte held[NP], until[NP], window[NP], fences_left[NP], next_fence[NP];

/* The wait: in line or asking; given up; served; forgotten. Whose token it uses; the last fence of its visit. */
#define FREE 0
#define INLINE 1
#define LEFT 2
#define SERVED 3
#define FORGOTTEN 4
byte kind[NW + 1], val[NW + 1], visit_end[NW + 1];
#ifdef STRANGERS
/* A message for it was sent. */
bit published[NW + 1];
#endif
#ifdef YIELD
#ifdef TIMED
/* For how long the lock is let be free, and no other release may do so. */
byte pause, quiet;
#define PAUSED (pause > 0)
#define YIELDS (quiet == 0)
#else
/* Chosen before each operation. */
hidden byte yields;
#define PAUSED yields
#define YIELDS yields
#endif
#else
#define PAUSED false
#define YIELDS false
#endif

#ifdef BREAKS
/* When the question was last sent; what is to be sent again: a release, a cancel. */
byte sent_age[NP];
#define R_SENT 1
#define C_SENT 2
#define R_UNSENT 3
#define C_UNSENT 4
byte undo[NW + 1];
#define SENT_AGE(p) sent_age[p]
#else
#define SENT_AGE(p) ask_age[p]
#endif

#ifdef BREAKS
#if BREAKS > 0
byte breaks = BREAKS;
#define BREAKABLE (breaks > 0)
#define BROKEN breaks--
#else
#define BREAKABLE true
#define BROKEN skip
#endif
#endif
#ifdef CRASHES
byte crashes = CRASHES;
#endif
#ifdef STOPS
bit stopped[NP];
#define STOPPED(p) stopped[p]
#else
#define STOPPED(p) false
#endif
#ifdef TIMED
byte timer[NP], hold[NP], lag[NP], unserved[NP], orphaned;
#endif
#ifdef ORDER
byte overtaken[NP];
#endif

/* A fence is kept as its distance behind the guard, + FNOW; 0 is none. What is too far behind stays at FCAP. */
#define FNOW 4
#define FCAP 14
#ifdef FENCES
byte last_fence = FCAP;
#define FENCE(f) f
#define NEWER(f, than) ((f) < (than))
#else
/* Then a message alone has one: 1 until the wait is served, for what comes later is older than that; 0 after it. */
#define FENCE(f) 0
#define NEWER(f, than) ((f) == 1)
#endif
#ifdef BUG_ECHO
#undef NEWER
#define NEWER(f, than) true
#endif

hidden byte i, j, w, v, e, r, l0, t0, g, b;
hidden byte told;
hidden mtype op;

/* ------------------------------------------------------------------------------------------------ names */

#define SENDS(c, x) (c??[O, x] || c??[K, x] || c??[F, x] || c??[R, x] || c??[C, x] || c??[X, x] || c??[Z, x])

/* Names that nobody can mention any more are free again. */
inline sweep() {
  for (i : 1 .. NW) {
    if
    :: kind[i] != FREE ->
       r = OWNER(i);
       told = cur[r] == i || held[r] == i || (refreshing[r] != NONE && refresh_wid[r] == i) || L == i || Q??[eval(i)] ||
         msg[MSG(r)] == i || msg[MSG(r) + MESSAGES - 1] == i || SENDS(calls[r], eval(i));
#ifdef BREAKS
       told = told || undo[i] != 0;
#endif
#ifdef LATE
       told = told || SENDS(late[r], eval(i));
#endif
#ifdef SHORT
       told = told || stray[r] == i;
#endif
       for (j : 1 .. NW) { if :: j != i && kind[j] != FREE && val[j] == i -> told = 1 :: else fi }
       #ifdef STRANGERS
       published[i] = (told -> published[i] : 0);
#endif
       if :: !told -> kind[i] = FREE; val[i] = 0; visit_end[i] = 0 :: else fi
    :: else
    fi
  };
  /* A d_step may not end with a loop. */
  i = 0
}

#define ROOM(p) (kind[FIRST(p)] == FREE || kind[FIRST(p) + 1] == FREE || kind[FIRST(p) + NV - 1] == FREE)
#define SPACE(p, n) (len(calls[p]) + (n) <= CALLS)

/* w: a new wait with a token of its own */
inline new_wait(p) {
  w = FIRST(p);
  do :: kind[w] == FREE -> break :: else -> w++ od;
  kind[w] = INLINE; val[w] = w
}

/* ------------------------------------------------------------------------------------------------ server */

#ifdef FENCES
inline behind(f) { if :: f > 0 -> f = (f + b > FCAP -> FCAP : f + b) :: else fi }

/* g: the first fence of a new block */
inline fences() {
  b = BLOCK;
#ifdef BUG_FENCE_BLOCK
  b = 1;
#endif
#ifdef BUG_FENCE_SAME
  b = 0;
#endif
  for (i : 0 .. NP - 1) { behind(ask_fence[i]); behind(confirm_fence[i]); behind(next_fence[i]) }
  for (i : 0 .. NM - 1) { behind(msg_fence[i]) }
  for (i : 1 .. NW) { behind(visit_end[i]) }
  behind(last_fence);
  g = FNOW + BLOCK - 1;
#ifdef BUG_FENCE_BLOCK
  g = FNOW
#endif
}
#else
inline fences() { g = 1 }
#endif

/* The lock is v's. */
inline give() {
  fences();
  L = v; T = TTL;
#ifdef TIMED
  for (i : 0 .. NP - 1) { unserved[i] = 0 };
  orphaned = 0;
#endif
  if
  :: v == OTHER ->
     /* Whoever it is holds from now on, and uses the whole block. */
     for (i : 0 .. NP - 1) { CHECK(S1, held[i] == 0 || until[i] == 0) }
#ifdef FENCES
     CHECK(S4, g < last_fence);
     last_fence = g - (BLOCK - 1)
#endif
  :: else
  fi
}

/* e is told on its channel; told: whether somebody was there to receive it. */
inline publish() {
  if
  :: OURS(e) ->
     r = OWNER(e);
     if
     :: up[r] ->
        told = 1;
        j = (msg[MSG(r)] == 0 -> MSG(r) : MSG(r) + MESSAGES - 1);
        if
        :: msg[j] == 0 ->
           msg[j] = e; msg_age[j] = 0; msg_fence[j] = g;
#ifdef STRANGERS
           published[e] = 1
#endif
        :: else
        fi
     :: else
     fi
  :: else -> told = e == OTHER
  fi;
  CHECK(S8, L == (OURS(e) -> val[e] : OTHER));
#ifdef BUG_DEAD_RECEIVER
  told = 1
#endif
}

/* told: whether somebody in line has the lock now; else nobody has. */
inline hand_on() {
  told = 0;
  do
  :: !told && len(Q) > 0 ->
     Q?e;
     v = (OURS(e) -> val[e] : OTHER);
     if
#ifdef BUG_DEAD_RECEIVER
     :: e == GHOST -> L = GHOST; T = TTL; told = 1
#else
     :: e == GHOST -> skip
#endif
     :: else ->
#ifdef BUG_PUBLISH_FIRST
        publish();
#endif
        give();
#ifndef BUG_PUBLISH_FIRST
        publish()
#endif
     fi;
     CHECK(L5, !told || (e != GHOST && (!OURS(e) || alive[OWNER(e)])))
  :: else -> break
  od;
  if :: !told -> L = 0; T = 0 :: else fi
}

inline leave_line() { if :: !(Q??[eval(w)]) :: else -> Q??eval(w) fi }

inline let_go(p) {
#ifdef BUG_BLIND_RELEASE
  if :: true -> hand_on() :: else fi
#else
  if
#ifdef YIELD
#ifdef BUG_BLIND_YIELD
  :: op == R && YIELDS && L != 0 -> L = 0; T = 0
#else
  :: op == R && YIELDS && L == val[w] ->
     L = 0; T = 0;
#ifdef TIMED
     pause = PAUSE; quiet = QUIET
#endif
#endif
  :: else ->
  if
#endif
#ifdef BUG_KEEP
  /* Its own next waiter is quicker than anybody in line. */
  :: L == val[w] && more[p] > 0 -> L = 0; T = 0
  :: L == val[w] && more[p] == 0 -> hand_on()
#else
  :: L == val[w] -> hand_on()
#endif
  :: else
  fi
#ifdef YIELD
  fi
#endif
#endif
}

/* A lease that is valid by the clock of its process is so in L, and as long at least. */
inline check_leases() {
  for (i : 0 .. NP - 1) { CHECK_S9(held[i] == 0 || until[i] == 0 || (L == val[held[i]] && T >= until[i])) }
}

/* One operation of a wait w of process p; nobody hears the answer if the connection is broken by then. */
inline execute(p, heard) {
  l0 = L; t0 = T; g = 0;
  if
  :: op == O || op == K || op == F ->
     if :: op != O && L == 0 && !PAUSED -> hand_on(); g = 0 :: else fi;
#ifdef BUG_CONFIRM_REFRESHES
     if :: op == F -> g = (L == val[w] -> confirm_fence[p] : 0); if :: g > 0 -> T = TTL :: else fi :: else fi;
     if :: op == F :: else ->
#endif
     if
     :: L == 0 && !PAUSED || L == val[w] ->
        leave_line(); v = val[w];
        CHECK(S2, L == 0 || L == v);
        give()
     :: else -> if :: !(Q??[eval(w)]) -> Q!w :: else fi
     fi;
#ifdef BUG_CONFIRM_REFRESHES
     fi;
#endif
     if
     :: op != F && heard && asking[p] == SENT && cur[p] == w ->
        if
        :: g > 0 -> asking[p] = YES; ask_fence[p] = FENCE(g)
        :: else ->
           sample[p] = SENT_AGE(p) + 1; asking[p] = NONE; ask_age[p] = 0;
#ifdef TIMED
           timer[p] = (T + 1 < SAFETY -> T + 1 : SAFETY);
#ifdef YIELD
           timer[p] = (L == 0 -> pause + 1 : timer[p]);
#endif
#endif
#ifdef BREAKS
           sent_age[p] = 0
#endif
        fi
     :: op == F && heard && confirming[p] == SENT && cur[p] == w ->
        if
        :: g > 0 -> confirming[p] = YES; confirm_fence[p] = FENCE(g)
        :: else ->
           confirming[p] = NONE; confirm_age[p] = 0; confirm_fence[p] = 0;
#ifdef TIMED
           timer[p] = 0
#endif
        fi
     :: else
     fi
  :: op == R || op == C ->
     if :: op == C -> leave_line() :: else fi;
#ifdef BUG_CANCEL_LEAVES_LOCK
     if :: op == C :: else -> let_go(p) fi;
#else
     let_go(p);
#endif
#ifdef BREAKS
     if :: heard && (undo[w] == R_SENT && op == R || undo[w] == C_SENT && op == C) -> undo[w] = 0 :: else fi
#endif
  :: op == X || op == Z ->
     b = TTL;
#ifdef SHORT
     b = (op == X -> TTL : SHORT);
#endif
#ifdef BUG_BLIND_REFRESH
     r = YES; L = val[w]; T = b;
#else
     r = (L == val[w] -> YES : NO);
     if :: L == val[w] -> T = b :: else fi;
#endif
     if :: heard && refreshing[p] == SENT && refresh_wid[p] == w -> refreshing[p] = r :: else fi
  fi;
  CHECK(S5, op == O || op == K || op == F || l0 == val[w] || (L == l0 && T == t0));
  check_leases()
}

proctype Server() {
  do
  :: d_step { nempty(calls[0]) -> calls[0]?op,w; execute(0, 1); sweep() }
#ifdef YIELD
#ifndef TIMED
  :: d_step { nempty(calls[0]) -> yields = 1; calls[0]?op,w; execute(0, 1); yields = 0; sweep() }
#endif
#endif
#ifdef SHORT
  :: d_step { stray[0] != 0 -> op = stray_op[0]; w = stray[0]; execute(0, 0); sweep() }
#endif
#if NP > 1
  :: d_step { nempty(calls[1]) -> calls[1]?op,w; execute(1, 1); sweep() }
#endif
#if NP > 2
  :: d_step { nempty(calls[2]) -> calls[2]?op,w; execute(2, 1); sweep() }
#endif
#ifdef LATE
  :: d_step { nempty(late[0]) -> late[0]?op,w; execute(0, 0); sweep() }
#if NP > 1
  :: d_step { nempty(late[1]) -> late[1]?op,w; execute(1, 0); sweep() }
#endif
#endif
  od
}

/* ------------------------------------------------------------------------------------------------ process */

inline send(p, o, x) { if :: up[p] -> calls[p]!o(x) :: else fi }

inline ask(p, o) {
  send(p, o, cur[p]);
  asking[p] = (up[p] -> SENT : UNSENT); ask_age[p] = 0;
#ifdef BREAKS
  sent_age[p] = 0
#endif
}

inline confirm(p) {
  send(p, F, cur[p]);
  confirming[p] = (up[p] -> SENT : UNSENT); confirm_age[p] = 0;
  OVERHEARS(p)
}

/* The wait is over; what it asked is not listened to any more, though it may still arrive. */
inline stop_asking(p) {
  cur[p] = 0; asking[p] = NONE; ask_age[p] = 0; ask_fence[p] = 0; sample[p] = 0;
  confirming[p] = NONE; confirm_age[p] = 0; confirm_fence[p] = 0;
#ifdef BREAKS
  sent_age[p] = 0;
#endif
#ifdef TIMED
  timer[p] = 0; unserved[p] = 0;
#endif
#ifdef STRANGERS
  overheard[p] = 0;
#endif
#ifdef ORDER
  overtaken[p] = 0
#endif
}

#ifdef BREAKS
inline undo_it(p, x) {
  if :: undo[x] != C_SENT && undo[x] != C_UNSENT -> send(p, C, x); undo[x] = (up[p] -> C_SENT : C_UNSENT) :: else fi
}
#else
inline undo_it(p, x) { if :: !(calls[p]??[C, eval(x)]) -> calls[p]!C(x) :: else fi }
#endif

inline begin(p) {
  if :: more[p] > 0 -> more[p]-- :: else fi;
  new_wait(p); cur[p] = w; ask(p, O)
}

/* The head of the line holds, for `rest` ticks, with the block whose first fence is f. */
inline deliver(p, f, rest) {
  w = cur[p];
  CHECK_S3(L == val[w] && T >= rest);
  for (i : 0 .. NP - 1) { CHECK(S1, i == p || held[i] == 0 || until[i] == 0) }
  CHECK(S1, L != OTHER);
  CHECK(S7, kind[w] != SERVED);
#ifdef ORDER
  for (i : 0 .. NP - 1) {
    if :: i != p && cur[i] != 0 && Q??[eval(cur[i])] -> overtaken[i]++; CHECK(L2, overtaken[i] <= NP - 1) :: else fi
  }
#endif
  kind[w] = SERVED;
  held[p] = w; until[p] = rest; window[p] = COHORT + 1; fences_left[p] = BLOCK - 1;
#ifdef TIMED
  hold[p] = HOLD;
#endif
#ifdef FENCES
  CHECK(SIZE, f < FCAP || last_fence < FCAP);
  CHECK(S4, f < last_fence);
  last_fence = f;
  visit_end[w] = f - (BLOCK - 1);
  next_fence[p] = (BLOCK > 1 -> f - 1 : 0);
#else
  for (i : MSG(p) .. MSG(p) + MESSAGES - 1) { if :: msg[i] == w -> msg_fence[i] = 0 :: else fi }
#endif
  stop_asking(p)
}

/* The grant is older than its ttl: it goes back, and the waiter begins anew. */
inline granted_late(p) {
  v = cur[p];
  stop_asking(p);
  new_wait(p);
#ifdef NEW_TOKEN
  kind[v] = LEFT;
  undo_it(p, v);
#else
  kind[v] = FORGOTTEN; val[w] = val[v];
  send(p, C, v);
#endif
  cur[p] = w;
  ask(p, O)
}

inline not_held(p) { held[p] = 0; until[p] = 0; window[p] = 0; fences_left[p] = 0; next_fence[p] = 0 }

/* Its time is over: `held` says so from now on. */
inline expire(p) { not_held(p); if :: refresh_of[p] == CURRENT -> refresh_of[p] = LOST :: else fi }

#ifdef BUG_WINDOW
#define IN_WINDOW(p) true
#else
#define IN_WINDOW(p) (window[p] > 0)
#endif
#ifdef BUG_PASS_LATE
#define ENOUGH_LEFT(p) true
#else
#define ENOUGH_LEFT(p) (10 * until[p] >= 8 * TTL)
#endif

/* Under the same token, what is on its way for one holder would find the next one. */
#ifdef BUG_PASS_ASKED
#define NOT_ASKED(p) true
#else
#define NOT_ASKED(p) (refreshing[p] == NONE)
#endif

/* Nobody hears the answer any more; but it is sent again when it stays away. */
#ifdef SHORT
inline forget_refresh(p) {
  if
  :: refreshing[p] == SENT || refreshing[p] == UNSENT ->
     stray[p] = refresh_wid[p]; stray_op[p] = (refresh_short[p] -> Z : X);
     refreshing[p] = NONE; refresh_wid[p] = 0; refresh_age[p] = 0; refresh_short[p] = 0
  :: else
  fi
}
#else
inline forget_refresh(p) { skip }
#endif

/* Ours to give: to the next of our own, else back. */
inline unlock(p) {
  w = held[p];
  refresh_of[p] = ENDED;
  r = NOT_ASKED(p);
  forget_refresh(p);
  if
  :: more[p] > 0 && fences_left[p] > 0 && IN_WINDOW(p) && ENOUGH_LEFT(p) && r ->
     CHECK(S6, until[p] > 0 && window[p] > 0);
     more[p]--; fences_left[p]--;
#ifdef FENCES
     CHECK(S4, next_fence[p] < last_fence);
     last_fence = next_fence[p];
     next_fence[p] = (fences_left[p] > 0 -> next_fence[p] - 1 : 0);
#endif
#ifdef TIMED
     hold[p] = HOLD;
#endif
  :: else ->
     send(p, R, w);
#ifdef BREAKS
     undo[w] = (up[p] -> R_SENT : R_UNSENT);
#endif
     not_held(p)
  fi
}

inline refreshed(p) {
  w = refresh_wid[p];
  if
#ifdef BUG_REVIVE
  :: refreshing[p] == YES && refresh_of[p] != ENDED && refresh_age[p] < TTL ->
     CHECK(S10, refresh_of[p] == CURRENT);
#else
  :: refreshing[p] == YES && refresh_of[p] == CURRENT ->
#endif
     if
     :: refresh_age[p] < LIFE(p) -> until[p] = LIFE(p) - refresh_age[p]; CHECK_S3(L == val[w] && T >= until[p])
     :: else -> not_held(p)
     fi
#ifdef BUG_LATE_REFRESH
  :: refreshing[p] == YES && refresh_of[p] != CURRENT -> undo_it(p, w)
#else
  :: refreshing[p] == YES && refresh_of[p] == LOST -> undo_it(p, w)
#endif
  :: refreshing[p] == NO && refresh_of[p] == CURRENT -> not_held(p)
  :: else
  fi;
#ifdef SHORT
  refresh_short[p] = 0;
#endif
  refreshing[p] = NONE; refresh_wid[p] = 0; refresh_of[p] = ENDED; refresh_age[p] = 0
}

/* A hold that is alive is not taken for a message, whatever its fence. */
#ifdef STRANGERS
#ifdef BUG_STRANGER_TAKES
#define ALIVE(p, w) false
#else
#define ALIVE(p, w) (held[p] == w && until[p] > 0)
#endif
#ifdef BUG_OVERHEARD
#define SURE_NAME(p) true
#else
#define SURE_NAME(p) (!overheard[p])
#endif
#else
#define ALIVE(p, w) false
#define SURE_NAME(p) true
#endif

/* w: the wait that a message names, e: its age, g: its fence */
inline hear(p) {
  r = (msg[MSG(p)] != 0 -> MSG(p) : MSG(p) + MESSAGES - 1);
  w = msg[r]; e = msg_age[r]; g = msg_fence[r]; drop(r);
  if
  :: w == cur[p] && confirming[p] == NONE ->
#ifdef BUG_ARRIVAL
     v = TTL;
#else
     v = (sample[p] == 0 || e + sample[p] - 1 >= TTL -> 0 : TTL - e - (sample[p] - 1));
#endif
     if
     :: 2 * v < TTL || !SURE_NAME(p) ->
        confirm(p);
#ifdef BUG_CONFIRM_REFRESHES
        confirm_fence[p] = g
#endif
     :: else -> deliver(p, g, v)
     fi
#ifdef BUG_TWICE
  :: w != cur[p] && kind[w] == SERVED && held[p] == w -> CHECK(S7, kind[w] != SERVED)
#endif
  :: w != cur[p] && !ALIVE(p, w) && (kind[w] == LEFT || (kind[w] == SERVED && NEWER(g, visit_end[w]))) -> undo_it(p, w)
  :: else
  fi
}

inline drop(m) { msg[m] = 0; msg_age[m] = 0; msg_fence[m] = 0 }

#define ON(p) (alive[p] && !STOPPED(p))
#define HEARD(p) (msg[MSG(p)] != 0 || msg[MSG(p) + MESSAGES - 1] != 0)
#define UNDOES(w) (undo[w] >= R_UNSENT)
#define UNDONE(p) (UNDOES(FIRST(p)) || UNDOES(FIRST(p) + 1) || UNDOES(FIRST(p) + NV - 1))

#ifdef TIMED
#ifdef BUG_NO_TIMER
#define ASKS_AGAIN(p) false
#else
#define ASKS_AGAIN(p) (timer[p] == 0)
#endif
#else
#define ASKS_AGAIN(p) true
#endif

proctype P(byte p) {
  do
  :: d_step { ON(p) && cur[p] == 0 && held[p] == 0 && ROOM(p) && empty(calls[p]) -> begin(p) }
#if WAITERS > 1
  :: d_step { ON(p) && (cur[p] != 0 || held[p] != 0) && more[p] < WAITERS - 1 -> more[p]++ }
#endif
  :: d_step { ON(p) && asking[p] == YES && ask_age[p] < TTL -> deliver(p, ask_fence[p], TTL - ask_age[p]); sweep() }
  :: d_step { ON(p) && asking[p] == YES && ask_age[p] >= TTL && ROOM(p) && SPACE(p, 2) -> granted_late(p); sweep() }
  :: d_step { ON(p) && confirming[p] == YES && confirm_age[p] < TTL ->
       deliver(p, confirm_fence[p], TTL - confirm_age[p]); sweep() }
  :: d_step { ON(p) && confirming[p] == YES && confirm_age[p] >= TTL && ROOM(p) && SPACE(p, 2) -> granted_late(p); sweep() }
  :: d_step { ON(p) && up[p] && cur[p] != 0 && asking[p] == NONE && ASKS_AGAIN(p) && SPACE(p, 1) -> ask(p, K) }
  :: d_step { ON(p) && HEARD(p) && SPACE(p, 1) -> hear(p); sweep() }
#ifdef ABORTS
  :: d_step { ON(p) && cur[p] != 0 && SPACE(p, 1) -> w = cur[p]; kind[w] = LEFT; stop_asking(p); undo_it(p, w); sweep() }
#endif
  :: d_step { ON(p) && held[p] != 0 && SPACE(p, 1) -> unlock(p); sweep() }
#ifdef REFRESH
  :: d_step { ON(p) && up[p] && held[p] != 0 && until[p] > 0 && refreshing[p] == NONE && SPACE(p, 1) ->
       calls[p]!X(held[p]); refresh_wid[p] = held[p]; refreshing[p] = SENT; refresh_of[p] = CURRENT; refresh_age[p] = 0 }
#ifdef SHORT
  /* The shorter of both lives alone is sure until the answer is here. */
  :: d_step { ON(p) && up[p] && held[p] != 0 && until[p] > 0 && refreshing[p] == NONE && SPACE(p, 1) ->
       calls[p]!Z(held[p]); refresh_wid[p] = held[p]; refreshing[p] = SENT; refresh_of[p] = CURRENT; refresh_age[p] = 0;
       refresh_short[p] = 1; until[p] = (until[p] < SHORT -> until[p] : SHORT) }
#endif
  :: d_step { ON(p) && refreshing[p] >= YES && SPACE(p, 1) -> refreshed(p); sweep() }
#endif
#ifdef BREAKS
  /* What is unanswered is sent again. */
  :: d_step { ON(p) && up[p] && asking[p] == UNSENT && SPACE(p, 1) -> calls[p]!K(cur[p]); asking[p] = SENT; sent_age[p] = 0 }
  :: d_step { ON(p) && up[p] && confirming[p] == UNSENT && SPACE(p, 1) -> calls[p]!F(cur[p]); confirming[p] = SENT }
  :: d_step { ON(p) && up[p] && refreshing[p] == UNSENT && SPACE(p, 1) -> calls[p]!X(refresh_wid[p]); refreshing[p] = SENT }
  :: d_step { ON(p) && up[p] && SPACE(p, 1) && UNDONE(p) ->
       w = FIRST(p);
       do :: UNDOES(w) -> break :: else -> w++ od;
       if :: undo[w] == R_UNSENT -> calls[p]!R(w); undo[w] = R_SENT :: else -> calls[p]!C(w); undo[w] = C_SENT fi }
#endif
  od
}

/* ------------------------------------------------------------------------------------------------ world */

inline older(x) { x = (x < TTL -> x + 1 : x) }

#ifdef TIMED
/* Something is to be done for p, by itself, the server or the network. */
#ifdef BREAKS
#define UNSENT_OF(p) (!up[p] || asking[p] == UNSENT || confirming[p] == UNSENT || UNDONE(p))
#else
#define UNSENT_OF(p) false
#endif
#define OWED(p) (ON(p) && (len(calls[p]) > 0 || asking[p] == YES || confirming[p] == YES || refreshing[p] >= YES || \
  HEARD(p) || (cur[p] != 0 && asking[p] == NONE && ASKS_AGAIN(p)) || (held[p] != 0 && hold[p] == 0) || \
  (cur[p] == 0 && held[p] == 0 && more[p] > 0 && ROOM(p)) || UNSENT_OF(p)))
#define IN_TIME(p) (!OWED(p) || lag[p] < DELAY)
#if NP > 2
#define ALL_IN_TIME (IN_TIME(0) && IN_TIME(1) && IN_TIME(2))
#else
#define ALL_IN_TIME (IN_TIME(0) && IN_TIME(1))
#endif

#ifdef YIELD
#define PUT_OFF PAUSE
#else
#define PUT_OFF 0
#endif

/* L1: while somebody waits the lock is not free for longer than the safety timer and its answer take.
   L3: a lock that was given to a process that runs is taken, or goes back if nobody wants it. */
inline watch() {
  b = 0;
  for (i : 0 .. NP - 1) {
    unserved[i] = (ON(i) && cur[i] != 0 && L == 0 -> unserved[i] + 1 : 0);
    CHECK(L1, unserved[i] <= SAFETY + DELAY + PUT_OFF);
    if :: ON(i) && OURS(L) && L != 0 && OWNER(L) == i && (held[i] == 0 || val[held[i]] != L) -> b = 1 :: else fi;
    lag[i] = (OWED(i) -> lag[i] + 1 : 0)
  }
  orphaned = (b -> orphaned + 1 : 0);
  CHECK(L3, orphaned <= SAFETY + 2 * DELAY)
}
#else
#define ALL_IN_TIME true
inline watch() { skip }
#endif

inline tick() {
  watch();
  if :: T > 0 -> T--; L = (T == 0 -> 0 : L) :: else fi;
#ifdef YIELD
#ifdef TIMED
#ifndef BUG_PAUSE_STAYS
  if :: pause > 0 -> pause-- :: else fi;
#endif
  if :: quiet > 0 -> quiet-- :: else fi;
#endif
#endif
  for (i : 0 .. NP - 1) {
    if :: asking[i] != NONE -> older(ask_age[i]) :: else fi;
#ifdef BREAKS
    if :: asking[i] == SENT -> older(sent_age[i]) :: else fi;
#endif
    if :: confirming[i] != NONE -> older(confirm_age[i]) :: else fi;
    if :: refreshing[i] != NONE -> older(refresh_age[i]) :: else fi;
    if :: window[i] > 0 -> window[i]-- :: else fi;
    if
    :: until[i] > 0 ->
       until[i]--;
#ifndef BUG_PASS_LATE
       if :: until[i] == 0 -> expire(i) :: else fi
#endif
    :: else
    fi;
#ifdef TIMED
    if :: timer[i] > 0 -> timer[i]-- :: else fi;
    if :: hold[i] > 0 -> hold[i]-- :: else fi
#endif
  }
  for (i : 0 .. NM - 1) { if :: msg[i] != 0 -> older(msg_age[i]) :: else fi }
}

#ifdef BREAKS
/* What was on its way is gone, either way; the server hears of it at once, the process sends again. */
inline cut(p) {
  up[p] = 0;
  do
  :: nempty(calls[p]) ->
     calls[p]?op,w;
#ifdef LATE
     if :: nfull(late[p]) -> late[p]!op(w) :: else fi
#endif
  :: empty(calls[p]) -> break
  od;
  drop(MSG(p)); drop(MSG(p) + MESSAGES - 1);
  if :: cur[p] != 0 -> OVERHEARS(p) :: else fi;
  asking[p] = (asking[p] != NONE -> UNSENT : NONE); ask_fence[p] = 0; sent_age[p] = 0;
  confirming[p] = (confirming[p] != NONE -> UNSENT : NONE); confirm_fence[p] = 0;
  refreshing[p] = (refreshing[p] != NONE -> UNSENT : NONE);
  for (i : FIRST(p) .. FIRST(p) + NV - 1) {
#ifdef BUG_NO_RESEND
    undo[i] = 0
#else
    undo[i] = (undo[i] == R_SENT -> R_UNSENT : (undo[i] == C_SENT -> C_UNSENT : undo[i]))
#endif
  }
}
#endif

/* Nobody is there any more; what it has sent may still be executed. */
inline die(p) {
  alive[p] = 0; up[p] = 0;
  stop_asking(p); not_held(p); more[p] = 0;
  refreshing[p] = NONE; refresh_wid[p] = 0; refresh_of[p] = ENDED; refresh_age[p] = 0;
  drop(MSG(p)); drop(MSG(p) + MESSAGES - 1);
#ifdef STOPS
  stopped[p] = 0;
#endif
#ifdef TIMED
  hold[p] = 0; lag[p] = 0;
#endif
#ifdef BREAKS
  for (i : FIRST(p) .. FIRST(p) + NV - 1) { undo[i] = 0 }
#endif
}

#ifdef BREAKS
#define CUTS(p) \
  :: d_step { up[p] && BREAKABLE -> BROKEN; cut(p); sweep() } \
  :: d_step { alive[p] && !up[p] -> up[p] = 1; RECONNECTED(p) }
#ifdef TIMED
#define RECONNECTED(p) timer[p] = 0
#else
#define RECONNECTED(p) skip
#endif
#else
#define CUTS(p)
#endif
#ifdef CRASHES
#define DIES(p) :: d_step { crashes > 0 && alive[p] -> crashes--; die(p); sweep() }
#else
#define DIES(p)
#endif
/* What a process owes is counted from when it runs again. */
#ifdef TIMED
#define WATCHED_ANEW(p) unserved[p] = 0; orphaned = 0
#else
#define WATCHED_ANEW(p) skip
#endif
#ifdef STOPS
#define HALTS(p) \
  :: d_step { alive[p] && !stopped[p] -> stopped[p] = 1; WATCHED_ANEW(p) } \
  :: d_step { stopped[p] -> stopped[p] = 0 }
#else
#define HALTS(p)
#endif
#ifdef LOSSES
#define LOSES(p) :: d_step { msg[MSG(p)] != 0 -> drop(MSG(p)); sweep() }
#else
#define LOSES(p)
#endif

#ifdef STRANGERS
/* What it repeats was made before, and arrives before it on the same connection. */
#define FORGES(x) \
  :: d_step { up[0] && published[x] && msg[MSG(0)] != x && msg[MSG(0) + MESSAGES - 1] != x && \
       (msg[MSG(0)] == 0 || msg[MSG(0) + MESSAGES - 1] == 0) -> \
       j = (msg[MSG(0)] == 0 -> MSG(0) : MSG(0) + MESSAGES - 1); msg[j] = x; msg_age[j] = 0; msg_fence[j] = 1 }
#endif

proctype World() {
  do
  :: d_step { ALL_IN_TIME -> tick(); sweep() }
  LOSES(0) CUTS(0) DIES(0) HALTS(0)
#if NP > 1
  LOSES(1) CUTS(1) DIES(1) HALTS(1)
#endif
#if NP > 2
  LOSES(2) CUTS(2) DIES(2) HALTS(2)
#endif
#ifdef LATE
  :: d_step { nempty(late[0]) -> late[0]?op,w; sweep() }
#if NP > 1
  :: d_step { nempty(late[1]) -> late[1]?op,w; sweep() }
#endif
#endif
#ifdef SHORT
  :: d_step { stray[0] != 0 -> stray[0] = 0; stray_op[0] = 0; sweep() }
#endif
#ifdef STRANGERS
  FORGES(1) FORGES(2)
#endif
#ifdef COMPANY
  /* Others do whatever the script, or Go's, lets them do with a lock that is free or theirs. */
  :: d_step { L == 0 -> v = OTHER; give(); check_leases(); sweep() }
  :: d_step { L == 0 -> hand_on(); if :: !told -> v = OTHER; give() :: else fi; check_leases(); sweep() }
  :: d_step { L == OTHER -> hand_on(); check_leases(); sweep() }
  :: d_step { L == OTHER -> L = 0; T = 0 }
  :: d_step { L == OTHER -> T = TTL }
  :: d_step { L != 0 && len(Q) - OURS_IN_LINE < COMPANY -> Q!OTHER }
  :: d_step { L != 0 && len(Q) - OURS_IN_LINE < COMPANY -> Q!GHOST }
  :: d_step { Q??[OTHER] -> Q??OTHER }
#endif
  od
}

init {
  atomic {
    run P(0);
#if NP > 1
    run P(1);
#endif
#if NP > 2
    run P(2);
#endif
    run Server(); run World()
  }
}
