#!/usr/bin/env bash
# Builds everything, checks the format and runs all tests. Last line: "N passed, N failed, N skipped". Exit 0 only when all is well.
#   ./test.sh          everything that guards a commit, in less than 20 minutes on two cores
#   ./test.sh deep     the same with long campaigns (stages and tests read MEMBERSHIP_TEST_DEPTH=deep), for hours; writes docs/proof.md
#
# To add tests: an xunit project below tests/ with <IsTestProject>true</IsTestProject> that is in Membership.sln is found by itself; its name does not count.
# To add another stage: write a function stage_NAME that prints what it likes and, as its LAST line, "N passed, N failed, N skipped"
# (for work that is not counted: 0 0 0), returns non-zero when it failed, and append NAME to `stages` below. Names joined by + run at the same time: the first is
# seen at once, the others when all have ended; those get only the processor time that the first leaves over (SCHED_IDLE: its tests wait for timers and packets most of
# the time), may not depend on how long something takes, and set no variable for later ones.
set -uo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" || exit 74

stages=(packages restore build launchers tests+model+campaign+format explore mutants fuzz)
campaign_seeds=2300                   # of five nodes, at least 50 simulated hours
explore_iterations=250                # schedules of each suite of tests/coyote, at least 20 000 in all
explore_iterations_deep=16000         # at least a million in all
mutants_picked=3                      # planted bugs looked for each time: others with each commit and day
hang_limit=6min                       # a test project that says nothing for so long is stopped and has failed
results=$PWD/.build/test-results

case "${1:-}" in
    "") depth=commit ;;
    deep) depth=deep ;;
    *) echo "usage: ./test.sh [deep]" >&2; exit 64 ;;
esac
[[ $depth == deep ]] && stages+=(proof)
export MEMBERSHIP_TEST_DEPTH=$depth DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1
if [[ -z ${HOME:-} || ! -w ${HOME:-/nonexistent} ]]; then
    export HOME=$PWD/.build/home
    mkdir -p "$HOME"
fi

# Programs that tests call, and the Debian package of each. Only root can install; without them the tests that need them are skipped.
stage_packages() {
    local missing=() pair
    for pair in node:nodejs npm:npm ip:iproute2 tc:iproute2 nft:nftables tcpdump:tcpdump ps:procps unshare:util-linux flock:util-linux spin:spin gcc:gcc; do
        command -v "${pair%%:*}" >/dev/null || [[ " ${missing[*]:-} " == *" ${pair##*:} "* ]] || missing+=("${pair##*:}")
    done
    /usr/bin/python3 -c 'import grpc' 2>/dev/null || missing+=(python3-grpcio)
    if ((${#missing[@]})); then
        if ((EUID != 0)); then
            echo "missing (install as root: apt-get install ${missing[*]})"
        elif ! command -v apt-get >/dev/null; then
            echo "missing and no apt-get here: ${missing[*]}"
        else
            export DEBIAN_FRONTEND=noninteractive
            { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } || echo "could not install: ${missing[*]}"
        fi
    fi
    unpack_promtool
    interop_packages || echo "could not install grpc-js: tests of foreign gRPC clients are skipped"
    echo "0 passed, 0 failed, 0 skipped"
}

# The foreign gRPC implementation of tests/Grpc.Tests, in the versions of its lock file.
interop_packages() {
    local from=tests/Grpc.Tests/Interop to=.build/interop
    command -v npm >/dev/null || return 1
    cmp -s "$from/package-lock.json" "$to/installed" && return 0
    mkdir -p "$to" && cp "$from/package.json" "$from/package-lock.json" "$to/" &&
        npm ci --prefix "$to" --ignore-scripts --omit=dev --no-audit --no-fund --loglevel=error && cp "$from/package-lock.json" "$to/installed"
}

# promtool alone out of Debian's prometheus: installing the package would start a server.
unpack_promtool() {
    export PATH=$PATH:$PWD/.build/tools/usr/bin
    if command -v promtool >/dev/null || ! command -v apt-get >/dev/null; then return; fi
    mkdir -p .build/tools
    (cd .build/tools && apt-get download -qq prometheus && dpkg-deb -x prometheus_*.deb . && rm -f prometheus_*.deb) >/dev/null || echo "could not unpack promtool from package prometheus"
}

stage_restore() {
    dotnet restore Membership.sln --locked-mode -nodeReuse:false -v quiet || return 1
    echo "0 passed, 0 failed, 0 skipped"
}

stage_build() {
    dotnet build Membership.sln -c Release --no-restore -nodeReuse:false -clp:NoSummary -v quiet || return 1
    echo "0 passed, 0 failed, 0 skipped"
}

stage_format() {
    dotnet format Membership.sln --verify-no-changes --no-restore || return 1
    echo "0 passed, 0 failed, 0 skipped"
}

# What ./mbr and ./membershipd run: tests that start daemons and the demo use these programs.
stage_launchers() {
    scripts/launch.sh --build-only || return 1
    echo "0 passed, 0 failed, 0 skipped"
}

# "name passed failed skipped" of one trx file.
read_counters() {
    sed -n 's/.*<Counters total="\([0-9]*\)" executed="\([0-9]*\)" passed="\([0-9]*\)".*/\1 \2 \3/p' "$1" | tail -1
}

run_test_project() {
    local project=$1 name trx counters code total executed ok
    name=$(basename "$project" .csproj)
    trx=$results/$name.trx
    dotnet test "$project" -c Release --no-build --nologo --logger "trx;LogFileName=$trx" --logger "console;verbosity=minimal" \
        --results-directory "$results" --blame-hang --blame-hang-timeout "$hang_limit" >"$results/$name.log" 2>&1
    code=$?
    counters=$([[ -e $trx ]] && read_counters "$trx")
    read -r total executed ok <<<"${counters:-0 0 0}"
    local failed=$((executed - ok)) skipped=$((total - executed))
    if ((code != 0 || failed > 0 || total == 0)); then
        cat "$results/$name.log"
        if ((total == 0)); then echo "$name: no test ran"; fi
        if ((failed == 0)); then failed=1; fi
    fi
    printf '  %-40s %5d passed, %d failed, %d skipped\n' "$name" "$ok" "$failed" "$skipped"
    passed_sum=$((passed_sum + ok)) failed_sum=$((failed_sum + failed)) skipped_sum=$((skipped_sum + skipped))
}

stage_tests() {
    local passed_sum=0 failed_sum=0 skipped_sum=0 project
    rm -rf "$results"
    mkdir -p "$results"
    for project in $(grep -l '<IsTestProject>true' tests/*/*.csproj tests/*/*/*.csproj 2>/dev/null); do
        run_test_project "$project"
    done
    echo "$passed_sum passed, $failed_sum failed, $skipped_sum skipped"
    ((failed_sum == 0))
}

# Fresh seeds in each run; a failing one prints the command that replays it. The campaign counts as one test.
stage_campaign() {
    local seeds=$campaign_seeds base
    base=$(date +%s)
    [[ $depth == deep ]] && seeds=10000
    echo "simulator: $seeds seeds from base $base"
    if DOTNET_GCHeapHardLimit=0x180000000 dotnet tests/Simulation/bin/Release/net10.0/Membership.Simulation.dll --seeds "$seeds" --base "$base" --jobs "$(nproc)"; then
        echo "1 passed, 0 failed, 0 skipped"
    else
        echo "0 passed, 1 failed, 0 skipped"
        return 1
    fi
}

# The alarm itself, schedules that once failed, fresh ones of every suite. Suites that are searched exhaustively are searched to their end.
stage_explore() {
    local runner=tests/coyote/Runner/bin/Release/net10.0/Membership.Exploration.dll iterations=$explore_iterations seed
    seed=$(date +%s)
    [[ $depth == deep ]] && iterations=$explore_iterations_deep
    dotnet "$runner" --canary >.build/canary.log
    local canary=$?
    cat .build/canary.log
    echo "explorer: $iterations schedules of each suite from seed $seed"
    dotnet "$runner" --iterations "$iterations" --seed "$seed" --jobs "$(nproc)" >.build/explore.log
    local suites=$?
    grep -v '^  ' .build/explore.log    # without the share of each strategy, unless it is wanted
    add_up .build/canary.log .build/explore.log
    ((canary == 0 && suites == 0))
}

# A few planted bugs, or all of them: whoever should find them must.
stage_mutants() {
    if [[ $depth == deep ]]; then tests/coyote/mutants/run.sh --cpu 60; else tests/coyote/mutants/run.sh --cpu 20 --pick "$mutants_picked"; fi
}

# Writes what the deep run found into docs/proof.md, between its two marks.
stage_proof() {
    local out=.build/proof.md
    {
        printf '%s, commit `%s`, by `./test.sh deep` on %s cores (%s), %s GiB of memory, %s:\n\n' "$(date -u +%Y-%m-%d)" "$(git rev-parse --short HEAD)" "$(nproc)" \
            "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo)" "$(uname -s -r | cut -d- -f1)"
        printf '### Simulator\n\n```\n%s\n```\n\n' "$(grep -E '^(simulator|runs|simulated|views|datagrams)' .build/stage-campaign.log)"
        printf '### Explorer\n\n```\n%s\n```\n\n' "$(grep -v -e '^== ' -e ' passed, ' -e '^ *at ' .build/stage-explore.log)"
        printf '### Fuzzer\n\n```\n%s\n```\n\n' "$(grep -v -e '^== ' -e ' passed, ' .build/stage-fuzz.log)"
        printf '### Planted bugs\n\n%s\n' "$(grep '^|' .build/stage-mutants.log)"
    } >"$out"
    awk -v new="$out" '/^<!-- deep run: end -->/ { skip = 0 } !skip { print } /^<!-- deep run: begin -->/ { while ((getline line < new) > 0) print line; skip = 1 }' docs/proof.md >.build/proof-new.md &&
        grep -q '^<!-- deep run: end -->' .build/proof-new.md && cp .build/proof-new.md docs/proof.md || return 1
    echo "0 passed, 0 failed, 0 skipped"
}

# The sum of the summary lines of several programs.
add_up() {
    tail -qn 1 "$@" | awk -v programs=$# '/ passed, .* failed, .* skipped$/ { p += $1; f += $3; s += $5; n++ } END { if (n < programs) f++; printf "%d passed, %d failed, %d skipped\n", p, f, s }'
}

# Fresh inputs in each run against every parser; a failing one is kept and the command printed that runs it again. Counts one test per target.
stage_fuzz() {
    local work=(--seconds 120) out=.build/fuzz.log well failed void code
    [[ $depth == deep ]] && work=(--executions 20000000)
    dotnet tests/Fuzz/bin/Release/net10.0/Membership.Fuzz.dll "${work[@]}" --jobs "$(nproc)" --seed "$(date +%s)" --keep .build/fuzz-failures | tee "$out"
    code=${PIPESTATUS[0]}
    read -r well failed void <<<"$(tail -n 1 "$out" | sed -n 's/.*, \([0-9]*\) targets well, \([0-9]*\) failed, \([0-9]*\) void$/\1 \2 \3/p')"
    echo "${well:-0} passed, $((${failed:-0} + ${void:-0} + (${#well} == 0))) failed, 0 skipped"
    return "$code"
}

# The ring's membership protocol in Promela, every order of events (docs/protocol/model/README.md). Counts one test per property and planted fault.
stage_model() {
    if ! command -v spin >/dev/null || ! command -v gcc >/dev/null; then
        echo "skipped: spin or gcc is not here (Debian packages spin and gcc)"
        echo "0 passed, 0 failed, 1 skipped"
        return 0
    fi
    docs/protocol/model/check.sh .build/model "$depth"
}

# Runs stage $1, whose output goes through a pipe into its log and, unless it has company, to the screen.
run_stage() {
    local stage_started=$SECONDS code
    if [[ $2 == together ]]; then chrt --idle --pid 0 "$BASHPID"; fi
    "stage_$1" > >(if [[ $2 == alone ]]; then tee ".build/stage-$1.log"; else cat >".build/stage-$1.log"; fi) 2>&1
    code=$?
    wait $!     # for the pipe: the summary line must be in the file
    echo "$code $((SECONDS - stage_started))" >".build/stage-$1.end"
}

# Adds up what stage $1 says of itself in its last line; false when it failed.
count_stage() {
    local code seconds p f s
    read -r code seconds <".build/stage-$1.end"
    read -r p f s <<<"$(tail -n 1 ".build/stage-$1.log" | sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p')"
    if [[ -z ${s:-} ]]; then p=0 f=1 s=0; fi
    if ((code != 0 && f == 0)); then f=1; fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    printf '== %s: %s after %d s\n' "$1" "$( ((f == 0)) && echo ok || echo FAILED)" "$seconds"
    ((f == 0))
}

passed=0 failed=0 skipped=0 started=$SECONDS
mkdir -p .build
for group in "${stages[@]}"; do
    printf '== %s (at %d:%02d)\n' "${group//+/, }" $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60))
    if [[ $group != *+* ]]; then
        run_stage "$group" alone
        # Without a restored and built solution the later stages would only repeat the same error.
        if ! count_stage "$group" && [[ $group == restore || $group == build ]]; then break; fi
        continue
    fi
    first=${group%%+*} others=${group#*+} company=()
    for stage in ${others//+/ }; do
        run_stage "$stage" together &
        company+=($!)
    done
    run_stage "$first" alone
    count_stage "$first"
    wait "${company[@]}"
    for stage in ${others//+/ }; do
        cat ".build/stage-$stage.log"
        count_stage "$stage"
    done
done
if ((passed == 0 && failed == 0)); then
    echo "no test ran"
    failed=1
fi
printf '== all stages: %d min %d s\n' $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60))
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
