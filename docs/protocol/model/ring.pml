/*
 * Token loss -> gather -> commit -> recovery of one Totem ring of three nodes: README.md says what is modelled, what is not, and how to read a counterexample.
 * The names are those of src/Totem (TotemNode.Gather.cs, .Commit.cs, .Recovery.cs); D-numbers are those of ../deviations.md, I-numbers those of ../invariants.md.
 *
 * Faults: LOSSES datagrams (a Join or a frame to one receiver; a token, which stands for it and everything sent again in its place), CRASHES nodes,
 * EARLY timers that expire while datagrams are still under way, COPIES of a Join or commit token that arrive again at any later time.
 * MUTANT plants one fault of the protocol: README.md lists them with the assertion that finds each.
 */
#ifndef LOSSES
#define LOSSES 2
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef EARLY
#define EARLY 0
#endif
#ifndef COPIES
#define COPIES 0
#endif
#ifndef MESSAGES
#define MESSAGES 1                    /* 0: views only */
#endif
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef RINGS
#define RINGS 7                       /* rings that some node is in or forms at one time, counted from 1 */
#endif
#define SEQUENCES 12                  /* ring sequences of one run: more is a livelock */

#define N 3
#define ALL 7
#define OLD 1                         /* the ring everybody is in at the start; 0 = none */
#define BIT(x) (1 << (x))
#define HAS(set, x) (((set) >> (x)) & 1)
#define FIRST(set) (HAS(set, 0) -> 0 : (HAS(set, 1) -> 1 : 2))
#define COUNT(set) (HAS(set, 0) + HAS(set, 1) + HAS(set, 2))
#define NEXT(set, x) (HAS(set, ((x) + 1) % N) -> ((x) + 1) % N : (HAS(set, ((x) + 2) % N) -> ((x) + 2) % N : (x)))
#define MIN(x, y) ((x) < (y) -> (x) : (y))

mtype = { operational, gathering, committing, recovering, dead };       /* of a node */
mtype = { nothing, commitToken, token, resting };                       /* of a ring: what is under way on it. resting = it circulates and all members are operational */

/* One attempt to form a ring: what its tokens carry. A member writes its part once, so the table and `visits` are what the token says at any moment. */
typedef Ring {
    byte sequence; byte representative; byte members;
    byte epoch[N];                    /* gather of each member that agreed */
    byte old[N];                      /* the ring each member comes from ... */
    byte aru[N]; byte high[N]; byte delivered[N]; byte owed[N];         /* ... and its OldRingState there */
    byte committed;                   /* members that accepted the commit token (not on the wire: for the assertions) */
    mtype kind; byte at; byte visits; /* the token under way and where it goes */
    byte seq; byte tokenAru; byte aruNode; byte requests; byte carries[5];  /* the ordering token of a recovery: frames 1..seq carry messages of the old ring */
    bool started                      /* the representative has made the first token */
};

typedef Node {
    mtype state; byte ring; byte reach; byte epoch; byte sequenceMax;
    byte silent; byte failed; byte expiries; byte row; byte proposal;
    byte known; byte joinEpoch[N]; byte joinProposal[N]; byte joinRow[N];   /* Joins of this gather */
    byte gathers; byte rebuffed; bool merging;                              /* peers that gather, as far as it knows; those whose Joins it does not follow; a gather that began as a merge */
    byte announced[N];                /* sequence of the ring each other node announced last */
    byte commit;                      /* the ring being formed */
    byte have; byte delivered;        /* messages of the first ring: a set, and up to which number they are delivered */
    byte queue; byte frames; byte quiet; byte installSeq; byte previousAru; byte owed
};

/* The Join a node sent last, and who has not got it yet. A later one takes the place of an earlier one. */
typedef Join { byte epoch; byte proposal; byte row; byte sequenceMax; byte to };

Node n[N];
Ring r[RINGS];
Join joins[N];
byte announceTo[N];
byte alive = ALL;
byte moving;                          /* tokens under way */
byte losses = LOSSES, crashes = CRASHES, early = EARLY, copies = COPIES;

/* A copy that arrives at any later time. */
mtype copyKind = nothing; byte copyTo; byte copyFrom; byte copyRing; byte copyVisits; Join copyJoin;

/* The two messages of the first ring: their senders; the second is safe, the first is agreed (SAFE_FIRST turns that round). */
byte sender[3]; bool isDrawn, isSafeStable, isSafeDelivered;
#define HAS_DRAWN 4                   /* a bit of Node.have */
#ifdef SAFE_FIRST
#define IS_SAFE(m) ((m) == 1)
#else
#define IS_SAFE(m) ((m) == 2)
#endif

/* What each node delivered of the first ring, and on the way into which ring: the record the assertions judge. */
byte inRegular[N]; byte inTransitional[N]; byte wentTo[N]; byte cameAlong[N];

#define NOTHING_TO_DO 0
#define PROPOSE 1
#define PROPOSE_AND_TELL 2

/* Scratch of one step, zero between steps. (`hidden` would be wrong: the verifier does not restore it when it goes back to another choice within a step.) */
byte a, b, c, set, low, best, bestAru, end, top, m, stable, x, y;
byte joinHereEpoch, joinHereProposal, joinHereRow, joinHereSequenceMax;
byte event, from, ring, todo, installing;
bool news, agree, wanted, visiting;

inline clearScratch() {
    a = 0; b = 0; c = 0; set = 0; low = 0; best = 0; bestAru = 0; end = 0; top = 0; m = 0; stable = 0; x = 0; y = 0;
    joinHereEpoch = 0; joinHereProposal = 0; joinHereRow = 0; joinHereSequenceMax = 0;
    event = 0; from = 0; ring = 0; todo = NOTHING_TO_DO; installing = 0;
    news = false; agree = false; wanted = false; visiting = false
}

#define SEQ(k) r[k].sequence
#define RING_ID(k) (r[k].sequence * N + r[k].representative + 1)
#define MEMBERS(i) r[n[i].ring].members
#define ARU(h) (((h) & 3) == 3 -> 2 : ((h) & 1))
#define HIGH(h) (HAS(h, 1) -> 2 : ((h) & 1))

/* ---- gather ---- */

inline sawSequence(i, value) { n[i].sequenceMax = (n[i].sequenceMax < (value) -> (value) : n[i].sequenceMax) }

inline leaveToken(i) {                /* the token will stop at a node that does not take part any more */
    if
    :: r[n[i].ring].kind == resting -> r[n[i].ring].kind = nothing
    :: else
    fi
}

inline beginGather(i, isMerge) {
    leaveToken(i);
    n[i].merging = isMerge;
    n[i].state = gathering; n[i].epoch++; n[i].expiries = 0; n[i].known = 0; n[i].proposal = 0;
    n[i].commit = 0; n[i].queue = 0; n[i].quiet = 0; n[i].installSeq = 0; n[i].previousAru = 0;
    n[i].frames = 0;
    for (a : 0 .. N - 1) { n[i].joinEpoch[a] = 0; n[i].joinProposal[a] = 0; n[i].joinRow[a] = 0 }
    announceTo[i] = 0;
    printf("   %d gathers (epoch %d)\n", i, n[i].epoch)
}

/* Whom `who` hears, as far as i can know: by its Join, else by its heartbeats. */
#define HEARS(i, who, whom) ((who) == (i) -> HAS(n[i].row, whom) : (HAS(n[i].known, who) -> HAS(n[i].joinRow[who], whom) : ((whom) == (i) || HAS(n[who].reach, whom))))
#define PAIR(i, l, h) (HAS(set, l) && HAS(set, h) && HEARS(i, l, h) && HEARS(i, h, l))

/* The best clique of the hearing matrix that has i in it, for three nodes of one vote each (D7). */
inline clique(i) {
    set = BIT(i) | n[i].known;
    for (a : 0 .. N - 1) {
        if
        :: HAS(MEMBERS(i) & n[i].row, a) && n[i].announced[a] <= SEQ(n[i].ring) -> set = set | BIT(a)
        :: else
        fi
    }
    if
    :: PAIR(i, 0, 1) && PAIR(i, 0, 2) && PAIR(i, 1, 2) -> b = ALL
    :: else ->
        if
        :: PAIR(i, 0, 1) -> b = 3
        :: else ->
            if
            :: PAIR(i, 0, 2) -> b = 5
            :: else ->
                if
                :: PAIR(i, 1, 2) -> b = 6
                :: else -> b = 0
                fi
            fi
        fi;
        b = (HAS(b, i) -> b : BIT(i))
    fi
}

inline sendJoin(i) {
    joins[i].epoch = n[i].epoch; joins[i].proposal = n[i].proposal; joins[i].row = n[i].row; joins[i].sequenceMax = n[i].sequenceMax;
    joins[i].to = n[i].reach & alive & ~BIT(i);
    printf("   %d sends its Join: epoch %d, proposal %d, row %d\n", i, n[i].epoch, n[i].proposal, n[i].row)
}

/* Computes the proposal anew; tells the others when it, or this node's row, changed. */
inline propose(i, because) {
    news = because;
    set = BIT(i) | (n[i].reach & ~n[i].silent & ~n[i].failed);
    if
    :: set != n[i].row -> n[i].row = set; news = true
    :: else
    fi;
    clique(i);
    if
    :: b != n[i].proposal -> n[i].proposal = b; news = true
    :: else
    fi;
    if
    :: news -> sendJoin(i)
    :: else
    fi
}

#define AGREES(i, who) ((who) == (i) || !HAS(n[i].proposal, who) || (HAS(n[i].known, who) && n[i].joinProposal[who] == n[i].proposal && HAS(n[i].reach, who)))
#define LEAVES_OUT(i, who) ((who) != (i) && HAS(n[i].row & ~n[i].proposal, who) && HEARS(i, who, i))
#define IS_AGREED(i) (n[i].state == gathering && FIRST(n[i].proposal) == (i) && AGREES(i, 0) && AGREES(i, 1) && AGREES(i, 2))
#define WAITS_BEFORE_EXCLUSION(i) (LEAVES_OUT(i, 0) || LEAVES_OUT(i, 1) || LEAVES_OUT(i, 2))

inline enterGather(i) { beginGather(i, false); todo = PROPOSE_AND_TELL }

#define hereIs(join) joinHereEpoch = join.epoch; joinHereProposal = join.proposal; joinHereRow = join.row; joinHereSequenceMax = join.sequenceMax

inline takeJoin(i, j) {
    if
    :: HAS(n[i].known, j) && joinHereEpoch < n[i].joinEpoch[j]
    :: else ->
        n[i].silent = n[i].silent & ~BIT(j); n[i].gathers = n[i].gathers | BIT(j);
        n[i].known = n[i].known | BIT(j);
        n[i].joinEpoch[j] = joinHereEpoch; n[i].joinProposal[j] = joinHereProposal; n[i].joinRow[j] = joinHereRow;
        todo = (HAS(n[i].proposal, j) -> PROPOSE : PROPOSE_AND_TELL)
    fi
}

inline onJoin(i, j) {
    sawSequence(i, joinHereSequenceMax);
    if
    :: n[i].state == gathering -> takeJoin(i, j)
    :: n[i].state == operational ->
        if
        :: HAS(MEMBERS(i), j) && joinHereEpoch <= r[n[i].ring].epoch[j]
        :: HAS(MEMBERS(i), j) && joinHereEpoch > r[n[i].ring].epoch[j] -> beginGather(i, false); takeJoin(i, j)
        :: else ->                                            /* a merge makes every ring of less than three stronger */
            n[i].gathers = n[i].gathers | BIT(j);
            if
            :: HAS(n[i].rebuffed, j)
            :: else -> beginGather(i, true); takeJoin(i, j)
            fi
        fi
    :: else ->
        if
        :: HAS(r[n[i].commit].members, j) && joinHereEpoch > r[n[i].commit].epoch[j] -> beginGather(i, false); takeJoin(i, j)
        :: else
        fi
    fi
}

inline onAnnounce(i, j) {
    if
    :: n[i].announced[j] > SEQ(n[j].ring)
    :: else ->
        n[i].announced[j] = SEQ(n[j].ring); n[i].gathers = n[i].gathers & ~BIT(j);
        sawSequence(i, SEQ(n[j].ring));
        if
        :: n[i].state == gathering ->
            n[i].known = n[i].known & ~BIT(j); n[i].joinEpoch[j] = 0; n[i].joinProposal[j] = 0; n[i].joinRow[j] = 0;
            todo = PROPOSE
        :: n[i].state == operational && HAS(MEMBERS(i), j) && SEQ(n[j].ring) > SEQ(n[i].ring) -> enterGather(i)
        :: else
        fi
    fi
}

inline onPeerLost(i, j) {
    n[i].reach = n[i].reach & ~BIT(j);
    n[i].gathers = n[i].gathers & ~BIT(j); n[i].rebuffed = n[i].rebuffed & ~BIT(j);
    if
    :: n[i].state == gathering -> todo = PROPOSE
    :: n[i].state == operational && HAS(MEMBERS(i), j) -> enterGather(i)
    :: (n[i].state == committing || n[i].state == recovering) && HAS(r[n[i].commit].members, j) -> enterGather(i)
    :: else
    fi
}

inline onConsensusTimer(i) {
    n[i].expiries++;
    agree = true;
    for (c : 0 .. N - 1) {
        if
        :: AGREES(i, c)
        :: else ->
            agree = false;
            if
            :: HAS(n[i].known, c) && n[i].expiries < 3
            :: HAS(n[i].known, c) && n[i].expiries >= 3 -> n[i].failed = n[i].failed | BIT(c)
            :: else -> n[i].silent = n[i].silent | BIT(c)
            fi
        fi
    }
    if
    :: agree && FIRST(n[i].proposal) != i && n[i].expiries >= 2 -> n[i].failed = n[i].failed | BIT(FIRST(n[i].proposal))
    :: else
    fi;
    todo = PROPOSE_AND_TELL
}

/* ---- commit ---- */

/* What i has and has delivered of the first ring is drawn when it is first told: who sent the two messages, whether the safe one is known to be everywhere
   (then one node, whichever, may have delivered it: that two have makes no difference to those they come along with), which frames are missing where (each is a loss). Drawing it at the start would multiply every gather by it. */
inline drawMessages(i) {
    if
    :: MESSAGES && n[i].ring == OLD && n[i].have == 0 ->
        if
        :: isDrawn
        :: !isDrawn ->
            isDrawn = true;
            if
            :: sender[1] = 0; sender[2] = 1
            :: sender[1] = 2; sender[2] = 2
#if MESSAGES > 1
            :: sender[1] = 0; sender[2] = 0
            :: sender[1] = 2; sender[2] = 0
#endif
            fi;
            if
            :: isSafeStable = true
            :: skip
            fi
        fi;
        for (m : 1 .. 2) {
            if
            :: n[i].have = n[i].have | BIT(m - 1)
            :: !isSafeStable && sender[m] != i && losses > 0 -> losses--; printf("   %d lacks message %d\n", i, m)
            fi
        }
        n[i].have = n[i].have | HAS_DRAWN;
        for (m : 1 .. 2) {
            if
            :: m == n[i].delivered + 1 && m <= ARU(n[i].have) && !IS_SAFE(m) -> n[i].delivered = m
            :: m == n[i].delivered + 1 && m <= ARU(n[i].have) && IS_SAFE(m) && isSafeStable && !isSafeDelivered -> n[i].delivered = m; isSafeDelivered = true
            :: m == n[i].delivered + 1 && m <= ARU(n[i].have) && IS_SAFE(m) -> skip
            :: else
            fi
        }
    :: else
    fi
}

inline ownState(i, k) {
    r[k].old[i] = n[i].ring; r[k].owed[i] = n[i].owed;
    r[k].aru[i] = (n[i].ring == OLD -> ARU(n[i].have) : 0);
    r[k].high[i] = (n[i].ring == OLD -> HIGH(n[i].have) : 0);
    r[k].delivered[i] = (n[i].ring == OLD -> n[i].delivered : 0);
    r[k].committed = r[k].committed | BIT(i)
}

inline form(i) {
    x = 0;
    for (a : 1 .. RINGS - 1) {
        assert(r[a].members == 0 || r[a].sequence != n[i].sequenceMax + 1 || r[a].representative != i);     /* I7: a ring id names one ring */
        x = (r[a].members == 0 -> a : x)
    }
    assert(x != 0);                                           /* of the model, not of the protocol: RINGS is too small */
    assert(n[i].sequenceMax < SEQUENCES);                     /* rings are tried without end */
    r[x].sequence = n[i].sequenceMax + 1; r[x].representative = i; r[x].members = n[i].proposal;
    for (a : 0 .. N - 1) {
        if
        :: HAS(n[i].proposal, a) -> r[x].epoch[a] = (a == i -> n[i].epoch : n[i].joinEpoch[a])
        :: else
        fi
    }
    ownState(i, x);
    n[i].commit = x;
    printf("   %d forms ring %d: sequence %d, members %d\n", i, x, r[x].sequence, r[x].members);
#if MUTANT != 1
    sawSequence(i, r[x].sequence);
#endif
    if
    :: n[i].proposal == BIT(i) ->
        n[i].state = recovering;
        installing = x; r[x].kind = resting
#if MUTANT == 2
    :: n[i].proposal != BIT(i) ->                              /* the commit rounds dropped: the representative installs what was proposed */
        n[i].state = recovering;
        installing = x; r[x].kind = token; onward(i, x)
#endif
    :: else ->
        n[i].state = committing;
        r[x].kind = commitToken; r[x].visits = 1; onward(i, x)
    fi
}

#define IS_STALE(i, k, v) ((v) >= COUNT(r[k].members) || SEQ(k) <= SEQ(n[i].ring) || r[k].epoch[i] != n[i].epoch)

/* The commit token of ring k after so many visits is at i; `wanted` says whether it goes on. */
inline onCommitToken(i, k, seen) {
    wanted = false;
    if
    :: n[i].state == gathering && !IS_STALE(i, k, seen) ->
        if
        :: r[k].members != n[i].proposal -> enterGather(i)    /* refused */
        :: else ->
            sawSequence(i, SEQ(k));
            n[i].commit = k; n[i].state = committing; n[i].frames = 0;
            ownState(i, k);
            wanted = true
        fi
    :: n[i].state == committing && n[i].commit == k && seen >= COUNT(r[k].members) ->
        n[i].state = recovering;
        planRecovery(i, k);
        wanted = true
    :: else
    fi
}

/* ---- recovery ---- */

#define IS_COMPANION(i, k, w) ((w) == (i) || (HAS(r[k].members, w) && r[k].old[w] == n[i].ring))
#define COMPANIONS(i, k) ((IS_COMPANION(i, k, 0) -> 1 : 0) | (IS_COMPANION(i, k, 1) -> 2 : 0) | (IS_COMPANION(i, k, 2) -> 4 : 0))

#define OWED_BY(i, k, w) (IS_COMPANION(i, k, w) -> r[k].owed[w] : 0)
#define OWED(i, k) (OWED_BY(i, k, 0) | OWED_BY(i, k, 1) | OWED_BY(i, k, 2))

inline planRecovery(i, k) {
    n[i].quiet = 0; n[i].installSeq = 0; n[i].previousAru = 0; n[i].queue = 0; n[i].frames = 0;
    if
    :: n[i].ring == OLD && COUNT(COMPANIONS(i, k)) > 1 ->
        low = ARU(n[i].have); best = i; top = 0;
        for (a : 0 .. N - 1) {
            if
            :: IS_COMPANION(i, k, a) ->
                low = MIN(low, r[k].aru[a]);
                top = (r[k].high[a] > top -> r[k].high[a] : top);
                if
                :: r[k].aru[a] > r[k].aru[best] || (r[k].aru[a] == r[k].aru[best] && a < best) -> best = a
                :: else
                fi
            :: else
            fi
        }
        bestAru = r[k].aru[best];
        c = (best == i -> low + 1 : bestAru + 1);
        for (m : 1 .. 2) {
            if
            :: m >= c && m <= top && HAS(n[i].have, m - 1) -> n[i].queue = n[i].queue | BIT(m - 1)
            :: else
            fi
        }
    :: else
    fi
}

/* Frame s of ring k reaches the other members, or is lost on the way to some. */
inline multicast(i, k, number) {
    for (c : 0 .. N - 1) {
        if
        :: c != i && HAS(r[k].members & alive, c) && ((n[c].state == recovering && n[c].commit == k) || (n[c].state == operational && n[c].ring == k)) && !HAS(n[c].frames, number) ->
            if
            :: losses > 0 -> losses--; printf("   frame %d of ring %d is lost on its way to %d\n", number, k, c)
            :: n[c].frames = n[c].frames | BIT(number);
                if
                :: n[c].state == recovering && n[c].ring == OLD && IS_COMPANION(c, k, i) ->
                    n[c].have = n[c].have | BIT(r[k].carries[number] - 1);
                    n[c].queue = n[c].queue & ~BIT(r[k].carries[number] - 1)
                :: else
                fi
            fi
        :: else
        fi
    }
}

#define FRAMES_ARU(f) (!HAS(f, 1) -> 0 : (!HAS(f, 2) -> 1 : (!HAS(f, 3) -> 2 : (!HAS(f, 4) -> 3 : 4))))

/* One visit of the ordering token of ring k at i: serve, ask, recover, settle aru, install. */
inline visit(i, k) {
    stable = MIN(r[k].tokenAru, n[i].previousAru);
    set = r[k].requests; r[k].requests = 0;
    for (y : 1 .. 4) {
        if
        :: HAS(set, y) && HAS(n[i].frames, y) -> multicast(i, k, y)
        :: HAS(set, y) && !HAS(n[i].frames, y) -> r[k].requests = r[k].requests | BIT(y)
        :: else
        fi
    }
    for (y : 1 .. 4) {
        if
        :: y <= r[k].seq && !HAS(n[i].frames, y) -> r[k].requests = r[k].requests | BIT(y)
        :: else
        fi
    }
    if
    :: n[i].state == recovering ->
        for (m : 1 .. 2) {
            if
            :: HAS(n[i].queue, m - 1) ->
                n[i].queue = n[i].queue & ~BIT(m - 1);
                r[k].seq++;
                assert(r[k].seq <= 4);
                r[k].carries[r[k].seq] = m;
                n[i].frames = n[i].frames | BIT(r[k].seq);
                multicast(i, k, r[k].seq)
            :: else
            fi
        }
        n[i].quiet = (n[i].quiet < 3 -> n[i].quiet + 1 : 3);
        if
        :: n[i].quiet == 2 -> n[i].installSeq = r[k].seq
        :: else
        fi;
        if
        :: n[i].quiet >= 2 && FRAMES_ARU(n[i].frames) >= n[i].installSeq ->
#if MUTANT != 5
            n[i].owed = n[i].owed | COMPANIONS(i, k) | OWED(i, k)
#else
            skip
#endif
        :: else
        fi;
        wanted = n[i].quiet >= 3 && FRAMES_ARU(n[i].frames) >= n[i].installSeq && stable >= n[i].installSeq;
#if MUTANT == 6
        wanted = n[i].quiet >= 2;                             /* installs without waiting until everybody has everything */
#endif
        if
        :: wanted -> installing = k
        :: else
        fi
    :: else
    fi;
    if
    :: FRAMES_ARU(n[i].frames) < r[k].tokenAru || r[k].aruNode == i || r[k].aruNode == N ->
        r[k].tokenAru = MIN(FRAMES_ARU(n[i].frames), r[k].seq);
        r[k].aruNode = (r[k].tokenAru == r[k].seq -> N : i)
    :: else
    fi;
    n[i].previousAru = r[k].tokenAru
}

/* In this order: rest of the old regular view, transitional view, what is owed in it, new regular view. */
inline install(i, k) {
    assert(HAS(r[k].members, i));                             /* I8: nobody installs a ring it is not in */
    assert(SEQ(k) > SEQ(n[i].ring));                          /* I11: ring sequences rise at a node */
    assert(r[k].committed == r[k].members);                   /* a view is agreed: every member accepted it before anybody installs it */
    if
    :: n[i].ring == OLD ->
        end = 0;
        for (a : 0 .. N - 1) { end = (IS_COMPANION(i, k, a) && r[k].delivered[a] > end -> r[k].delivered[a] : end) }
        inRegular[i] = (n[i].delivered == 2 -> 3 : n[i].delivered);
        set = COMPANIONS(i, k) | OWED(i, k);
        for (m : 1 .. 2) {
            if
#if MUTANT == 3
            :: m == n[i].delivered + 1 && m <= ARU(n[i].have) -> n[i].delivered = m;
#else
            :: m == n[i].delivered + 1 && m <= ARU(n[i].have) && (!IS_SAFE(m) || m <= end) -> n[i].delivered = m;
#endif
                inRegular[i] = inRegular[i] | BIT(m - 1)
            :: else
            fi
        }
        for (m : 1 .. 2) {
            if
#if MUTANT == 4
            :: m > n[i].delivered && HAS(n[i].have, m - 1) ->
#else
            :: m > n[i].delivered && HAS(n[i].have, m - 1) && (m <= ARU(n[i].have) || HAS(set, sender[m])) ->
#endif
                inTransitional[i] = inTransitional[i] | BIT(m - 1)
            :: else
            fi
        }
        wentTo[i] = RING_ID(k); cameAlong[i] = COMPANIONS(i, k);
        judge(i, k)
    :: else
    fi;
    printf("   %d installs ring %d, members %d; delivered of the first ring: %d in the regular view, %d in the transitional view\n", i, k, r[k].members, inRegular[i], inTransitional[i]);
    if
    :: n[i].merging && MEMBERS(i) == r[k].members -> n[i].rebuffed = n[i].gathers
    :: else
    fi;
    n[i].merging = false; n[i].gathers = n[i].gathers & ~r[k].members;
    n[i].ring = k; n[i].commit = 0; n[i].state = operational;
    n[i].have = 0; n[i].delivered = 0; n[i].queue = 0; n[i].owed = 0; n[i].silent = 0; n[i].failed = 0; n[i].quiet = 0; n[i].installSeq = 0;
    n[i].known = 0; n[i].proposal = 0; n[i].row = 0; n[i].expiries = 0;
    for (a : 0 .. N - 1) { n[i].joinEpoch[a] = 0; n[i].joinProposal[a] = 0; n[i].joinRow[a] = 0 }
    announceTo[i] = n[i].reach & alive & ~r[k].members
}

/* i has just left the first ring: does what it delivered agree with everybody who left it before? */
inline judge(i, k) {
    for (a : 0 .. N - 1) {
        if
        :: a != i && wentTo[a] == RING_ID(k) ->
            assert(cameAlong[a] == cameAlong[i]);             /* I10: one transitional view */
            assert(inRegular[a] == inRegular[i]);             /* I23: who moves together delivered the same, ... */
            assert(inTransitional[a] == inTransitional[i])    /* ... each message in the same view */
        :: a != i && wentTo[a] != 0 && wentTo[a] != RING_ID(k) && HAS(cameAlong[a], i) ->
            assert(((inRegular[a] | inTransitional[a]) & ~(inRegular[i] | inTransitional[i])) == 0)   /* I28: what i answered for in a recovery that a finished */
        :: else
        fi
    }
    assert(!(sender[1] == sender[2] && HAS(inRegular[i] | inTransitional[i], 1) && !HAS(inRegular[i] | inTransitional[i], 0)));     /* I20: no hole in what one node sent */
    assert(isSafeStable || !((IS_SAFE(1) && HAS(inRegular[i], 0)) || (IS_SAFE(2) && HAS(inRegular[i], 1))));                       /* I26: safe in the regular view: everybody has it */
    if
    :: HAS(n[i].have, 0) && sender[1] == i -> assert(HAS(inRegular[i] | inTransitional[i], 0))        /* I22: its own messages */
    :: else
    fi
}

/* ---- steps ---- */

#define IS_USED(i, k) (n[i].state != dead && (n[i].ring == k || n[i].commit == k))

/* Would the Join of i, which is on its way to j, change anything there? */
#define CHANGES_NOTHING(i, j) (joins[i].sequenceMax <= n[j].sequenceMax && ( \
    n[j].state == gathering -> (HAS(n[j].known, i) && n[j].joinEpoch[i] == joins[i].epoch && n[j].joinProposal[i] == joins[i].proposal && n[j].joinRow[i] == joins[i].row) : ( \
    n[j].state == operational -> (HAS(MEMBERS(j), i) && joins[i].epoch <= r[n[j].ring].epoch[i]) : \
    (!HAS(r[n[j].commit].members, i) || joins[i].epoch <= r[n[j].commit].epoch[i]))))
#define LEAST(value) ((value) != 0 && (value) < low -> (value) : low)
#define LESS(value) ((value) > low -> (value) - low : 0)

/* Only differences of epochs of one node count, and only the order of ring sequences: both are counted from the least that is still in use. */
inline renumber() {
    for (a : 0 .. N - 1) {
        low = (joins[a].epoch != 0 && joins[a].epoch < n[a].epoch -> joins[a].epoch : n[a].epoch);
        for (b : 0 .. N - 1) { low = LEAST(n[b].joinEpoch[a]) }
        for (b : 1 .. RINGS - 1) { low = LEAST(r[b].epoch[a]) }
        if
        :: copyKind == aJoin && copyFrom == a -> low = LEAST(copyJoin.epoch)
        :: else
        fi;
        low = (low > 0 -> low - 1 : 0);
        if
        :: low > 0 ->
            n[a].epoch = LESS(n[a].epoch); joins[a].epoch = LESS(joins[a].epoch);
            for (b : 0 .. N - 1) { n[b].joinEpoch[a] = LESS(n[b].joinEpoch[a]) }
            for (b : 1 .. RINGS - 1) { r[b].epoch[a] = LESS(r[b].epoch[a]) }
            if
            :: copyKind == aJoin && copyFrom == a -> copyJoin.epoch = LESS(copyJoin.epoch)
            :: else
            fi
        :: else
        fi
    }
    low = 255;
    for (b : 1 .. RINGS - 1) { low = LEAST(r[b].sequence) }
    low = low - 1;
    if
    :: low > 0 ->
        for (b : 1 .. RINGS - 1) { r[b].sequence = LESS(r[b].sequence) }
        for (a : 0 .. N - 1) {
            n[a].sequenceMax = LESS(n[a].sequenceMax); joins[a].sequenceMax = LESS(joins[a].sequenceMax);
            for (b : 0 .. N - 1) { n[a].announced[b] = LESS(n[a].announced[b]) }
        }
        copyJoin.sequenceMax = LESS(copyJoin.sequenceMax)
    :: else
    fi
}

/* What nothing depends on any more is set to zero, so that equal futures are one state. */
inline forget() {
    for (a : 0 .. N - 1) {
        for (b : 0 .. N - 1) {
            if
            :: HAS(joins[a].to, b) && CHANGES_NOTHING(a, b) -> joins[a].to = joins[a].to & ~BIT(b)
            :: else
            fi
        }
        if
        :: joins[a].to == 0 -> joins[a].epoch = 0; joins[a].proposal = 0; joins[a].row = 0; joins[a].sequenceMax = 0
        :: else
        fi
    }
    for (a : 1 .. RINGS - 1) {
        if
        :: r[a].members != 0 && r[a].kind == resting ->
            r[a].committed = 0; r[a].visits = 0; r[a].started = false; r[a].seq = 0; r[a].tokenAru = 0; r[a].aruNode = 0; r[a].requests = 0; r[a].at = 0;
            for (b : 0 .. N - 1) { r[a].old[b] = 0; r[a].aru[b] = 0; r[a].high[b] = 0; r[a].delivered[b] = 0; r[a].owed[b] = 0; r[a].carries[b + 1] = 0 }
            r[a].carries[4] = 0
        :: r[a].members != 0 && r[a].kind == nothing && !IS_USED(0, a) && !IS_USED(1, a) && !IS_USED(2, a) && copyRing != a ->
            r[a].sequence = 0; r[a].representative = 0; r[a].members = 0;
            r[a].committed = 0; r[a].visits = 0; r[a].started = false; r[a].seq = 0; r[a].tokenAru = 0; r[a].aruNode = 0; r[a].requests = 0; r[a].at = 0;
            for (b : 0 .. N - 1) { r[a].epoch[b] = 0; r[a].old[b] = 0; r[a].aru[b] = 0; r[a].high[b] = 0; r[a].delivered[b] = 0; r[a].owed[b] = 0; r[a].carries[b + 1] = 0 }
            r[a].carries[4] = 0
        :: else
        fi
    }
    if
    :: !IS_USED(0, OLD) && !IS_USED(1, OLD) && !IS_USED(2, OLD) ->
        sender[1] = 0; sender[2] = 0; isDrawn = false; isSafeStable = false; isSafeDelivered = false;
        for (a : 0 .. N - 1) { inRegular[a] = 0; inTransitional[a] = 0; wentTo[a] = 0; cameAlong[a] = 0 }
    :: else
    fi
}

#define GONE(i) (n[i].reach & ~alive)
#define IS_QUIET (moving == 0 && (joins[0].to | joins[1].to | joins[2].to | announceTo[0] | announceTo[1] | announceTo[2]) == 0 \
    && (!HAS(alive, 0) || GONE(0) == 0) && (!HAS(alive, 1) || GONE(1) == 0) && (!HAS(alive, 2) || GONE(2) == 0))

/* Would the Join of i, sent again, change anything at j? */
#define IS_JOIN_NEWS(i, j) ((i) != (j) && HAS(alive, i) && HAS(alive, j) && n[i].state == gathering && HAS(n[i].reach, j) && ( \
    n[j].state == gathering -> !(HAS(n[j].known, i) && n[j].joinEpoch[i] == n[i].epoch && n[j].joinProposal[i] == n[i].proposal && n[j].joinRow[i] == n[i].row) : ( \
    n[j].state == operational -> (HAS(MEMBERS(j), i) -> n[i].epoch > r[n[j].ring].epoch[i] : !HAS(n[j].rebuffed, i)) : \
    HAS(r[n[j].commit].members, i) && n[i].epoch > r[n[j].commit].epoch[i])))
#define JOIN_DUE(i) (IS_JOIN_NEWS(i, 0) || IS_JOIN_NEWS(i, 1) || IS_JOIN_NEWS(i, 2))
#define IS_ANNOUNCE_NEWS(i, j) ((i) != (j) && HAS(alive, i) && HAS(alive, j) && n[i].state == operational && HAS(n[i].reach & ~MEMBERS(i), j) && n[j].announced[i] != SEQ(n[i].ring))
#define ANNOUNCE_DUE(i) (IS_ANNOUNCE_NEWS(i, 0) || IS_ANNOUNCE_NEWS(i, 1) || IS_ANNOUNCE_NEWS(i, 2))
#define FORM_DUE(i) (HAS(alive, i) && IS_AGREED(i))

/* The short timers (Join, announce, the wait before an exclusion) have nothing more to do: the long ones may expire. */
#define ARE_SHORT_TIMERS_DONE (!JOIN_DUE(0) && !JOIN_DUE(1) && !JOIN_DUE(2) && !ANNOUNCE_DUE(0) && !ANNOUNCE_DUE(1) && !ANNOUNCE_DUE(2) && !FORM_DUE(0) && !FORM_DUE(1) && !FORM_DUE(2))

#define IS_TOKEN_LOST(i) ((n[i].state == operational && r[n[i].ring].kind == nothing) || n[i].state == committing || n[i].state == recovering)
#define IS_MERGE_WANTED(i) (n[i].state == operational && (n[i].reach & alive & ~MEMBERS(i)) != 0)

inline longTimer(i) {
    n[0].rebuffed = 0; n[1].rebuffed = 0; n[2].rebuffed = 0;
    if
    :: n[i].state == gathering -> onConsensusTimer(i)
    :: else -> beginGather(i, IS_MERGE_WANTED(i) && !IS_TOKEN_LOST(i)); todo = PROPOSE_AND_TELL       /* token loss, or a merge that has looked worthwhile for a while */
    fi
}

/* The token under way on ring k arrives at i. */
inline arrive(i, k) {
    moving--;
    if
    :: r[k].kind == commitToken ->
        r[k].kind = nothing;
        if
        :: n[i].state == recovering && n[i].commit == k ->
            if
            :: r[k].visits == 2 * COUNT(r[k].members) && r[k].representative == i && !r[k].started ->
                r[k].started = true; r[k].tokenAru = 0; r[k].aruNode = N; visiting = true
            :: else
            fi
        :: else ->
            onCommitToken(i, k, r[k].visits);
            if
            :: wanted -> r[k].visits++; r[k].kind = commitToken; onward(i, k)
            :: else
            fi
        fi
    :: else ->
        r[k].kind = nothing;
        visiting = ((n[i].state == recovering && n[i].commit == k) || (n[i].state == operational && n[i].ring == k))
    fi
}

inline onward(i, k) {
    r[k].at = NEXT(r[k].members, i);
    if
    :: HAS(alive, r[k].at) -> moving++
    :: else -> r[k].kind = nothing
    fi
}

#define IS_INSTALLED(k, w) (!HAS(r[k].members, w) || (HAS(alive, w) && n[w].state == operational && n[w].ring == (k)))

inline pass(i, k) {
    if
    :: IS_INSTALLED(k, 0) && IS_INSTALLED(k, 1) && IS_INSTALLED(k, 2) -> r[k].kind = resting; for (a : 0 .. N - 1) { n[a].frames = (HAS(r[k].members, a) -> 0 : n[a].frames); n[a].previousAru = (HAS(r[k].members, a) -> 0 : n[a].previousAru) }
    :: else -> r[k].kind = token; onward(i, k)
    fi
}

#define IS_UNDER_WAY(k) (r[k].kind == commitToken || r[k].kind == token)
#define TOKEN(k) :: k < RINGS && HAS(alive, me) && IS_UNDER_WAY(k) && r[k].at == me -> event = aToken; ring = k
#define LONG_TIMER_RUNS(i) (n[i].state == gathering || IS_TOKEN_LOST(i) || IS_MERGE_WANTED(i))

mtype = { aJoin, aToken, anAnnounce, aLostPeer, aJoinTimer, anAnnounceTimer, aWaitOver, aLongTimer, aCopy };

inline clearCopy() {
    copyKind = nothing; copyTo = 0; copyFrom = 0; copyRing = 0; copyVisits = 0;
    copyJoin.epoch = 0; copyJoin.proposal = 0; copyJoin.row = 0; copyJoin.sequenceMax = 0
}

/* One event at one node is one step: chosen here, then carried out to the end as TotemNode does. */
proctype Member(byte me) {
    do
    :: atomic {
        if
        :: HAS(alive & joins[0].to, me) -> event = aJoin; from = 0
        :: HAS(alive & joins[1].to, me) -> event = aJoin; from = 1
        :: HAS(alive & joins[2].to, me) -> event = aJoin; from = 2
        :: HAS(alive & announceTo[0], me) -> event = anAnnounce; from = 0
        :: HAS(alive & announceTo[1], me) -> event = anAnnounce; from = 1
        :: HAS(alive & announceTo[2], me) -> event = anAnnounce; from = 2
        TOKEN(1) TOKEN(2) TOKEN(3) TOKEN(4) TOKEN(5) TOKEN(6)
        :: HAS(alive, me) && GONE(me) != 0 -> event = aLostPeer; from = FIRST(GONE(me))
        :: HAS(alive, me) && IS_QUIET && JOIN_DUE(me) -> event = aJoinTimer
        :: HAS(alive, me) && IS_QUIET && ANNOUNCE_DUE(me) -> event = anAnnounceTimer
        :: HAS(alive, me) && IS_QUIET && FORM_DUE(me) && !JOIN_DUE(0) && !JOIN_DUE(1) && !JOIN_DUE(2) -> event = aWaitOver
        :: HAS(alive, me) && LONG_TIMER_RUNS(me) && IS_QUIET && ARE_SHORT_TIMERS_DONE -> event = aLongTimer
        :: HAS(alive, me) && LONG_TIMER_RUNS(me) && early > 0 -> event = aLongTimer; early--
        :: copyKind != nothing && copyTo == me && HAS(alive, me) -> event = aCopy
        fi;
        if
        :: event == aToken && r[ring].kind == commitToken && n[me].state == gathering && !IS_STALE(me, ring, r[ring].visits) -> drawMessages(me)
        :: event == aCopy && copyKind == commitToken && n[me].state == gathering && !IS_STALE(me, copyRing, copyVisits) -> drawMessages(me)
        :: else
        fi;
        skip;
        d_step {
            todo = NOTHING_TO_DO; visiting = false; installing = 0;
            printf("%d: %e", me, event);
            if
            :: event == aToken -> printf(" (%e) of ring %d", r[ring].kind, ring)
            :: event == aJoin || event == anAnnounce || event == aLostPeer -> printf(" of %d", from)
            :: else
            fi;
            printf("\n");
            if
            :: event == aJoin -> joins[from].to = joins[from].to & ~BIT(me); hereIs(joins[from]); onJoin(me, from)
            :: event == anAnnounce -> announceTo[from] = announceTo[from] & ~BIT(me); onAnnounce(me, from)
            :: event == aToken -> arrive(me, ring)
            :: event == aLostPeer -> onPeerLost(me, from)
            :: event == aJoinTimer -> sendJoin(me)
            :: event == anAnnounceTimer -> announceTo[me] = n[me].reach & alive & ~MEMBERS(me)
            :: event == aLongTimer -> longTimer(me)
            :: event == aCopy && copyKind == aJoin -> hereIs(copyJoin); onJoin(me, copyFrom); clearCopy()
            :: event == aCopy && copyKind == commitToken ->
                onCommitToken(me, copyRing, copyVisits);
                if
                :: wanted && r[copyRing].kind == nothing -> r[copyRing].visits = copyVisits + 1; r[copyRing].kind = commitToken; onward(me, copyRing)
                :: else
                fi;
                clearCopy()
            :: else -> skip
            fi
        };
        if
        :: visiting -> visit(me, ring)
        :: else
        fi;
        d_step {
            if
            :: todo != NOTHING_TO_DO -> propose(me, todo == PROPOSE_AND_TELL)
            :: else
            fi
        };
        wanted = IS_AGREED(me) && (event == aWaitOver || (todo != NOTHING_TO_DO && !WAITS_BEFORE_EXCLUSION(me)));
        if
        :: wanted -> drawMessages(me)
        :: else
        fi;
        skip;                         /* a loop may not end in front of a d_step */
        d_step {
            if
            :: wanted -> form(me)
            :: else
            fi;
            if
            :: installing != 0 -> install(me, installing)
            :: else
            fi;
            if
            :: visiting -> pass(me, ring)
            :: else
            fi;
            forget(); renumber();
            clearScratch()
        }
    }
    od
}

inline crash(i) {
    printf("%d crashes\n", i);
    crashes--;
    alive = alive & ~BIT(i);
    leaveToken(i);
    n[i].state = dead; n[i].have = 0; n[i].queue = 0; n[i].frames = 0; n[i].known = 0; n[i].silent = 0; n[i].failed = 0; n[i].quiet = 0; n[i].installSeq = 0;
    n[i].previousAru = 0; n[i].owed = 0; n[i].commit = 0; n[i].expiries = 0; n[i].gathers = 0; n[i].rebuffed = 0;
    for (a : 0 .. N - 1) { joins[a].to = joins[a].to & alive; announceTo[a] = announceTo[a] & alive }
    for (a : 1 .. RINGS - 1) {
        if
        :: IS_UNDER_WAY(a) && r[a].at == i -> r[a].kind = nothing; moving--
        :: else
        fi
    }
    if
    :: copyTo == i -> clearCopy()
    :: else
    fi
}

inline loseToken(k) {
    printf("the token of ring %d is lost (%e)\n", k, r[k].kind);
    losses--;
    if
    :: r[k].kind != resting -> moving--
    :: else
    fi;
    r[k].kind = nothing
}

#define CRASH(i) :: crashes > 0 && HAS(alive, i) -> d_step { crash(i); a = 0 }
#define LOSE_TOKEN(k) :: k < RINGS && losses > 0 && (IS_UNDER_WAY(k) || (r[k].kind == resting && COUNT(r[k].members) > 1)) -> d_step { loseToken(k) }
#define LOSE_JOIN(i, j) :: losses > 0 && HAS(joins[j].to, i) -> d_step { losses--; printf("the Join of %d is lost on its way to %d\n", j, i); joins[j].to = joins[j].to & ~BIT(i) }
#define COPY_JOIN(i, j) :: copies > 0 && HAS(joins[j].to, i) -> d_step { copies--; printf("a copy is made\n"); copyKind = aJoin; copyTo = i; copyFrom = j; \
    copyJoin.epoch = joins[j].epoch; copyJoin.proposal = joins[j].proposal; copyJoin.row = joins[j].row; copyJoin.sequenceMax = joins[j].sequenceMax }
#define COPY_TOKEN(k) :: k < RINGS && copies > 0 && r[k].kind == commitToken -> d_step { copies--; printf("a copy is made\n"); copyKind = commitToken; copyTo = r[k].at; copyRing = k; copyVisits = r[k].visits }

/* What goes wrong, at any moment. */
proctype Faults() {
    do
    :: atomic {
        if
        CRASH(0) CRASH(1) CRASH(2)
        LOSE_TOKEN(1) LOSE_TOKEN(2) LOSE_TOKEN(3) LOSE_TOKEN(4) LOSE_TOKEN(5) LOSE_TOKEN(6)
        LOSE_JOIN(0, 1) LOSE_JOIN(0, 2) LOSE_JOIN(1, 0) LOSE_JOIN(1, 2) LOSE_JOIN(2, 0) LOSE_JOIN(2, 1)
        COPY_JOIN(0, 1) COPY_JOIN(0, 2) COPY_JOIN(1, 0) COPY_JOIN(1, 2) COPY_JOIN(2, 0) COPY_JOIN(2, 1)
        COPY_TOKEN(1) COPY_TOKEN(2) COPY_TOKEN(3) COPY_TOKEN(4) COPY_TOKEN(5) COPY_TOKEN(6)
        fi }
    od
}

#define IS_SETTLED(i) (!HAS(alive, i) || (n[i].state == operational && MEMBERS(i) == alive && (alive == BIT(i) || r[n[i].ring].kind == resting)))
#define ALL_SETTLED (IS_SETTLED(0) && IS_SETTLED(1) && IS_SETTLED(2))

/* All are in the first ring, and its token goes round. */
init {
    atomic {
        r[OLD].sequence = 1; r[OLD].members = ALL; r[OLD].kind = resting;
        for (y : 0 .. N - 1) { n[y].state = operational; n[y].ring = OLD; n[y].reach = ALL; n[y].sequenceMax = 1 }
        y = 0;
        run Member(0); run Member(1); run Member(2); run Faults()
    }
}

ltl settles { <> [] ALL_SETTLED }
