#!/bin/bash
# What members of a group that never read cost the daemon and everybody else.
#
#   bench/stalled/run.sh [--stalled 100] [--rate 10000] [--size 64] [--seconds 15] [--rounds 3]
#
# Three daemons in namespaces, one reading and sending member at each, together --rate messages/s. Each round measures twice: without, and with
# --stalled members at node 1 that join before the warm-up (3 s) and never read: they are cut off in the measured time. Prints how far the resident memory of node 1's daemon rose,
# and the latency of everybody's messages at the others. Only ratios inside one run count. Needs root, iproute2, jq.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
. "$here/../lib/netns.sh"
. "$here/../lib/measure.sh"

NODES=3
stalled=100 rate=10000 size=64 seconds=15 rounds=3
while (($#)); do
    case $1 in
        --stalled) stalled=$2 ;;
        --rate) rate=$2 ;;
        --size) size=$2 ;;
        --seconds) seconds=$2 ;;
        --rounds) rounds=$2 ;;
        *) echo "run.sh: unknown option $1" >&2; exit 64 ;;
    esac
    shift 2
done
netns_require jq
work=$(mktemp -d /tmp/membership-stalled.XXXXXX)
. "$here/../lib/daemons.sh"

# run_case ROUND COUNT: appends one object with what the three members measured.
run_case() {
    local round=$1 count=$2 node flags clients=() status=0
    measure_wait_quiet
    for ((node = NODES; node >= 1; node--)); do
        flags=(--members $NODES --group "g$count-$round" --timeout 30s --size "$size" --seconds "${seconds}s" --warmup 3s --rate $((rate / NODES)))
        if ((node == 1 && count > 0)); then flags+=(--stalled "$count"); fi
        "$MBR" bench cpg --json --socket "$work/n$node.sock" "${flags[@]}" > "$work/client$node.json" 2> "$work/client$node.err" &
        clients+=($!)
    done
    for node in "${clients[@]}"; do wait "$node" || status=$?; done
    if ((status)); then
        echo "run.sh: round $round with $count stalled: a client ended with $status: $(tail -qn 2 "$work"/client?.err)" >&2
        exit 1
    fi
    jq -sc --argjson count "$count" '{ count: $count, growth: .[0].daemon_growth_bytes, rate: ([.[].delivered_per_s] | min),
        p50: ([.[].latency_us.other.p50] | max), p99: ([.[].latency_us.other.p99] | max) }' "$work"/client[123].json >> "$work/rows.jsonl"
}

netns_up $NODES
membership_start
for ((round = 1; round <= rounds; round++)); do
    run_case "$round" 0
    run_case "$round" "$stalled"
done
cluster_stop
echo "$(measure_machine), $NODES nodes, $size bytes, $rate messages/s offered, $rounds rounds of $seconds s"
echo
echo "| stalled members at node 1 | messages/s at the slowest | other p50 µs | other p99 µs | memory of node 1's daemon rose by, MiB |"
echo "| --- | --- | --- | --- | --- |"
jq -rs 'def median: sort | .[(length - 1) / 2 | floor];
    group_by(.count)[] | "| \(.[0].count) | \(map(.rate) | median | round) | \(map(.p50) | median | round) | \(map(.p99) | median | round) | \(map(.growth // empty) | if length == 0 then "not told" else max / 1048576 * 10 | round / 10 end) |"' "$work/rows.jsonl"
rm -rf "$work"
