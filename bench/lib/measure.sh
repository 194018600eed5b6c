# What benchmarks ask of the machine; source it.
#
#   measure_cpu_ms PID...   user and system time of these processes so far, all threads, in milliseconds
#   measure_user_ms         user time of the whole machine so far, in milliseconds
#   measure_wait_quiet      waits, for a while, until others leave the processors alone
#   measure_machine         one line about the hardware and the kernel

MEASURE_QUIET_TRIES=${MEASURE_QUIET_TRIES:-10}       # looks of 0.5 s before measuring goes on regardless
MEASURE_QUIET_USER_MS=100                            # user time in one look that still counts as quiet
MEASURE_TICK_MS=$((1000 / $(getconf CLK_TCK)))

measure_cpu_ms() {
    local pid line fields sum=0
    for pid in "$@"; do
        line=$(< "/proc/$pid/stat")
        fields=(${line##*) })
        sum=$((sum + fields[11] + fields[12]))
    done
    echo $((sum * MEASURE_TICK_MS))
}

measure_user_ms() {
    local fields
    read -ra fields < /proc/stat
    echo $(((fields[1] + fields[2]) * MEASURE_TICK_MS))
}

measure_wait_quiet() {
    local tries before
    for ((tries = 0; tries < MEASURE_QUIET_TRIES; tries++)); do
        before=$(measure_user_ms)
        sleep 0.5
        (($(measure_user_ms) - before <= MEASURE_QUIET_USER_MS)) && return 0
    done
    return 0
}

measure_machine() {
    echo "$(nproc) cores ($(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)), Linux $(uname -r)"
}
