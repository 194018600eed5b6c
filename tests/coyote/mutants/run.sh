#!/usr/bin/env bash
# Plants each bug of this folder into a copy of the tree and lets those look for it who should find it.
#   tests/coyote/mutants/run.sh [--cpu SECONDS] [--base SEED] [--pick N] [NAME...]
#
#   --cpu SECONDS   processor time a finder may spend on one bug (default 60)
#   --base SEED     fresh seeds are drawn from this one (default: drawn from the system, printed)
#   --pick N        only N of the bugs: others each day and with each commit, all of them in turn
#   NAME            only bugs whose file name begins so (01, 07-safe, ...)
#
# The first line of a bug names who should find it, cheapest first, for example:
#   # finder: unit:tests/Quorum.Tests simulator
#   simulator               fresh seeds of tests/Simulation
#   unit:PROJECT[:NAME]     the tests of a project, or those of it whose full name contains NAME
#   explorer:SUITE          that suite of tests/coyote
# A bug without such a line is refused. The control, each finder on the tree as it is (where it could go on for ever, for a
# quarter of the time), must find nothing; a seed that fails without the bug too counts for no row.
#
# Prints a table in Markdown: bug, who found it, by what, after how much processor time; then "N passed, N failed, N skipped".
# Exit code: 0 all found, 1 some not found or the control failed, 64 usage, 70 a bug no longer applies or builds, or names no finder that exists.
set -euo pipefail

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
root=$(readlink -f "$here/../../..")
cpu=60
base=$(od -An -N5 -tu8 /dev/urandom | tr -d ' ')
pick=0
only=()

usage() { sed -n '2,20s/^# \{0,1\}//p' "$0" >&2; exit 64; }

while (($#)); do
    case "$1" in
        --cpu) [[ ${2:-} =~ ^[0-9]+$ ]] || usage; cpu=$2; shift 2 ;;
        --base) [[ ${2:-} =~ ^[0-9]+$ ]] || usage; base=$2; shift 2 ;;
        --pick) [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || usage; pick=$2; shift 2 ;;
        -*) usage ;;
        *) only+=("$1"); shift ;;
    esac
done

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# What the finders are built from, without what earlier builds left behind. One copy for all: each build only does again what a bug touches.
(cd "$root" && tar -c --exclude=bin --exclude=obj .editorconfig global.json Directory.* BannedSymbols.Core.txt LICENSE README.md src proto packaging docs tests) | tar -x -C "$scratch"
cd "$scratch"

passed=0 failed=0 ended=0

broken() {
    echo "$*" >&2
    [[ ! -e build.log ]] || cat build.log >&2
    echo "$passed passed, $((failed + 1)) failed, 0 skipped"
    exit 70
}

# Builds a project and what it needs.
build() {
    nice dotnet build "$1" -c Release -clp:ErrorsOnly -nodeReuse:false -p:RunAnalyzers=false -p:TreatWarningsAsErrors=false -p:UseSharedCompilation=false > build.log 2>&1
}

# Builds what a bug is in, alone, and puts it beside the finder: a bug changes the inside of one assembly.
plant() {
    local source=$1 finder=$2/bin/Release/net10.0 project assembly
    project=$(ls "$source"/*.csproj)
    assembly=$(sed -n 's#.*<AssemblyName>\(.*\)</AssemblyName>.*#\1#p' "$project")
    nice dotnet build "$source" -c Release --no-restore --no-dependencies -clp:ErrorsOnly -nodeReuse:false -p:RunAnalyzers=false -p:TreatWarningsAsErrors=false -p:UseSharedCompilation=false > build.log 2>&1 || return 1
    cp "$source/bin/Release/net10.0/${assembly:-$(basename "$project" .csproj)}".{dll,pdb} "$finder/"
}

# The finder without any bug again.
restore() { cp -r "control/$1/bin" "$1/"; }

project_of() {
    case "$1" in
        simulator) echo tests/Simulation ;;
        unit:*) cut -d: -f2 <<< "$1" ;;
        explorer:*) echo tests/coyote/Runner ;;
        *) return 1 ;;
    esac
}

# Runs a command for at most so many seconds of processor; its output is in run.log, what it spent in `spent`, its exit code in `ended`.
timed() {
    local limit=$1 TIMEFORMAT='%U %S'
    shift
    ended=0
    { time (ulimit -t "$limit"; nice "$@" > run.log 2>&1 || exit $?) ; } 2> time.log || ended=$?
    spent=$(awk 'END { printf "%.1f", $1 + $2 }' time.log)
}

simulation=bin/Release/net10.0/Membership.Simulation.dll
explorer=bin/Release/net10.0/Membership.Exploration.dll
skipped=0

# Fresh seeds until one fails or the time is spent. The limit of the shell ends a run that makes time stand still unnoticed.
simulate() {
    local left=$cpu total=0 seed
    while :; do
        timed $((2 * cpu + 60)) dotnet "$1/$simulation" --base "$base" --skip "$skipped" --cpu "$left" --failures 1
        total=$(awk -v a="$total" -v b="$spent" 'BEGIN { printf "%.1f", a + b }')
        left=$(awk -v a="$cpu" -v b="$total" 'BEGIN { print a > b ? int(a - b) : 0 }')
        spent=$total
        [[ $(grep -m1 '^FAILED seed' run.log || true) =~ ^FAILED\ seed\ ([0-9]+):\ ([^:]+):\ (.*) ]] || return 1
        seed=${BASH_REMATCH[1]} what="${BASH_REMATCH[2]}: ${BASH_REMATCH[3]} (seed $seed)"
        [[ $1 != control/* ]] || { skipped+=,$seed; return 0; }
        nice dotnet "control/tests/Simulation/$simulation" --seed "$seed" > control.log 2>&1 && return 0
        skipped+=,$seed
        ((left > 0)) || return 1
    done
}

unit() {
    local project filter
    IFS=: read -r _ project filter <<< "$1"
    timed "$cpu" dotnet test "$project" -c Release --no-build --nologo ${filter:+--filter "FullyQualifiedName~$filter"} --logger "console;verbosity=minimal" -- xUnit.StopOnFail=true
    what=$(grep -m1 -oP '^\s*(\[xUnit.*\]\s+)?(Failed )?\K[\w.]+(?=.*\[(FAIL|[<0-9].*s)\])' run.log | sed 's/.*\.//; s/_/ /g' || true)
    if [[ ! $what ]] && ! grep -q '^Passed!' run.log; then what=$(grep -m1 -E 'aborted|crash|killed|invariant' run.log || echo "the tests did not end"); fi
    [[ $what ]]
}

# Until something fails or the limit of the shell ends it.
explore() {
    timed "$cpu" dotnet "tests/coyote/Runner/$explorer" --suite "${1#explorer:}" --iterations 100000000 --seed "$base" --jobs 1 --no-shrink
    case $ended in
        0 | 1) [[ -s run.log ]] || broken "$1 said nothing" ;;
        137 | 152) ;;   # the limit ended it: it says what it found when it has found something
        *) broken "$1 did not look (exit code $ended): $(cat run.log)" ;;
    esac
    what=$(sed -n 's/^  FAILED \(.*\)/\1/p' run.log | sed '1!d; s/ \[.*//')
    [[ $what ]]
}

# Lets one finder look for the bug that is planted.
ask() {
    what=""
    case "$1" in
        simulator) simulate "${2:-tests/Simulation}" ;;
        unit:*) unit "$1" ;;
        explorer:*) explore "$1" ;;
    esac
}

row() { echo "| $1 | $2 | $(cut -c1-220 <<< "${3//|/\\|}") | $4 |"; }

wanted() {
    ((${#only[@]})) || return 0
    local name
    for name in "${only[@]}"; do [[ $1 == "$name"* ]] && return 0; done
    return 1
}

finders_of() { sed -n '1s/^# finder: *//p' "$1"; }

bugs=()
for patch in "$here"/*.patch; do
    if wanted "$(basename "$patch" .patch)"; then bugs+=("$patch"); fi
done
if ((pick > 0 && pick < ${#bugs[@]})); then
    # A step through the list that depends on the day and the commit, so that every one has its turn.
    turn=$(( $(date +%s) / 86400 + 16#$(git -C "$root" rev-parse HEAD 2>/dev/null | cut -c1-6 || echo 0) ))
    picked=()
    for ((i = 0; i < pick; i++)); do picked+=("${bugs[$(((turn * pick + i) % ${#bugs[@]}))]}"); done
    bugs=("${picked[@]}")
fi

for patch in "${bugs[@]}"; do
    [[ $(finders_of "$patch") ]] || broken "$(basename "$patch") names nobody who should find it: its first line must be \"# finder: ...\""
done

echo "seeds drawn from $base, at most $cpu s of processor for each finder"
echo
echo "| planted bug | found by | first violation | processor, s |"
echo "|---|---|---|---|"

# The control: everybody who will be asked, on the tree as it is.
cpu_each=$cpu
controls=$(for patch in "${bugs[@]}"; do finders_of "$patch"; done | tr ' ' '\n' | sort -u)
for finder in $controls; do
    project=$(project_of "$finder") || broken "unknown finder $finder"
    cpu=$cpu_each
    [[ $finder == unit:* ]] || cpu=$(((cpu + 3) / 4))   # tests run to their end
    build "$project" || broken "$project does not build"
    mkdir -p "control/$project" && cp -r "$project/bin" "control/$project/"
    if ask "$finder" "control/$project"; then found=yes; else found=no; fi
    if [[ $found == yes ]]; then
        row "none (control)" "$finder" "$what" "$spent"
        failed=$((failed + 1))
    else
        row "none (control)" "nobody ($finder)" - "$spent"
        passed=$((passed + 1))
    fi
done

cpu=$cpu_each
for patch in "${bugs[@]}"; do
    name=$(basename "$patch" .patch)
    patch -p1 -s -F0 < "$patch" || broken "$name no longer applies; renew it"
    sources=$(sed -n 's#^+++ b/\(src/[^/]*\)/.*#\1#p' "$patch" | sort -u)
    found=""
    tried=""
    for finder in $(finders_of "$patch"); do
        project=$(project_of "$finder")
        for source in $sources; do plant "$source" "$project" || broken "$name does not build"; done
        if ask "$finder"; then found=$finder; fi
        restore "$project"
        [[ ! $found ]] || break
        tried+="${tried:+, }$finder $spent s"
    done
    if [[ $found ]]; then
        row "$name" "$found" "$what" "$spent"
        passed=$((passed + 1))
    else
        row "$name" "**nobody**" "$tried" "$spent"
        failed=$((failed + 1))
    fi
    patch -R -p1 -s -F0 < "$patch"
done
echo
echo "$passed passed, $failed failed, 0 skipped"
((failed == 0))
