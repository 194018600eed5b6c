# Network namespaces for benchmarks; source it, call netns_up, and everything it made is gone when the shell ends.
#
#   netns_require TOOL...    ends the shell with 77 unless it is root and ip and these tools are there
#   netns_up NODES [LINKS]   makes a bridge per link in a namespace of its own and one namespace per node
#   netns_name I             name of node I's namespace (I from 1)
#   netns_address I [LINK]   its IPv4 address on that link (link 0 is the first)
#   netns_own PID            a process started here; it is ended, by id, before the namespaces go
#   netns_exec I CMD...      runs CMD in node I's namespace
#   netns_down               removes everything now; also runs at exit
#
# Names carry this shell's process id, so that several runs stand side by side. Addresses (10.99.LINK.I) exist only inside
# these namespaces. Needs root and iproute2.

NETNS_TAG="mb$$"
NETNS_LINKS_MAX=8
NETNS_NODES=0
NETNS_PIDS=()

netns_name() { echo "${NETNS_TAG}n$1"; }

netns_address() { echo "10.99.${2:-0}.$1"; }

netns_exec() {
    local node=$1
    shift
    ip netns exec "$(netns_name "$node")" "$@"
}

netns_own() { NETNS_PIDS+=("$1"); }

netns_require() {
    local tool
    ((EUID == 0)) || { echo "${0##*/}: namespaces need root." >&2; exit 77; }
    for tool in ip "$@"; do
        command -v "$tool" > /dev/null || { echo "${0##*/}: $tool is missing." >&2; exit 77; }
    done
}

netns_up() {
    local nodes=$1 links=${2:-1} link node
    if ((links < 1 || links > NETNS_LINKS_MAX)); then
        echo "netns_up: $links links asked for; 1 to $NETNS_LINKS_MAX are possible." >&2
        return 64
    fi
    trap netns_down EXIT
    trap 'exit 130' INT TERM
    ip netns add "${NETNS_TAG}br"
    # The firewall hook of bridges costs 15-18 % of the packet rate and would be measured instead of the daemons.
    ip netns exec "${NETNS_TAG}br" sh -c 'for f in /proc/sys/net/bridge/bridge-nf-call-*; do [ -e "$f" ] && echo 0 > "$f"; done; true'
    for ((link = 0; link < links; link++)); do
        ip -n "${NETNS_TAG}br" link add "br$link" type bridge stp_state 0 forward_delay 0 mcast_snooping 0
        ip -n "${NETNS_TAG}br" link set "br$link" mtu 1500 up
    done
    for ((node = 1; node <= nodes; node++)); do
        NETNS_NODES=$node
        ip netns add "$(netns_name "$node")"
        ip -n "$(netns_name "$node")" link set lo up
        for ((link = 0; link < links; link++)); do
            ip link add "l$link" netns "$(netns_name "$node")" mtu 1500 type veth \
                peer name "v${node}l$link" netns "${NETNS_TAG}br" mtu 1500
            ip -n "${NETNS_TAG}br" link set "v${node}l$link" master "br$link" up
            ip -n "$(netns_name "$node")" address add "$(netns_address "$node" "$link")/24" dev "l$link"
            ip -n "$(netns_name "$node")" link set "l$link" up
        done
    done
}

# Ends a process by id: politely, then after two seconds for certain.
netns_end() {
    local pid=$1 tries
    kill "$pid" 2>/dev/null || return 0
    for ((tries = 0; tries < 40; tries++)); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.05
    done
    kill -9 "$pid" 2>/dev/null || true
}

netns_down() {
    local pid node
    for pid in "${NETNS_PIDS[@]}"; do netns_end "$pid"; done
    NETNS_PIDS=()
    for ((node = 1; node <= NETNS_NODES; node++)); do
        ip netns delete "$(netns_name "$node")" 2>/dev/null || true
    done
    NETNS_NODES=0
    if ip netns list | grep -qw "${NETNS_TAG}br"; then ip netns delete "${NETNS_TAG}br"; fi
    if ip netns list | grep -q "^${NETNS_TAG}"; then
        echo "netns_down: namespaces are left behind: $(ip netns list | grep "^${NETNS_TAG}" | tr '\n' ' ')" >&2
        return 1
    fi
}
