/* zmq_socket_monitor and its versions. */
#include "test.h"

static void *ctx;

/* Reads an event of the first version. */
static int event_of (void *monitor, uint32_t *value, char *address)
{
    unsigned char bytes[6];
    IS (zmq_recv (monitor, bytes, sizeof bytes, 0), 6);
    IS (int_option (monitor, ZMQ_RCVMORE), 1);
    int len = zmq_recv (monitor, address, 256, 0);
    CHECK (len >= 0);
    address[len] = 0;
    IS (int_option (monitor, ZMQ_RCVMORE), 0);
    uint16_t event;
    memcpy (&event, bytes, sizeof event);
    memcpy (value, bytes + 2, sizeof *value);
    return event;
}

static void expect (void *monitor, int event, const char *address)
{
    uint32_t value;
    char found[256];
    IS (event_of (monitor, &value, found), event);
    if (strcmp (found, address) != 0) {
        fprintf (stderr, "event 0x%x is about \"%s\" and not \"%s\"\n", event, found, address);
        exit (1);
    }
    if (event == ZMQ_EVENT_LISTENING || event == ZMQ_EVENT_ACCEPTED || event == ZMQ_EVENT_CONNECTED)
        CHECK (value > 2);
}

static void *monitored (void *socket, const char *address, int events)
{
    OK (zmq_socket_monitor (socket, address, events));
    void *monitor = socket_of (ctx, ZMQ_PAIR);
    OK (zmq_connect (monitor, address));
    return monitor;
}

static void arguments (void)
{
    void *socket = socket_of (ctx, ZMQ_PULL);
    FAILS (zmq_socket_monitor (NULL, "inproc://m", ZMQ_EVENT_ALL), ENOTSOCK);
    FAILS (zmq_socket_monitor (socket, "tcp://127.0.0.1:*", ZMQ_EVENT_ALL), EPROTONOSUPPORT);
    FAILS (zmq_socket_monitor (socket, "m", ZMQ_EVENT_ALL), EINVAL);
    FAILS (zmq_socket_monitor (socket, "inproc://m", 0x10000), EINVAL);
    FAILS (zmq_socket_monitor_versioned (socket, "inproc://m", 1, 3, ZMQ_PAIR), EINVAL);
    FAILS (zmq_socket_monitor_versioned (socket, "inproc://m", 1, 2, ZMQ_DEALER), EINVAL);
    FAILS (zmq_socket_monitor_pipes_stats (NULL), ENOTSOCK);
    FAILS (zmq_socket_monitor_pipes_stats (socket), EINVAL);
    OK (zmq_socket_monitor (socket, NULL, 0));
    void *other = socket_of (ctx, ZMQ_PAIR);
    OK (zmq_bind (other, "inproc://taken"));
    FAILS (zmq_socket_monitor (socket, "inproc://taken", ZMQ_EVENT_ALL), EADDRINUSE);
    OK (zmq_close (other));
    OK (zmq_close (socket));
}

static void a_connection (void)
{
    void *server = socket_of (ctx, ZMQ_PULL), *client = socket_of (ctx, ZMQ_PUSH);
    void *of_server = monitored (server, "inproc://server", ZMQ_EVENT_ALL);
    void *of_client = monitored (client, "inproc://client", ZMQ_EVENT_ALL);
    char endpoint[256];
    strcpy (endpoint, bind_free (server, "tcp://127.0.0.1:*"));
    OK (zmq_connect (client, endpoint));
    expect (of_server, ZMQ_EVENT_LISTENING, endpoint);
    expect (of_server, ZMQ_EVENT_ACCEPTED, endpoint);
    expect (of_server, ZMQ_EVENT_HANDSHAKE_SUCCEEDED, endpoint);
    expect (of_client, ZMQ_EVENT_CONNECT_DELAYED, endpoint);
    expect (of_client, ZMQ_EVENT_CONNECTED, endpoint);
    expect (of_client, ZMQ_EVENT_HANDSHAKE_SUCCEEDED, endpoint);
    OK (zmq_close (server));
    uint32_t value;
    char address[256];
    int event = event_of (of_client, &value, address);
    IS (event, ZMQ_EVENT_DISCONNECTED);
    IS (event_of (of_client, &value, address), ZMQ_EVENT_CONNECT_RETRIED);
    CHECK (value >= 100 && value <= 200);
    do {
        event = event_of (of_server, &value, address);
    } while (event == ZMQ_EVENT_DISCONNECTED || event == ZMQ_EVENT_CLOSED);
    IS (event, ZMQ_EVENT_MONITOR_STOPPED);
    OK (zmq_close (client));
    OK (zmq_close (of_server));
    OK (zmq_close (of_client));
}

/* Programs monitor a socket after they have connected it, and yet expect to hear of that. */
static void after_connecting (void)
{
    void *server = socket_of (ctx, ZMQ_PULL), *client = socket_of (ctx, ZMQ_PUSH);
    void *of_server = monitored (server, "inproc://later-server", ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    char endpoint[256];
    strcpy (endpoint, bind_free (server, "tcp://127.0.0.1:*"));
    OK (zmq_connect (client, endpoint));
    expect (of_server, ZMQ_EVENT_HANDSHAKE_SUCCEEDED, endpoint);
    void *of_client = monitored (client, "inproc://later-client", ZMQ_EVENT_ALL & ~ZMQ_EVENT_CONNECT_DELAYED);
    expect (of_client, ZMQ_EVENT_CONNECTED, endpoint);
    expect (of_client, ZMQ_EVENT_HANDSHAKE_SUCCEEDED, endpoint);
    OK (zmq_close (server));
    OK (zmq_close (client));
    OK (zmq_close (of_server));
    OK (zmq_close (of_client));
}

/* Who closes a connection is not told of its end. */
static void own_closing (void)
{
    void *server = socket_of (ctx, ZMQ_PULL), *client = socket_of (ctx, ZMQ_PUSH);
    const char *endpoint = bind_free (server, "tcp://127.0.0.1:*");
    void *monitor = monitored (client, "inproc://own", ZMQ_EVENT_ALL & ~ZMQ_EVENT_CONNECT_DELAYED);
    OK (zmq_connect (client, endpoint));
    expect (monitor, ZMQ_EVENT_CONNECTED, endpoint);
    expect (monitor, ZMQ_EVENT_HANDSHAKE_SUCCEEDED, endpoint);
    OK (zmq_close (client));
    expect (monitor, ZMQ_EVENT_MONITOR_STOPPED, "");
    OK (zmq_close (monitor));
    OK (zmq_close (server));
}

static void failures (void)
{
    void *a = socket_of (ctx, ZMQ_PULL), *b = socket_of (ctx, ZMQ_PULL);
    void *monitor = monitored (b, "inproc://failures", ZMQ_EVENT_BIND_FAILED);
    const char *endpoint = bind_free (a, "tcp://127.0.0.1:*");
    FAILS (zmq_bind (b, endpoint), EADDRINUSE);
    uint32_t value;
    char address[256];
    IS (event_of (monitor, &value, address), ZMQ_EVENT_BIND_FAILED);
    IS (value, EADDRINUSE);
    CHECK (strcmp (address, endpoint) == 0);
    OK (zmq_close (a));
    OK (zmq_close (b));
    OK (zmq_close (monitor));
}

static void attempts (void)
{
    void *taken = socket_of (ctx, ZMQ_PULL), *client = socket_of (ctx, ZMQ_PUSH);
    char endpoint[256];
    strcpy (endpoint, bind_free (taken, "tcp://127.0.0.1:*"));
    OK (zmq_unbind (taken, endpoint));
    void *monitor = monitored (client, "inproc://attempts", ZMQ_EVENT_ALL);
    OK (zmq_connect (client, endpoint));
    expect (monitor, ZMQ_EVENT_CONNECT_DELAYED, endpoint);
    expect (monitor, ZMQ_EVENT_CLOSED, endpoint);
    expect (monitor, ZMQ_EVENT_CONNECT_RETRIED, endpoint);
    OK (zmq_close (taken));
    OK (zmq_close (client));
    OK (zmq_close (monitor));
}

static void only_what_is_wanted (void)
{
    void *server = socket_of (ctx, ZMQ_PULL), *client = socket_of (ctx, ZMQ_PUSH);
    void *monitor = monitored (server, "inproc://some", ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    const char *endpoint = bind_free (server, "ipc://*");
    OK (zmq_connect (client, endpoint));
    expect (monitor, ZMQ_EVENT_HANDSHAKE_SUCCEEDED, endpoint);
    OK (zmq_close (client));
    OK (zmq_close (server));
    OK (zmq_close (monitor));
}

static void stopping (void)
{
    void *socket = socket_of (ctx, ZMQ_PULL);
    void *monitor = monitored (socket, "inproc://stop", ZMQ_EVENT_ALL);
    OK (zmq_socket_monitor (socket, NULL, 0));
    expect (monitor, ZMQ_EVENT_MONITOR_STOPPED, "");
    OK (zmq_close (monitor));
    /* The address is free at once; another monitor replaces the first. */
    monitor = monitored (socket, "inproc://stop", ZMQ_EVENT_ALL);
    void *second = monitored (socket, "inproc://stop", ZMQ_EVENT_ALL);
    expect (monitor, ZMQ_EVENT_MONITOR_STOPPED, "");
    const char *endpoint = bind_free (socket, "tcp://127.0.0.1:*");
    expect (second, ZMQ_EVENT_LISTENING, endpoint);
    /* One that nobody reads holds nobody up. */
    OK (zmq_socket_monitor (socket, "inproc://unread", ZMQ_EVENT_ALL));
    OK (zmq_bind (socket, "tcp://127.0.0.1:*"));
    OK (zmq_socket_monitor (socket, "inproc://unread", ZMQ_EVENT_ALL));
    OK (zmq_bind (socket, "tcp://127.0.0.1:*"));
    OK (zmq_close (monitor));
    OK (zmq_close (second));
    OK (zmq_close (socket));
}

static void number_is (void *monitor, uint64_t expected)
{
    uint64_t number;
    IS (zmq_recv (monitor, &number, sizeof number, 0), sizeof number);
    IS (number, expected);
    IS (int_option (monitor, ZMQ_RCVMORE), 1);
}

static void second_version (int type, int reader_type, const char *address)
{
    void *server = socket_of (ctx, ZMQ_PULL), *client = socket_of (ctx, ZMQ_PUSH);
    OK (zmq_socket_monitor_versioned (client, address, ZMQ_EVENT_CONNECTED, 2, type));
    void *monitor = socket_of (ctx, reader_type);
    if (reader_type == ZMQ_SUB)
        OK (zmq_setsockopt (monitor, ZMQ_SUBSCRIBE, "", 0));
    OK (zmq_connect (monitor, address));
    if (reader_type == ZMQ_SUB) {
        /* Until the subscription is known, nothing is sent to it. */
        IS (zmq_poll (NULL, 0, 50), 0);
    }
    const char *endpoint = bind_free (server, "tcp://127.0.0.1:*");
    OK (zmq_connect (client, endpoint));
    number_is (monitor, ZMQ_EVENT_CONNECTED);
    number_is (monitor, 1);
    uint64_t fd;
    IS (zmq_recv (monitor, &fd, sizeof fd, 0), sizeof fd);
    CHECK (fd > 2);
    char local[256];
    CHECK (zmq_recv (monitor, local, sizeof local, 0) > 0);
    CHECK (strncmp (local, "tcp://127.0.0.1:", 16) == 0);
    recv_text (monitor, endpoint);
    IS (int_option (monitor, ZMQ_RCVMORE), 0);
    OK (zmq_close (client));
    OK (zmq_close (server));
    OK (zmq_close (monitor));
}

static void stats_are (void *monitor, uint64_t outbound, uint64_t inbound, const char *remote)
{
    number_is (monitor, ZMQ_EVENT_PIPES_STATS);
    number_is (monitor, 2);
    number_is (monitor, outbound);
    number_is (monitor, inbound);
    char local[256];
    CHECK (zmq_recv (monitor, local, sizeof local, 0) >= 0);
    recv_text (monitor, remote);
    IS (int_option (monitor, ZMQ_RCVMORE), 0);
}

static void pipes (void)
{
    void *push = socket_of (ctx, ZMQ_PUSH);
    OK (zmq_socket_monitor_versioned (push, "inproc://few", ZMQ_EVENT_ALL, 2, ZMQ_PAIR));
    FAILS (zmq_socket_monitor_pipes_stats (push), EINVAL);
    OK (zmq_socket_monitor_versioned (push, "inproc://pipes", ZMQ_EVENT_PIPES_STATS, 2, ZMQ_PAIR));
    FAILS (zmq_socket_monitor_pipes_stats (push), EAGAIN);
    void *monitor = socket_of (ctx, ZMQ_PAIR);
    OK (zmq_connect (monitor, "inproc://pipes"));
    OK (zmq_connect (push, "inproc://waiting"));
    for (int n = 0; n < 3; n++)
        IS (zmq_send (push, "body", 4, 0), 4);
    OK (zmq_socket_monitor_pipes_stats (push));
    stats_are (monitor, 3, 0, "inproc://waiting");
    OK (zmq_close (push));
    OK (zmq_close (monitor));
}

int main (void)
{
    begin ();
    ctx = zmq_ctx_new ();
    arguments ();
    a_connection ();
    after_connecting ();
    own_closing ();
    failures ();
    attempts ();
    only_what_is_wanted ();
    stopping ();
    pipes ();
    second_version (ZMQ_PAIR, ZMQ_PAIR, "inproc://pair");
    second_version (ZMQ_PUSH, ZMQ_PULL, "inproc://push");
    second_version (ZMQ_PUB, ZMQ_SUB, "inproc://pub");
    OK (zmq_ctx_term (ctx));
    return 0;
}
