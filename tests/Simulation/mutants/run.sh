#!/usr/bin/env bash
# Plants each bug of this folder into a copy of the tree and lets the simulator look for it.
#   tests/Simulation/mutants/run.sh [--cpu SECONDS] [--base SEED] [NAME...]
#
#   --cpu SECONDS   processor time the simulator may spend on one bug (default 60)
#   --base SEED     fresh seeds are drawn from this one (default: drawn from the system, printed)
#   NAME            only bugs whose file name begins so (01, 07-safe, ...); the control always runs
#
# Prints a table in Markdown: bug, found or not, by which invariant, with which seed, after how much processor time.
# The first row is the control: the same seeds on the tree as it is must find nothing.
# A seed that fails there fails without the bug too and counts for no row.
# Exit code: 0 all found, 1 some not found or the control failed, 64 usage, 70 a bug no longer applies or builds.
set -euo pipefail

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
root=$(readlink -f "$here/../../..")
cpu=60
base=$(od -An -N5 -tu8 /dev/urandom | tr -d ' ')
only=()

usage() { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 64; }

while (($#)); do
    case "$1" in
        --cpu) [[ ${2:-} =~ ^[0-9]+$ ]] || usage; cpu=$2; shift 2 ;;
        --base) [[ ${2:-} =~ ^[0-9]+$ ]] || usage; base=$2; shift 2 ;;
        -*) usage ;;
        *) only+=("$1"); shift ;;
    esac
done

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# What the simulator is built from, without what earlier builds left behind.
(cd "$root" && tar -c --exclude=bin --exclude=obj .editorconfig global.json Directory.* BannedSymbols.Core.txt src tests/Simulation tests/Virtual tests/Invariants) | tar -x -C "$scratch"
cd "$scratch"

build() {
    nice dotnet build tests/Simulation -c Release -clp:ErrorsOnly -nodeReuse:false \
        -p:RunAnalyzers=false -p:TreatWarningsAsErrors=false -p:UseSharedCompilation=false > build.log 2>&1
}

program=bin/Release/net10.0/Membership.Simulation.dll
skipped=0

# Draws fresh seeds for so many seconds of processor time, until one fails. The limit of the shell ends a run that makes time stand still unnoticed.
simulate() {
    (ulimit -t $((2 * cpu + 60)); nice dotnet "$1/$program" --base "$base" --skip "$skipped" --cpu "$2" --failures 1) > run.log 2>&1 || true
}

# Fails as well without any bug planted?
fails_anyway() {
    ! nice dotnet "control/$program" --seed "$1" > control.log 2>&1
}

# Looks for the bug built into $1 and prints its row under the name $2. True when it was found.
search() {
    local left=$cpu total=0 seed rule spent
    while :; do
        simulate "$1" "$left"
        spent=$(sed -n 's/.* in \([0-9.]*\) s of processor.*/\1/p' run.log)
        total=$(awk -v a="$total" -v b="${spent:-$left}" 'BEGIN { print a + b }')
        left=$(awk -v a="$cpu" -v b="$total" 'BEGIN { print a > b ? int(a - b) : 0 }')
        if ! [[ $(grep -m1 '^FAILED seed' run.log || true) =~ ^FAILED\ seed\ ([0-9]+):\ ([^:]+):\ (.*) ]]; then
            echo "| $2 | no | $([[ $spent ]] && echo - || echo "a run did not end") | - | $total |"
            return 1
        fi
        seed=${BASH_REMATCH[1]} rule="${BASH_REMATCH[2]}: ${BASH_REMATCH[3]}"
        if [[ $1 != control ]] && fails_anyway "$seed"; then
            skipped+=,$seed
            ((left > 0)) && continue
            echo "| $2 | no | - | - | $total |"
            return 1
        fi
        [[ $1 != control ]] || skipped+=,$seed
        echo "| $2 | yes | ${rule//|/\\|} | $seed | $total |"
        return 0
    done
}

wanted() {
    ((${#only[@]})) || return 0
    local name
    for name in "${only[@]}"; do [[ $1 == "$name"* ]] && return 0; done
    return 1
}

build || { cat build.log >&2; exit 70; }
echo "seeds drawn from $base, at most $cpu s of processor each"
echo
echo "| planted bug | found | first violation | seed | processor, s |"
echo "|---|---|---|---|---|"
outcome=0
mkdir -p control && cp -r tests/Simulation/bin control/
if search control "none (control)"; then outcome=1; fi
for patch in "$here"/*.patch; do
    name=$(basename "$patch" .patch)
    wanted "$name" || continue
    patch -p1 -s -F0 < "$patch" || { echo "$name no longer applies; renew it" >&2; exit 70; }
    build || { echo "$name does not build:" >&2; cat build.log >&2; exit 70; }
    search tests/Simulation "$name" || outcome=1
    patch -R -p1 -s -F0 < "$patch"
done
exit "$outcome"
