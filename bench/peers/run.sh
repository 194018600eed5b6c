#!/bin/bash
# Throughput and latency of this project's ring beside corosync's, in one run on one machine, each node in a namespace of its own.
#
#   bench/peers/run.sh [--rounds 5] [--seconds 2] [--sizes 64,1024,65536] [--systems corosync-rr,corosync,membership] [--paced yes|no] [--warmup 3] [--out DIR]
#
# corosync-rr is corosync as shipped (SCHED_RR 99), corosync the same with "system { sched_rr: no }"; both with knet, aes256 and
# sha256. corosync-udpu is the unencrypted udpu transport without SCHED_RR. membership is ./membershipd with its defaults, measured on
# the raw ring; membership-cpg is the same measured in a closed process group by one client at each daemon, as corosync's library is.
# The systems take turns: each round starts one, measures every case, stops it, goes on to the next. Only ratios inside one run
# count. Results: DIR/rows.jsonl (one object per case and round) and a markdown table on standard output.
#
# Cases: "one" and "all" (that many nodes send without a limit of their own) per size, and "lone" (node 1 has one message at a
# time on its way). Messages/s are those of the slowest receiver. With --paced yes (default no) Membership is measured once more at
# 50 % and 80 % of the rate it just reached ("one-50", "one-80", "all-50", "all-80"); latency then counts from when a message was due.
# Its clients send for --warmup seconds before they measure: theirs is a runtime that compiles what is hot, corosync's client is compiled. Needs root, iproute2, util-linux, jq, gcc, corosync and libcpg-dev.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
. "$here/../lib/netns.sh"
. "$here/../lib/measure.sh"
. "$here/../lib/daemons.sh"

NODES=3
WINDOW_MESSAGES=2048
WINDOW_BYTES=$((1024 * 1024))
rounds=5 seconds=2 sizes=64,1024,65536 systems=corosync-rr,corosync,membership paced=no warmup=3 out=

while (($#)); do
    case $1 in
        --rounds) rounds=$2 ;;
        --seconds) seconds=$2 ;;
        --sizes) sizes=$2 ;;
        --systems) systems=$2 ;;
        --paced) paced=$2 ;;
        --warmup) warmup=$2 ;;
        --out) out=$2 ;;
        *) echo "run.sh: unknown option $1" >&2; exit 64 ;;
    esac
    shift 2
done
netns_require nsenter unshare jq

work=$(mktemp -d /tmp/membership-bench.XXXXXX)
out=${out:-$work}
mkdir -p "$out"
rows=$out/rows.jsonl
: > "$rows"

# ---- corosync ----

corosync_configure() {
    local system=$1 node
    {
        echo "totem {"
        echo "    version: 2"
        echo "    cluster_name: bench"
        if [ "$system" = corosync-udpu ]; then
            echo "    transport: udpu"
        else
            echo "    transport: knet"
            echo "    crypto_cipher: aes256"
            echo "    crypto_hash: sha256"
            echo "    keyfile: $work/authkey"
        fi
        echo "}"
        echo "nodelist {"
        for ((node = 1; node <= NODES; node++)); do
            echo "    node { "
            echo "        ring0_addr: $(netns_address $node)"
            echo "        name: n$node"
            echo "        nodeid: $node"
            echo "    }"
        done
        echo "}"
        echo "quorum {"
        echo "    provider: corosync_votequorum"
        echo "}"
        echo "logging {"
        echo "    to_syslog: no"
        echo "    to_stderr: yes"
        echo "}"
        if [ "$system" != corosync-rr ]; then
            echo "system {"
            echo "    sched_rr: no"
            echo "}"
        fi
    } > "$work/corosync.conf"
    [ -e "$work/authkey" ] || (umask 077 && head -c 256 /dev/urandom > "$work/authkey")
}

corosync_start() {
    local node
    corosync_configure "$1"
    for ((node = 1; node <= NODES; node++)); do
        # ip, unshare and sh each exec the next, so that $! is corosync itself.
        ip netns exec "$(netns_name $node)" unshare --mount --propagation private sh -c '
                mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib/corosync && mount -t tmpfs tmpfs /dev/shm &&
                exec corosync -f -c "$0"' "$work/corosync.conf" > "$work/$1.$node.log" 2>&1 &
        daemons+=($!)
        netns_own $!
    done
}

corosync_client() {
    local node=$1
    shift
    nsenter --target "${daemons[node - 1]}" --mount --net "$work/cpgload" --nodes $NODES "$@"
}

# ---- membership ----

# What mbr reports, under the names of cpgload.
membership_client() {
    local node=$1 what=(ring)
    shift
    [ "$system" = membership-cpg ] && what=(cpg --members $NODES --group "$kind-$size-$round" --timeout 30s)
    "$MBR" bench "${what[@]}" --json --socket "$work/n$node.sock" --warmup "${warmup}s" "$@" | jq -c --argjson node "$node" '
        def latency: if . == null then { count: 0, p50: 0, p99: 0, p999: 0 } else { count, p50, p99, p999: .p99_9 } end;
        { node: $node, size, outstanding, seconds, sent, cuts, messages_per_second: .delivered_per_s, megabytes_per_second: .mb_per_s,
          self_us: (.latency_us.self | latency), other_us: (.latency_us.other | latency), order_errors, view_changes }'
}

# ---- one case ----

# What one sender has to send a second for a share (percent) of what the system delivered in a case of this round.
paced_rate() {
    jq -s --argjson round "$round" --arg system "$system" --arg kind "${kind%-*}" --argjson size "$size" --argjson percent "${kind#*-}" --argjson senders "$([ "${kind%-*}" = all ] && echo $NODES || echo 1)" \
        '[.[] | select(.round == $round and .system == $system and .kind == $kind and .size == $size)] | last | ([.nodes[].messages_per_second] | min) * $percent / 100 / $senders | floor | if . < 1 then 1 else . end' "$rows"
}

# run_case ROUND SYSTEM KIND SIZE: KIND is one, all, lone, or one or all with -PERCENT.
run_case() {
    local round=$1 system=$2 kind=$3 size=$4 node flags clients=() status=0 cpu0 cpu1 user0 user1 family=${2%%-*}
    measure_wait_quiet
    cpu0=$(measure_cpu_ms "${daemons[@]}") user0=$(measure_user_ms)
    for ((node = NODES; node >= 1; node--)); do
        flags=(--size "$size" --seconds "$seconds")
        if [ "$family" = corosync ]; then flags+=(--group "$kind-$size-$round"); else flags=(--size "$size" --seconds "${seconds}s"); fi
        if [ "$kind" = lone ]; then
            flags+=(--outstanding 1)
        elif [[ $kind == *-* ]]; then
            flags+=(--rate "$(paced_rate)")
        elif [ "$family" = membership ]; then
            # The window closes over a sender's own deliveries, but the other senders may outrun its reader on a busy machine: the daemon then cuts it off ("cuts").
            flags+=(--outstanding $((size * WINDOW_MESSAGES > WINDOW_BYTES ? WINDOW_BYTES / size : WINDOW_MESSAGES)))
        fi
        if [ "${kind%-*}" != all ] && ((node > 1)); then flags+=(--receive-only); fi
        "${family}_client" $node "${flags[@]}" > "$work/client$node.json" 2> "$work/client$node.err" &
        clients+=($!)
    done
    for node in "${clients[@]}"; do wait "$node" || status=$?; done
    cpu1=$(measure_cpu_ms "${daemons[@]}") user1=$(measure_user_ms)
    if ((status)); then
        echo "run.sh: $system $kind $size, round $round: a client ended with $status: $(tail -qn 2 "$work"/client?.err)" >&2
    fi
    grep -h '^{' "$work"/client?.json | jq -sc --arg system "$system" --arg kind "$kind" --argjson size "$size" \
        --argjson round "$round" --argjson status "$status" --argjson daemon_cpu_ms $((cpu1 - cpu0)) --argjson user_ms $((user1 - user0)) \
        '{system: $system, kind: $kind, size: $size, round: $round, status: $status, daemon_cpu_ms: $daemon_cpu_ms,
          machine_user_ms: $user_ms, nodes: .}' >> "$rows"
}

gcc -O2 -Wall -Wextra -std=gnu11 -o "$work/cpgload" "$here/cpgload.c" -lcpg
netns_up $NODES
echo "logs and rows: $out" >&2
for ((round = 1; round <= rounds; round++)); do
    for system in ${systems//,/ }; do
        family=${system%%-*}
        "${family}_start" "$system"
        for size in ${sizes//,/ }; do
            run_case $round "$system" one "$size"
            run_case $round "$system" all "$size"
            [ "$paced:$family" = yes:membership ] || continue
            for kind in one-50 one-80 all-50 all-80; do run_case $round "$system" $kind "$size"; done
        done
        run_case $round "$system" lone 64
        run_case $round "$system" lone 1024
        echo "round $round: $system: scheduling $(chrt -p "${daemons[0]}" | sed -n 's/.*policy: //p')" >&2
        cluster_stop
    done
done

echo "$(measure_machine), MTU 1500, $NODES nodes, $rounds rounds of $seconds s, $(corosync -v | sed -n "1s/.*version '\(.*\)'.*/corosync \1/p")"
echo
jq -rs -f "$here/table.jq" "$rows"
