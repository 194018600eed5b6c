#!/usr/bin/env bash
# Checks ring.pml in every order of events: what must hold holds, and what is broken on purpose is found. README.md explains the properties.
#   docs/protocol/model/check.sh FOLDER [commit|deep]
# FOLDER takes what spin and gcc make. Last line: "N passed, N failed, N skipped"; exit 0 only when nothing failed.
set -uo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
folder=${1:?folder for what is built} depth=${2:-commit}
mkdir -p "$folder" && cd "$folder" || exit 74
passed=0 failed=0
memory_mib=8000
optimise=(-O1)

# build NAME SPIN-OPTIONS... -- GCC-OPTIONS...
build() {
    local name=$1 model=()
    shift
    while (($#)) && [[ $1 != -- ]]; do model+=("$1"); shift; done
    shift
    mkdir -p "$name"
    (cd "$name" && spin -a "${model[@]}" "$here/ring.pml" >spin.log 2>&1 && gcc "${optimise[@]}" -w -DNOREDUCE -DNOFAIR -DVECTORSZ=1024 -DMEMLIM=$memory_mib "$@" -o pan pan.c) || { cat "$name/spin.log"; return 1; }
}

# tell NAME OUTCOME TEXT
tell() {
    if [[ $2 == ok ]]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    printf '  %-34s %-6s %s\n' "$1" "$2" "$3"
}

summary_of() {
    sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1 states/p; s/^pan: elapsed time \(.*\) seconds/in \1 s/p' "$1/pan.log" | tr '\n' ' '
}

# holds NAME OPTIONS...: nothing is violated, and the search was complete.
holds() {
    local name=$1
    shift
    build "$name" "$@" -- -DSAFETY -DNOCLAIM || { tell "$name" FAILED "does not build"; return; }
    (cd "$name" && ./pan -E -m100000 -n -w25 >pan.log 2>&1)
    if grep -q 'errors: 0' "$name/pan.log" && ! grep -qE 'not completed|max search depth too small|reached -DMEMLIM' "$name/pan.log"; then tell "$name" ok "$(summary_of "$name")"
    else
        tell "$name" FAILED "$(grep -m1 -E 'assertion|not completed|too small|MEMLIM' "$name/pan.log")"
        (cd "$name" && spin -t "$@" "$here/ring.pml" 2>/dev/null | grep -v '^ltl' | sed 's/^ *//' | head -200)
    fi
}

# settles NAME OPTIONS...: every run ends with all living nodes in one ring whose token goes round.
settles() {
    local name=$1
    shift
    build "$name" "$@" -- || { tell "$name" FAILED "does not build"; return; }
    (cd "$name" && ./pan -a -m100000 -n -w25 >pan.log 2>&1)
    if grep -q 'errors: 0' "$name/pan.log" && ! grep -qE 'not completed|max search depth too small|reached -DMEMLIM' "$name/pan.log"; then tell "$name" ok "$(summary_of "$name")"
    else tell "$name" FAILED "$(grep -m1 -E 'acceptance|assertion|not completed|too small|MEMLIM' "$name/pan.log")"; fi
}

# finds NAME TEXT OPTIONS...: the planted fault breaks the assertion that has TEXT in it.
finds() {
    local name=$1 text=$2
    shift 2
    build "$name" "$@" -- -DSAFETY -DNOCLAIM || { tell "$name" FAILED "does not build"; return; }
    (cd "$name" && ./pan -E -m100000 -n -w22 >pan.log 2>&1)
    if grep -q "assertion violated.*$text" "$name/pan.log"; then tell "$name" ok "found: $text"
    else tell "$name" FAILED "not found: $(grep -m1 -E 'assertion|errors:' "$name/pan.log")"; fi
}

optimise=(-O2)
holds views -DMESSAGES=0
settles settles -DMESSAGES=0
holds messages
optimise=(-O1)
holds late-copies -DMESSAGES=0 -DLOSSES=1 -DCOPIES=1
holds early-timers -DMESSAGES=0 -DCRASHES=0 -DLOSSES=1 -DEARLY=1
holds early-timer-and-crash -DMESSAGES=0 -DLOSSES=0 -DEARLY=1
finds without-commit-rounds 'committed==' -DMESSAGES=0 -DLOSSES=1 -DMUTANT=2
finds ring-sequence-not-raised 'representative!=' -DMESSAGES=0 -DLOSSES=1 -DMUTANT=1
finds safe-as-agreed 'isSafeStable' -DLOSSES=1 -DMUTANT=3
finds delivered-behind-a-gap 'sender\[1\]==sender\[2\]' -DMUTANT=4
finds obligation-forgotten 'inRegular\[a\]|inTransitional\[a\]' -DCRASHES=2 -DMUTANT=5
finds installed-too-early 'inRegular' -DMUTANT=6
if [[ $depth == deep ]]; then
    holds messages-safe-first -DSAFE_FIRST
    holds messages-of-all-senders -DMESSAGES=2 -DLOSSES=1
    holds two-crashes -DCRASHES=2 -DLOSSES=1
fi
echo "$passed passed, $failed failed, 0 skipped"
((failed == 0))
