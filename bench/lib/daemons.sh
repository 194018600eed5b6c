# Daemons of this project in the namespaces of netns.sh; source it after netns.sh, with NODES, root and work set.
#
#   membership_start   writes a configuration and a key to $work, starts a daemon in each of $NODES namespaces, waits for their view
#   cluster_stop       ends the daemons in daemons=(), by id
#
# MBR and MEMBERSHIPD name the programs; $work/nI.sock is node I's socket, $work/membership.I.log its log.

CLUSTER_WAIT_S=30
MBR=${MBR:-$root/mbr}
MEMBERSHIPD=${MEMBERSHIPD:-$root/membershipd}
daemons=()

membership_configure() {
    local node
    {
        echo "cluster: bench"
        echo "key_file: bench.key"
        echo "timing: lan"
        echo "quorum: { mode: majority }"
        echo "nodes:"
        for ((node = 1; node <= NODES; node++)); do
            echo "  - { name: n$node, id: $node, links: [\"$(netns_address $node):5405\"] }"
        done
    } > "$work/membership.yaml"
    [ -e "$work/bench.key" ] || (umask 077 && echo "1 active $(head -c 32 /dev/urandom | base64)" > "$work/bench.key")
}

membership_start() {
    local node deadline
    membership_configure
    for ((node = 1; node <= NODES; node++)); do
        mkdir -p "$work/state$node"
        ip netns exec "$(netns_name $node)" "$MEMBERSHIPD" --config "$work/membership.yaml" --node "n$node" \
            --state-dir "$work/state$node" --socket "$work/n$node.sock" > "$work/membership.$node.log" 2>&1 &
        daemons+=($!)
        netns_own $!
    done
    deadline=$((SECONDS + CLUSTER_WAIT_S))
    until [ "$("$MBR" status --json --socket "$work/n1.sock" 2> /dev/null | jq '.view.members | length' 2> /dev/null)" = $NODES ]; do
        ((SECONDS < deadline)) || { echo "no view of $NODES members after $CLUSTER_WAIT_S s; logs are in $work" >&2; exit 1; }
        sleep 0.1
    done
}

cluster_stop() {
    local pid
    for pid in "${daemons[@]}"; do netns_end "$pid"; wait "$pid" 2> /dev/null || true; done
    daemons=()
    NETNS_PIDS=()
}
