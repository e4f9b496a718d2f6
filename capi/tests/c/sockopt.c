/* Options: defaults, ranges, sizes. */
#include <stdint.h>

#include "test.h"

static void *ctx;

struct number {
    int option;
    int type;
    int initial;
    int valid[4];
    int invalid[3];
};

/* A value that ends a list. */
#define END -12345

static const struct number numbers[] = {
  {ZMQ_RATE, ZMQ_PUB, 100, {1, 5000, END}, {0, -1, END}},
  {ZMQ_RECOVERY_IVL, ZMQ_PUB, 10000, {0, 1, END}, {-1, END}},
  {ZMQ_SNDBUF, ZMQ_PUSH, -1, {0, 65536, -1, END}, {-2, END}},
  {ZMQ_RCVBUF, ZMQ_PULL, -1, {0, 65536, -1, END}, {-2, END}},
  {ZMQ_LINGER, ZMQ_PUSH, -1, {0, 1000, -1, END}, {-2, END}},
  {ZMQ_LINGER, ZMQ_SUB, 0, {1000, END}, {END}},
  {ZMQ_LINGER, ZMQ_XSUB, 0, {END}, {END}},
  {ZMQ_RECONNECT_IVL, ZMQ_PUSH, 100, {0, -1, 5, END}, {-2, END}},
  {ZMQ_RECONNECT_IVL_MAX, ZMQ_PUSH, 0, {1, 1000, 0, END}, {-1, END}},
  {ZMQ_BACKLOG, ZMQ_PUSH, 100, {0, 1, END}, {-1, END}},
  {ZMQ_SNDHWM, ZMQ_PUSH, 1000, {0, 1, 2000000000, END}, {-1, END}},
  {ZMQ_RCVHWM, ZMQ_PULL, 1000, {0, 1, 2000000000, END}, {-1, END}},
  {ZMQ_MULTICAST_HOPS, ZMQ_PUB, 1, {2, END}, {0, -1, END}},
  {ZMQ_MULTICAST_MAXTPDU, ZMQ_PUB, 1500, {2, END}, {0, -1, END}},
  {ZMQ_RCVTIMEO, ZMQ_PULL, -1, {0, 1000, -1, END}, {-2, END}},
  {ZMQ_SNDTIMEO, ZMQ_PUSH, -1, {0, 1000, -1, END}, {-2, END}},
  {ZMQ_IPV4ONLY, ZMQ_PUSH, 1, {0, 1, END}, {2, -1, END}},
  {ZMQ_IPV6, ZMQ_PUSH, 0, {1, 0, END}, {2, -1, END}},
  {ZMQ_TCP_KEEPALIVE, ZMQ_PUSH, -1, {0, 1, -1, END}, {2, -2, END}},
  {ZMQ_TCP_KEEPALIVE_CNT, ZMQ_PUSH, -1, {5, -1, END}, {-2, END}},
  {ZMQ_TCP_KEEPALIVE_IDLE, ZMQ_PUSH, -1, {5, -1, END}, {-2, END}},
  {ZMQ_TCP_KEEPALIVE_INTVL, ZMQ_PUSH, -1, {5, -1, END}, {-2, END}},
  {ZMQ_IMMEDIATE, ZMQ_PUSH, 0, {1, 0, END}, {2, -1, END}},
  {ZMQ_CONFLATE, ZMQ_PUSH, 0, {1, 0, END}, {2, -1, END}},
  {ZMQ_CONFLATE, ZMQ_ROUTER, 0, {1, 0, END}, {2, -1, END}},
  {ZMQ_TOS, ZMQ_PUSH, 0, {0x28, 0, END}, {-1, END}},
  {ZMQ_HANDSHAKE_IVL, ZMQ_PUSH, 30000, {0, 1000, END}, {-1, END}},
  {ZMQ_INVERT_MATCHING, ZMQ_PUB, 0, {1, 0, END}, {END}},
  {ZMQ_INVERT_MATCHING, ZMQ_PUSH, 0, {1, 0, END}, {END}},
  {ZMQ_HEARTBEAT_IVL, ZMQ_PUSH, 0, {1000, 0, END}, {-1, END}},
  {ZMQ_HEARTBEAT_TTL, ZMQ_PUSH, 0, {100, 6553500, 0, END}, {-1, 6553600, END}},
  {ZMQ_HEARTBEAT_TIMEOUT, ZMQ_PUSH, -1, {1000, 1, END}, {-1, -2, END}},
  {ZMQ_CONNECT_TIMEOUT, ZMQ_PUSH, 0, {1000, 0, END}, {-1, END}},
  {ZMQ_TCP_MAXRT, ZMQ_PUSH, 0, {1000, 0, END}, {-1, END}},
  {ZMQ_LOOPBACK_FASTPATH, ZMQ_PUSH, 0, {1, 0, END}, {END}},
  {ZMQ_MULTICAST_LOOP, ZMQ_PUB, 1, {0, 1, END}, {END}},
  {ZMQ_RECONNECT_STOP, ZMQ_PUSH, 0, {1, 7, 0, END}, {END}},
  {ZMQ_PRIORITY, ZMQ_PUSH, 0, {5, 0, END}, {-1, END}},
  {ZMQ_IN_BATCH_SIZE, ZMQ_PUSH, 8192, {1, 262144, 2147483647, END}, {0, -1, END}},
  {ZMQ_OUT_BATCH_SIZE, ZMQ_PUSH, 8192, {1, 262144, 2147483647, END}, {0, -1, END}},
};

static void number (const struct number *about)
{
    void *socket = socket_of (ctx, about->type);
    if (about->option == ZMQ_RCVTIMEO || about->option == ZMQ_SNDTIMEO)
        OK (set_int (socket, about->option, -1));
    int last = about->initial;
    if (int_option (socket, about->option) != last) {
        fprintf (stderr, "option %d is %d at first\n", about->option,
                 int_option (socket, about->option));
        exit (1);
    }
    for (const int *value = about->valid; *value != END; value++) {
        if (set_int (socket, about->option, *value) != 0) {
            fprintf (stderr, "option %d does not take %d\n", about->option, *value);
            exit (1);
        }
        last = *value;
        IS (int_option (socket, about->option), last);
    }
    for (const int *value = about->invalid; *value != END; value++) {
        if (set_int (socket, about->option, *value) != -1 || errno != EINVAL) {
            fprintf (stderr, "option %d takes %d\n", about->option, *value);
            exit (1);
        }
        IS (int_option (socket, about->option), last);
    }
    /* An int is four bytes. */
    char bytes[8] = {0};
    FAILS (zmq_setsockopt (socket, about->option, bytes, 3), EINVAL);
    FAILS (zmq_setsockopt (socket, about->option, bytes, 8), EINVAL);
    FAILS (zmq_setsockopt (socket, about->option, NULL, 0), EINVAL);
    FAILS (zmq_setsockopt (socket, about->option, NULL, 4), EINVAL);
    size_t len = 3;
    FAILS (zmq_getsockopt (socket, about->option, bytes, &len), EINVAL);
    len = 8;
    FAILS (zmq_getsockopt (socket, about->option, bytes, &len), EINVAL);
    OK (zmq_close (socket));
}

static void rounded (void)
{
    void *socket = socket_of (ctx, ZMQ_PUSH);
    OK (set_int (socket, ZMQ_HEARTBEAT_TTL, 1999));
    IS (int_option (socket, ZMQ_HEARTBEAT_TTL), 1900);
    OK (set_int (socket, ZMQ_HEARTBEAT_TTL, 99));
    IS (int_option (socket, ZMQ_HEARTBEAT_TTL), 0);
    OK (zmq_close (socket));
}

static void long_numbers (void)
{
    void *socket = socket_of (ctx, ZMQ_PULL);
    uint64_t affinity = 77;
    int64_t size = 77;
    size_t len = sizeof affinity;
    OK (zmq_getsockopt (socket, ZMQ_AFFINITY, &affinity, &len));
    IS (affinity, 0);
    affinity = 2;
    OK (zmq_setsockopt (socket, ZMQ_AFFINITY, &affinity, sizeof affinity));
    FAILS (zmq_setsockopt (socket, ZMQ_AFFINITY, &affinity, 4), EINVAL);
    FAILS (zmq_bind (socket, "tcp://127.0.0.1:*"), EMTHREAD);
    OK (zmq_getsockopt (socket, ZMQ_MAXMSGSIZE, &size, &len));
    IS (size, -1);
    size = 100;
    OK (zmq_setsockopt (socket, ZMQ_MAXMSGSIZE, &size, sizeof size));
    size = 0;
    OK (zmq_getsockopt (socket, ZMQ_MAXMSGSIZE, &size, &len));
    IS (size, 100);
    size = -1;
    OK (zmq_setsockopt (socket, ZMQ_MAXMSGSIZE, &size, sizeof size));
    OK (zmq_getsockopt (socket, ZMQ_MAXMSGSIZE, &size, &len));
    IS (size, -1);
    FAILS (zmq_setsockopt (socket, ZMQ_MAXMSGSIZE, &size, 4), EINVAL);
    len = 4;
    FAILS (zmq_getsockopt (socket, ZMQ_MAXMSGSIZE, &size, &len), EINVAL);
    OK (zmq_close (socket));
}

static void bytes (void)
{
    void *socket = socket_of (ctx, ZMQ_DEALER);
    char found[300];
    memset (found, 'x', sizeof found);
    size_t len = sizeof found;
    OK (zmq_getsockopt (socket, ZMQ_ROUTING_ID, found, &len));
    IS (len, 0);
    OK (zmq_setsockopt (socket, ZMQ_ROUTING_ID, "a\0b", 3));
    len = sizeof found;
    memset (found, 'x', sizeof found);
    OK (zmq_getsockopt (socket, ZMQ_ROUTING_ID, found, &len));
    IS (len, 3);
    CHECK (memcmp (found, "a\0b", 3) == 0);
    /* What is behind it is zeroed. */
    for (size_t n = 3; n < sizeof found; n++)
        IS (found[n], 0);
    len = 2;
    FAILS (zmq_getsockopt (socket, ZMQ_ROUTING_ID, found, &len), EINVAL);
    FAILS (zmq_setsockopt (socket, ZMQ_ROUTING_ID, found, 0), EINVAL);
    memset (found, 'y', sizeof found);
    FAILS (zmq_setsockopt (socket, ZMQ_ROUTING_ID, found, 256), EINVAL);
    OK (zmq_setsockopt (socket, ZMQ_ROUTING_ID, found, 255));

    len = sizeof found;
    OK (zmq_getsockopt (socket, ZMQ_LAST_ENDPOINT, found, &len));
    IS (len, 1);
    OK (zmq_bind (socket, "inproc://bytes"));
    len = sizeof found;
    memset (found, 'x', sizeof found);
    OK (zmq_getsockopt (socket, ZMQ_LAST_ENDPOINT, found, &len));
    CHECK (strcmp (found, "inproc://bytes") == 0);
    IS (len, 15);
    for (size_t n = 15; n < sizeof found; n++)
        IS (found[n], 0);
    len = 14;
    FAILS (zmq_getsockopt (socket, ZMQ_LAST_ENDPOINT, found, &len), EINVAL);

    len = sizeof found;
    OK (zmq_getsockopt (socket, ZMQ_BINDTODEVICE, found, &len));
    CHECK (strcmp (found, "") == 0);
    OK (zmq_setsockopt (socket, ZMQ_BINDTODEVICE, "lo", 2));
    len = sizeof found;
    OK (zmq_getsockopt (socket, ZMQ_BINDTODEVICE, found, &len));
    CHECK (strcmp (found, "lo") == 0);
    OK (zmq_setsockopt (socket, ZMQ_BINDTODEVICE, NULL, 0));
    len = sizeof found;
    OK (zmq_getsockopt (socket, ZMQ_BINDTODEVICE, found, &len));
    CHECK (strcmp (found, "") == 0);
    OK (zmq_close (socket));
}

/* Options that can be set and not got. */
static void flags (void)
{
    const struct { int option; int type; int other; } all[] = {
      {ZMQ_ROUTER_MANDATORY, ZMQ_ROUTER, ZMQ_PUSH}, {ZMQ_ROUTER_HANDOVER, ZMQ_ROUTER, ZMQ_PUSH},
      {ZMQ_PROBE_ROUTER, ZMQ_DEALER, ZMQ_PUSH}, {ZMQ_REQ_CORRELATE, ZMQ_REQ, ZMQ_DEALER},
      {ZMQ_REQ_RELAXED, ZMQ_REQ, ZMQ_DEALER}, {ZMQ_XPUB_VERBOSE, ZMQ_XPUB, ZMQ_SUB},
      {ZMQ_XPUB_VERBOSER, ZMQ_XPUB, ZMQ_SUB}, {ZMQ_XPUB_MANUAL, ZMQ_XPUB, ZMQ_SUB},
      {ZMQ_XPUB_NODROP, ZMQ_PUB, ZMQ_SUB}, {ZMQ_ROUTER_RAW, ZMQ_ROUTER, ZMQ_PUSH},
      {ZMQ_ONLY_FIRST_SUBSCRIBE, ZMQ_XPUB, ZMQ_PUSH}};
    for (size_t n = 0; n < sizeof all / sizeof *all; n++) {
        void *socket = socket_of (ctx, all[n].type);
        OK (set_int (socket, all[n].option, 1));
        OK (set_int (socket, all[n].option, 0));
        FAILS (set_int (socket, all[n].option, -1), EINVAL);
        FAILS (zmq_setsockopt (socket, all[n].option, "", 1), EINVAL);
        int value;
        size_t len = sizeof value;
        FAILS (zmq_getsockopt (socket, all[n].option, &value, &len), EINVAL);
        OK (zmq_close (socket));
        socket = socket_of (ctx, all[n].other);
        FAILS (set_int (socket, all[n].option, 1), EINVAL);
        OK (zmq_close (socket));
    }
    void *stream = socket_of (ctx, ZMQ_STREAM);
    OK (set_int (stream, ZMQ_STREAM_NOTIFY, 0));
    FAILS (set_int (stream, ZMQ_STREAM_NOTIFY, 2), EINVAL);
    OK (zmq_close (stream));
}

static void subscriptions (void)
{
    void *sub = socket_of (ctx, ZMQ_SUB);
    OK (zmq_setsockopt (sub, ZMQ_SUBSCRIBE, "", 0));
    OK (zmq_setsockopt (sub, ZMQ_SUBSCRIBE, NULL, 0));
    OK (zmq_setsockopt (sub, ZMQ_SUBSCRIBE, "topic", 5));
    OK (zmq_setsockopt (sub, ZMQ_UNSUBSCRIBE, "topic", 5));
    OK (zmq_setsockopt (sub, ZMQ_UNSUBSCRIBE, "never", 5));
    FAILS (zmq_setsockopt (sub, ZMQ_SUBSCRIBE, NULL, 5), EINVAL);
    OK (zmq_close (sub));
    void *push = socket_of (ctx, ZMQ_PUSH);
    FAILS (zmq_setsockopt (push, ZMQ_SUBSCRIBE, "", 0), EINVAL);
    OK (zmq_close (push));
    void *pub = socket_of (ctx, ZMQ_PUB);
    OK (zmq_setsockopt (pub, ZMQ_XPUB_WELCOME_MSG, "hello", 5));
    OK (zmq_setsockopt (pub, ZMQ_XPUB_WELCOME_MSG, NULL, 0));
    OK (zmq_close (pub));
}

static void filters (void)
{
    void *socket = socket_of (ctx, ZMQ_PULL);
    OK (zmq_setsockopt (socket, ZMQ_TCP_ACCEPT_FILTER, "127.0.0.0/8", 11));
    OK (zmq_setsockopt (socket, ZMQ_TCP_ACCEPT_FILTER, "::1", 3));
    FAILS (zmq_setsockopt (socket, ZMQ_TCP_ACCEPT_FILTER, "nonsense", 8), EINVAL);
    FAILS (zmq_setsockopt (socket, ZMQ_TCP_ACCEPT_FILTER, "1.2.3.4/33", 10), EINVAL);
    OK (zmq_setsockopt (socket, ZMQ_TCP_ACCEPT_FILTER, NULL, 0));
    OK (set_int (socket, ZMQ_IPC_FILTER_PID, 1));
    OK (set_int (socket, ZMQ_IPC_FILTER_UID, 1));
    OK (set_int (socket, ZMQ_IPC_FILTER_GID, 1));
    OK (zmq_setsockopt (socket, ZMQ_IPC_FILTER_PID, NULL, 0));
    OK (zmq_setsockopt (socket, ZMQ_IPC_FILTER_UID, NULL, 0));
    OK (zmq_setsockopt (socket, ZMQ_IPC_FILTER_GID, NULL, 0));
    FAILS (zmq_setsockopt (socket, ZMQ_IPC_FILTER_GID, "x", 1), EINVAL);
    /* Only a NULL takes back what was set. */
    const int options[] = {ZMQ_TCP_ACCEPT_FILTER, ZMQ_IPC_FILTER_PID, ZMQ_IPC_FILTER_UID,
                           ZMQ_IPC_FILTER_GID, ZMQ_BINDTODEVICE};
    for (size_t n = 0; n < sizeof options / sizeof *options; n++)
        FAILS (zmq_setsockopt (socket, options[n], "", 0), EINVAL);
    OK (zmq_close (socket));
}

static void metadata (void)
{
    void *socket = socket_of (ctx, ZMQ_PULL);
    OK (zmq_setsockopt (socket, ZMQ_METADATA, "X-name:value", 12));
    const char *const bad[] = {"name:value", "X-:value", "X-name:", "X-name", "", "x-name:value"};
    for (size_t n = 0; n < sizeof bad / sizeof *bad; n++)
        FAILS (zmq_setsockopt (socket, ZMQ_METADATA, bad[n], strlen (bad[n])), EINVAL);
    OK (zmq_close (socket));
}

static void read_only (void)
{
    void *socket = socket_of (ctx, ZMQ_PULL);
    const int all[] = {ZMQ_RCVMORE, ZMQ_FD, ZMQ_EVENTS, ZMQ_TYPE, ZMQ_MECHANISM, ZMQ_THREAD_SAFE};
    for (size_t n = 0; n < sizeof all / sizeof *all; n++) {
        int_option (socket, all[n]);
        FAILS (set_int (socket, all[n], 1), EINVAL);
    }
    FAILS (zmq_setsockopt (socket, ZMQ_LAST_ENDPOINT, "x", 1), EINVAL);
    const int unused[] = {0, 1, 2, 3, 10, 20, 26, 29, 30, 67, 82, 83, 125, 1000, -1};
    for (size_t n = 0; n < sizeof unused / sizeof *unused; n++) {
        int value;
        size_t len = sizeof value;
        FAILS (set_int (socket, unused[n], 1), EINVAL);
        FAILS (zmq_getsockopt (socket, unused[n], &value, &len), EINVAL);
    }
    /* Of features that the library does not have. */
    const int absent[] = {ZMQ_GSSAPI_SERVER, ZMQ_VMCI_CONNECT_TIMEOUT, ZMQ_NORM_MODE,
                          ZMQ_WSS_TRUST_SYSTEM};
    for (size_t n = 0; n < sizeof absent / sizeof *absent; n++)
        FAILS (set_int (socket, absent[n], 1), EINVAL);
    IS (int_option (socket, ZMQ_MECHANISM), ZMQ_NULL);
    IS (int_option (socket, ZMQ_THREAD_SAFE), 0);
    int value;
    size_t len = sizeof value;
    FAILS (zmq_getsockopt (socket, ZMQ_LINGER, &value, NULL), EINVAL);
    FAILS (zmq_getsockopt (NULL, ZMQ_LINGER, &value, &len), ENOTSOCK);
    FAILS (set_int (NULL, ZMQ_LINGER, 1), ENOTSOCK);
    OK (zmq_close (socket));
}

static void events (void)
{
    const int idle_out[] = {ZMQ_PUB, ZMQ_ROUTER, ZMQ_XPUB, ZMQ_XSUB, ZMQ_STREAM};
    for (int type = ZMQ_PAIR; type <= ZMQ_STREAM; type++) {
        void *socket = socket_of (ctx, type);
        int expected = 0;
        for (size_t n = 0; n < sizeof idle_out / sizeof *idle_out; n++)
            expected |= idle_out[n] == type ? ZMQ_POLLOUT : 0;
        if (int_option (socket, ZMQ_EVENTS) != expected) {
            fprintf (stderr, "an idle socket of type %d has events\n", type);
            exit (1);
        }
        OK (zmq_close (socket));
    }
}

/* What is no option of the connections but of the socket fits into more room, and zeroes the rest. */
static void room_to_spare (void)
{
    const int all[] = {ZMQ_RCVMORE, ZMQ_EVENTS, ZMQ_FD, ZMQ_THREAD_SAFE, ZMQ_TOPICS_COUNT};
    void *sub = socket_of (ctx, ZMQ_SUB);
    for (size_t n = 0; n < sizeof all / sizeof *all; n++) {
        int64_t value = -1;
        size_t len = sizeof value;
        OK (zmq_getsockopt (sub, all[n], &value, &len));
        IS (len, sizeof (int));
        CHECK (value >= 0 && value < 65536);
        len = sizeof (int) - 1;
        FAILS (zmq_getsockopt (sub, all[n], &value, &len), EINVAL);
    }
    int64_t value;
    size_t len = sizeof value;
    FAILS (zmq_getsockopt (sub, ZMQ_TYPE, &value, &len), EINVAL);
    OK (zmq_close (sub));
}

int main (void)
{
    begin ();
    ctx = zmq_ctx_new ();
    for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++)
        number (&numbers[n]);
    rounded ();
    long_numbers ();
    bytes ();
    flags ();
    subscriptions ();
    filters ();
    metadata ();
    read_only ();
    events ();
    room_to_spare ();
    OK (zmq_ctx_term (ctx));
    return 0;
}
