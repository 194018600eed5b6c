/*
 * cpgload: load on a closed process group of corosync, measured by the program that makes it.
 *
 *   cpgload --nodes N --size BYTES --seconds S [--group NAME] [--warmup S] [--outstanding K] [--receive-only]
 *
 * Joins the group (a new name per run keeps late leavers of the last one out), waits until N members are in it, sends messages of BYTES bytes for warm-up plus S seconds with at most K of
 * its own on their way (K = 0: as many as the library takes), and then reads on until the group is silent. What is
 * delivered between the end of the warm-up and the end of S seconds is counted. One line of JSON comes out:
 * deliveries per second here, latency from the call to the delivery for own messages ("self") and for those of others
 * (all nodes share one kernel, hence one monotonic clock), and the messages that broke a sender's order (must be 0).
 *
 * Exit: 0 ok, 1 order broken or the service failed, 6 the group never became complete, 64 usage.
 */
#include <corosync/cpg.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    EXIT_USAGE = 64,
    EXIT_NO_GROUP = 6,
    NODE_ID_MAX = 64,
    SIZE_MIN = 32,
    SIZE_MAX_BYTES = 1 << 20,
    BURST_MAX = 64,            /* calls before deliveries are looked at again */
    HISTOGRAM_STEPS = 32,      /* per power of two: at most 3.2 % off */
    HISTOGRAM_SLOTS = 64 * HISTOGRAM_STEPS,
};
static const int64_t SECOND = 1000000000;
static const int64_t GROUP_WAIT = 30 * 1000000000LL;
static const int64_t DRAIN_SILENCE = 400000000;
static const int64_t DRAIN_MAX = 8 * 1000000000LL;
static const uint32_t MAGIC = 0x6d627270;

struct header {
    uint32_t magic;
    uint32_t node;
    uint64_t number;
    int64_t sent_ns;
};

struct histogram {
    uint64_t count;
    uint64_t slots[HISTOGRAM_SLOTS];
};

static struct {
    int nodes, size, outstanding;
    double seconds, warmup;
    bool receive_only;
    const char *group;
} options = { .nodes = 3, .size = 64, .outstanding = 0, .seconds = 3, .warmup = 0.7, .group = "load" };

static struct {
    unsigned int self;
    size_t members;
    uint64_t sent, own_delivered, delivered, delivered_total, order_errors;
    uint64_t last[NODE_ID_MAX];
    int64_t window_start, window_end, last_delivery, longest_gap;
    struct histogram self_latency, other_latency;
} state;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

static unsigned int slot_of(uint64_t value)
{
    if (value < HISTOGRAM_STEPS)
        return (unsigned int)value;
    unsigned int top = 63 - (unsigned int)__builtin_clzll(value);
    unsigned int shift = top - 5;                       /* keep five bits below the highest */
    return (shift + 1) * HISTOGRAM_STEPS + (unsigned int)((value >> shift) & (HISTOGRAM_STEPS - 1));
}

static uint64_t value_of(unsigned int slot)
{
    if (slot < HISTOGRAM_STEPS)
        return slot;
    unsigned int shift = slot / HISTOGRAM_STEPS - 1;
    return (((uint64_t)HISTOGRAM_STEPS | (slot % HISTOGRAM_STEPS)) << shift) + ((1ULL << shift) >> 1);
}

static void record(struct histogram *histogram, int64_t value)
{
    histogram->count++;
    histogram->slots[slot_of(value < 0 ? 0 : (uint64_t)value)]++;
}

static double percentile_us(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)histogram->count), seen = 0;
    for (unsigned int slot = 0; slot < HISTOGRAM_SLOTS; slot++) {
        seen += histogram->slots[slot];
        if (seen > wanted)
            return (double)value_of(slot) / 1000.0;
    }
    return 0;
}

static void on_delivery(cpg_handle_t handle, const struct cpg_name *group, uint32_t node, uint32_t pid, void *message, size_t length)
{
    struct header header;
    (void)handle, (void)group, (void)pid;
    if (length < sizeof header)
        return;
    memcpy(&header, message, sizeof header);
    if (header.magic != MAGIC || node >= NODE_ID_MAX)
        return;

    int64_t now = now_ns();
    if (header.number != state.last[node] + 1)
        state.order_errors++;
    state.last[node] = header.number;
    state.delivered_total++;
    if (node == state.self)
        state.own_delivered++;
    if (state.window_start && now >= state.window_start && now < state.window_end) {
        state.delivered++;
        record(node == state.self ? &state.self_latency : &state.other_latency, now - header.sent_ns);
        if (state.last_delivery >= state.window_start && now - state.last_delivery > state.longest_gap)
            state.longest_gap = now - state.last_delivery;
    }
    state.last_delivery = now;
}

static void on_membership(cpg_handle_t handle, const struct cpg_name *group, const struct cpg_address *members, size_t count,
    const struct cpg_address *left, size_t left_count, const struct cpg_address *joined, size_t joined_count)
{
    (void)handle, (void)group, (void)members, (void)left, (void)left_count, (void)joined, (void)joined_count;
    state.members = count;
}

static void fail(const char *call, cs_error_t error)
{
    fprintf(stderr, "cpgload: %s failed with corosync error %d. Is corosync running in this namespace?\n", call, (int)error);
    exit(1);
}

static void dispatch(cpg_handle_t handle)
{
    cs_error_t error = cpg_dispatch(handle, CS_DISPATCH_ALL);
    if (error != CS_OK && error != CS_ERR_TRY_AGAIN)
        fail("cpg_dispatch", error);
}

/* One message; false when corosync takes none just now. */
static bool send_one(cpg_handle_t handle, char *buffer)
{
    struct header header = { MAGIC, state.self, state.sent + 1, now_ns() };
    struct iovec part = { buffer, (size_t)options.size };
    memcpy(buffer, &header, sizeof header);
    cs_error_t error = cpg_mcast_joined(handle, CPG_TYPE_AGREED, &part, 1);
    if (error == CS_ERR_TRY_AGAIN)
        return false;
    if (error != CS_OK)
        fail("cpg_mcast_joined", error);
    state.sent++;
    return true;
}

static void wait_for_group(cpg_handle_t handle, int fd)
{
    int64_t deadline = now_ns() + GROUP_WAIT;
    while (state.members < (size_t)options.nodes) {
        struct pollfd readable = { fd, POLLIN, 0 };
        if (now_ns() > deadline) {
            fprintf(stderr, "cpgload: %zu of %d members after 30 s\n", state.members, options.nodes);
            exit(EXIT_NO_GROUP);
        }
        poll(&readable, 1, 100);
        dispatch(handle);
    }
}

static void send_until_window_ends(cpg_handle_t handle, int fd, char *buffer)
{
    while (now_ns() < state.window_end) {
        bool sent = false;
        for (int i = 0; i < BURST_MAX && !options.receive_only; i++) {
            if (options.outstanding && state.sent - state.own_delivered >= (uint64_t)options.outstanding)
                break;
            if (!send_one(handle, buffer))
                break;
            sent = true;
        }
        struct pollfd readable = { fd, POLLIN, 0 };
        bool full = options.receive_only
            || (options.outstanding && state.sent - state.own_delivered >= (uint64_t)options.outstanding);
        if (poll(&readable, 1, full ? 100 : sent ? 0 : 1) > 0)
            dispatch(handle);
    }
}

static void drain(cpg_handle_t handle, int fd)
{
    int64_t deadline = now_ns() + DRAIN_MAX;
    state.last_delivery = now_ns();
    while (now_ns() < deadline && (now_ns() - state.last_delivery < DRAIN_SILENCE || state.own_delivered < state.sent)) {
        struct pollfd readable = { fd, POLLIN, 0 };
        if (poll(&readable, 1, 50) > 0)
            dispatch(handle);
    }
}

static void print_result(void)
{
    struct rusage usage;
    double per_second = (double)state.delivered / options.seconds;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"node\":%u,\"size\":%d,\"outstanding\":%d,\"seconds\":%g,\"sent\":%" PRIu64 ",\"own_delivered\":%" PRIu64
        ",\"delivered\":%" PRIu64 ",\"delivered_total\":%" PRIu64 ",\"messages_per_second\":%.1f,\"megabytes_per_second\":%.3f"
        ",\"self_us\":{\"count\":%" PRIu64 ",\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f}"
        ",\"other_us\":{\"count\":%" PRIu64 ",\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f}"
        ",\"longest_gap_ms\":%.2f,\"order_errors\":%" PRIu64 ",\"client_user_s\":%.3f,\"client_system_s\":%.3f}\n",
        state.self, options.size, options.outstanding, options.seconds, state.sent, state.own_delivered,
        state.delivered, state.delivered_total, per_second, per_second * options.size / 1e6,
        state.self_latency.count, percentile_us(&state.self_latency, 0.50), percentile_us(&state.self_latency, 0.99),
        percentile_us(&state.self_latency, 0.999),
        state.other_latency.count, percentile_us(&state.other_latency, 0.50), percentile_us(&state.other_latency, 0.99),
        percentile_us(&state.other_latency, 0.999),
        (double)state.longest_gap / 1e6, state.order_errors,
        (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6,
        (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6);
}

static void usage(const char *problem)
{
    fprintf(stderr, "cpgload: %s\nusage: cpgload --nodes N --size %d..%d --seconds S [--group NAME] [--warmup S] [--outstanding K] [--receive-only]\n",
        problem, SIZE_MIN, SIZE_MAX_BYTES);
    exit(EXIT_USAGE);
}

static void parse(int argc, char **argv)
{
    static const struct option longs[] = {
        { "nodes", required_argument, 0, 'n' }, { "size", required_argument, 0, 's' },
        { "seconds", required_argument, 0, 't' }, { "warmup", required_argument, 0, 'w' },
        { "outstanding", required_argument, 0, 'o' }, { "receive-only", no_argument, 0, 'r' },
        { "group", required_argument, 0, 'g' }, { 0, 0, 0, 0 },
    };
    int letter;
    while ((letter = getopt_long(argc, argv, "", longs, 0)) != -1) {
        switch (letter) {
        case 'n': options.nodes = atoi(optarg); break;
        case 's': options.size = atoi(optarg); break;
        case 't': options.seconds = atof(optarg); break;
        case 'w': options.warmup = atof(optarg); break;
        case 'o': options.outstanding = atoi(optarg); break;
        case 'g': options.group = optarg; break;
        case 'r': options.receive_only = true; break;
        default: usage("unknown option");
        }
    }
    if (optind < argc) usage("unexpected argument");
    if (options.size < SIZE_MIN || options.size > SIZE_MAX_BYTES) usage("--size is out of range");
    if (strlen(options.group) < 1 || strlen(options.group) >= CPG_MAX_NAME_LENGTH) usage("--group is out of range");
    if (options.nodes < 1 || options.nodes >= NODE_ID_MAX) usage("--nodes is out of range");
    if (options.seconds <= 0 || options.warmup < 0 || options.outstanding < 0) usage("a number is out of range");
}

int main(int argc, char **argv)
{
    cpg_callbacks_t callbacks = { on_delivery, on_membership };
    struct cpg_name group = { 0 };
    cpg_handle_t handle;
    cs_error_t error;
    int fd;

    parse(argc, argv);
    group.length = (uint32_t)snprintf(group.value, sizeof group.value, "%s", options.group);
    char *buffer = calloc(1, (size_t)options.size);
    if (!buffer)
        return 1;
    if ((error = cpg_initialize(&handle, &callbacks)) != CS_OK) fail("cpg_initialize", error);
    if ((error = cpg_local_get(handle, &state.self)) != CS_OK) fail("cpg_local_get", error);
    if ((error = cpg_fd_get(handle, &fd)) != CS_OK) fail("cpg_fd_get", error);
    while ((error = cpg_join(handle, &group)) == CS_ERR_TRY_AGAIN)
        usleep(10000);
    if (error != CS_OK) fail("cpg_join", error);

    wait_for_group(handle, fd);
    state.window_start = now_ns() + (int64_t)(options.warmup * 1e9);
    state.window_end = state.window_start + (int64_t)(options.seconds * 1e9);
    send_until_window_ends(handle, fd, buffer);
    drain(handle, fd);
    print_result();
    cpg_finalize(handle);
    free(buffer);
    return state.order_errors || state.own_delivered < state.sent ? 1 : 0;
}
