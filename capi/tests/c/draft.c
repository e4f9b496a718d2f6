/* The draft socket types, and options of theirs and of others. */
#include "test.h"

static const char *const transports[] = {"tcp://127.0.0.1:*", "ipc://*", "inproc://draft"};

static void *ctx;

static void pair (void **bound, int bound_type, void **connected, int connected_type,
                  const char *transport)
{
    *bound = socket_of (ctx, bound_type);
    *connected = socket_of (ctx, connected_type);
    OK (zmq_connect (*connected, bind_free (*bound, transport)));
}

static void close_both (void *a, void *b)
{
    OK (zmq_close (a));
    OK (zmq_close (b));
}

static void idle (void)
{
    const int writable[] = {ZMQ_SERVER, ZMQ_RADIO, ZMQ_DISH, ZMQ_PEER};
    for (int type = ZMQ_SERVER; type <= ZMQ_CHANNEL; type++) {
        void *socket = socket_of (ctx, type);
        IS (int_option (socket, ZMQ_TYPE), type);
        IS (int_option (socket, ZMQ_THREAD_SAFE), type != ZMQ_DGRAM);
        int expected = 0;
        for (size_t n = 0; n < sizeof writable / sizeof *writable; n++)
            expected |= writable[n] == type ? ZMQ_POLLOUT : 0;
        if (int_option (socket, ZMQ_EVENTS) != expected) {
            fprintf (stderr, "an idle socket of type %d has events\n", type);
            exit (1);
        }
        if (type != ZMQ_DGRAM) {
            int fd;
            size_t len = sizeof fd;
            FAILS (zmq_getsockopt (socket, ZMQ_FD, &fd, &len), EINVAL);
        }
        OK (zmq_close (socket));
    }
}

static void one_frame (void)
{
    const int all[] = {ZMQ_SERVER, ZMQ_CLIENT, ZMQ_RADIO, ZMQ_SCATTER, ZMQ_PEER, ZMQ_CHANNEL};
    for (size_t n = 0; n < sizeof all / sizeof *all; n++) {
        void *socket = socket_of (ctx, all[n]);
        FAILS (zmq_send (socket, "x", 1, ZMQ_SNDMORE), EINVAL);
        OK (zmq_close (socket));
    }
}

static void answering (const char *transport, int type)
{
    void *server, *client;
    pair (&server, type, &client, type == ZMQ_PEER ? ZMQ_PEER : ZMQ_CLIENT, transport);
    zmq_msg_t msg;
    if (type == ZMQ_PEER) {
        char endpoint[256];
        size_t len = sizeof endpoint;
        OK (zmq_getsockopt (server, ZMQ_LAST_ENDPOINT, endpoint, &len));
        OK (zmq_close (client));
        client = socket_of (ctx, ZMQ_PEER);
        uint32_t id = zmq_connect_peer (client, endpoint);
        CHECK (id != 0);
        OK (zmq_msg_init_buffer (&msg, "question", 8));
        OK (zmq_msg_set_routing_id (&msg, id));
        IS (zmq_msg_send (&msg, client, 0), 8);
    } else
        send_text (client, "question", 0);
    OK (zmq_msg_init (&msg));
    IS (zmq_msg_recv (&msg, server, 0), 8);
    uint32_t id = zmq_msg_routing_id (&msg);
    CHECK (id != 0);
    OK (zmq_msg_close (&msg));
    OK (zmq_msg_init_buffer (&msg, "answer", 6));
    OK (zmq_msg_set_routing_id (&msg, id));
    IS (zmq_msg_send (&msg, server, 0), 6);
    recv_text (client, "answer");
    OK (zmq_msg_init_buffer (&msg, "nobody", 6));
    OK (zmq_msg_set_routing_id (&msg, id + 1));
    FAILS (zmq_msg_send (&msg, server, 0), EHOSTUNREACH);
    IS (zmq_msg_size (&msg), 6);
    OK (zmq_msg_close (&msg));
    if (type == ZMQ_PEER) {
        FAILS (zmq_disconnect_peer (server, id + 1), EHOSTUNREACH);
        OK (zmq_disconnect_peer (server, id));
        FAILS (zmq_disconnect_peer (server, id), EHOSTUNREACH);
    }
    close_both (server, client);
}

static void simple (const char *transport, int receiver, int sender)
{
    void *a, *b;
    pair (&a, receiver, &b, sender, transport);
    send_text (b, "hello", 0);
    recv_text (a, "hello");
    if (receiver == ZMQ_CHANNEL) {
        send_text (a, "back", 0);
        recv_text (b, "back");
    } else {
        char buffer[1];
        FAILS (zmq_recv (b, buffer, 1, 0), ENOTSUP);
        FAILS (zmq_send (a, buffer, 1, 0), ENOTSUP);
    }
    close_both (a, b);
}

static void send_to_group (void *radio, const char *group, const char *text)
{
    zmq_msg_t msg;
    OK (zmq_msg_init_buffer (&msg, text, strlen (text)));
    OK (zmq_msg_set_group (&msg, group));
    IS (zmq_msg_send (&msg, radio, 0), strlen (text));
}

static void recv_of_group (void *dish, const char *group, const char *text)
{
    zmq_msg_t msg;
    OK (zmq_msg_init (&msg));
    IS (zmq_msg_recv (&msg, dish, 0), strlen (text));
    CHECK (memcmp (zmq_msg_data (&msg), text, strlen (text)) == 0);
    CHECK (strcmp (zmq_msg_group (&msg), group) == 0);
    OK (zmq_msg_close (&msg));
}

static void groups (const char *transport)
{
    void *radio, *dish;
    pair (&radio, ZMQ_RADIO, &dish, ZMQ_DISH, transport);
    OK (zmq_join (dish, "movies"));
    FAILS (zmq_join (dish, "movies"), EINVAL);
    FAILS (zmq_leave (dish, "books"), EINVAL);
    char name[300];
    memset (name, 'g', sizeof name);
    name[256] = 0;
    FAILS (zmq_join (dish, name), EINVAL);
    /* Until the other side knows of it, nothing comes. */
    OK (set_int (dish, ZMQ_RCVTIMEO, 20));
    char buffer[8];
    do
        send_to_group (radio, "movies", "first");
    while (zmq_recv (dish, buffer, sizeof buffer, 0) < 0);
    while (zmq_recv (dish, buffer, sizeof buffer, 0) >= 0)
        ;
    OK (set_int (dish, ZMQ_RCVTIMEO, 10000));
    send_to_group (radio, "music", "not wanted");
    send_to_group (radio, "movies", "wanted");
    recv_of_group (dish, "movies", "wanted");
    OK (zmq_leave (dish, "movies"));
    FAILS (zmq_recv (radio, buffer, 1, 0), ENOTSUP);
    FAILS (zmq_send (dish, buffer, 1, 0), ENOTSUP);
    close_both (radio, dish);
}

static void datagrams (void)
{
    void *dish = socket_of (ctx, ZMQ_DISH), *radio = socket_of (ctx, ZMQ_RADIO);
    FAILS (zmq_connect (dish, "udp://127.0.0.1:5556"), ENOCOMPATPROTO);
    FAILS (zmq_bind (radio, "udp://127.0.0.1:5556"), ENOCOMPATPROTO);
    OK (zmq_join (dish, "movies"));
    OK (zmq_connect (radio, bind_free (dish, "udp://127.0.0.1:*")));
    send_to_group (radio, "movies", "by udp");
    recv_of_group (dish, "movies", "by udp");
    close_both (dish, radio);

    void *a = socket_of (ctx, ZMQ_DGRAM), *b = socket_of (ctx, ZMQ_DGRAM);
    char endpoint[256];
    strcpy (endpoint, bind_free (a, "udp://127.0.0.1:*"));
    bind_free (b, "udp://127.0.0.1:*");
    FAILS (zmq_connect (b, endpoint), ENOCOMPATPROTO);
    send_text (b, endpoint + strlen ("udp://"), ZMQ_SNDMORE);
    send_text (b, "datagram", 0);
    char address[256];
    int len = zmq_recv (a, address, sizeof address, 0);
    CHECK (len > 0);
    recv_text (a, "datagram");
    IS (zmq_send (a, address, len, ZMQ_SNDMORE), len);
    send_text (a, "back", 0);
    CHECK (zmq_recv (b, address, sizeof address, 0) > 0);
    recv_text (b, "back");
    close_both (a, b);
}

static void pollers (void)
{
    void *server, *client, *poller = zmq_poller_new ();
    pair (&server, ZMQ_SERVER, &client, ZMQ_CLIENT, "tcp://127.0.0.1:*");
    OK (zmq_poller_add (poller, server, NULL, ZMQ_POLLIN));
    int fd;
    OK (zmq_poller_fd (poller, &fd));
    zmq_pollitem_t item = {NULL, fd, ZMQ_POLLIN, 0};
    zmq_poller_event_t event;
    while (zmq_poller_wait (poller, &event, 20) == 0 || zmq_poll (&item, 1, 20) == 1)
        ;
    send_text (client, "x", 0);
    do
        IS (zmq_poll (&item, 1, 10000), 1);
    while (zmq_poller_wait (poller, &event, 0) != 0);
    CHECK (event.socket == server);
    recv_text (server, "x");
    OK (zmq_poller_remove (poller, server));
    OK (zmq_poller_destroy (&poller));
    /* And by the other way. */
    send_text (client, "y", 0);
    zmq_pollitem_t both[] = {{server, 0, ZMQ_POLLIN, 0}, {client, 0, ZMQ_POLLOUT, 0}};
    CHECK (zmq_poll (both, 2, -1) >= 1);
    recv_text (server, "y");
    close_both (server, client);
}

static void automatic_messages (void)
{
    void *server = socket_of (ctx, ZMQ_SERVER), *client = socket_of (ctx, ZMQ_CLIENT);
    OK (zmq_setsockopt (server, ZMQ_HELLO_MSG, "hello", 5));
    OK (zmq_setsockopt (server, ZMQ_DISCONNECT_MSG, "gone", 4));
    OK (zmq_setsockopt (client, ZMQ_HICCUP_MSG, "lost", 4));
    OK (zmq_connect (client, bind_free (server, "tcp://127.0.0.1:*")));
    recv_text (client, "hello");
    OK (zmq_close (client));
    recv_text (server, "gone");
    OK (zmq_close (server));
}

static void options (void)
{
    void *router = socket_of (ctx, ZMQ_ROUTER);
    IS (int_option (router, ZMQ_ROUTER_NOTIFY), 0);
    OK (set_int (router, ZMQ_ROUTER_NOTIFY, ZMQ_NOTIFY_CONNECT | ZMQ_NOTIFY_DISCONNECT));
    IS (int_option (router, ZMQ_ROUTER_NOTIFY), 3);
    FAILS (set_int (router, ZMQ_ROUTER_NOTIFY, 4), EINVAL);
    OK (zmq_close (router));

    void *xpub = socket_of (ctx, ZMQ_XPUB), *sub = socket_of (ctx, ZMQ_SUB);
    OK (set_int (xpub, ZMQ_XPUB_MANUAL_LAST_VALUE, 1));
    OK (set_int (xpub, ZMQ_XPUB_MANUAL_LAST_VALUE, 0));
    IS (int_option (xpub, ZMQ_TOPICS_COUNT), 0);
    IS (int_option (sub, ZMQ_TOPICS_COUNT), 0);
    OK (zmq_setsockopt (sub, ZMQ_SUBSCRIBE, "a", 1));
    OK (zmq_setsockopt (sub, ZMQ_SUBSCRIBE, "b", 1));
    IS (int_option (sub, ZMQ_TOPICS_COUNT), 2);
    FAILS (set_int (sub, ZMQ_ONLY_FIRST_SUBSCRIBE, 1), EINVAL);
    FAILS (set_int (sub, ZMQ_XSUB_VERBOSE_UNSUBSCRIBE, 1), EINVAL);
    FAILS (set_int (sub, ZMQ_TOPICS_COUNT, 1), EINVAL);
    close_both (xpub, sub);

    void *push = socket_of (ctx, ZMQ_PUSH);
    int value;
    size_t len = sizeof value;
    FAILS (zmq_getsockopt (push, ZMQ_TOPICS_COUNT, &value, &len), EINVAL);
    OK (set_int (push, ZMQ_BUSY_POLL, 50));
    FAILS (set_int (push, ZMQ_ROUTER_NOTIFY, 1), EINVAL);
    char text[64];
    len = sizeof text;
    OK (zmq_getsockopt (push, ZMQ_SOCKS_PROXY, text, &len));
    IS (len, 1);
    OK (zmq_setsockopt (push, ZMQ_SOCKS_PROXY, "127.0.0.1:1080", 14));
    OK (zmq_setsockopt (push, ZMQ_SOCKS_USERNAME, "name", 4));
    OK (zmq_setsockopt (push, ZMQ_SOCKS_PASSWORD, "word", 4));
    len = sizeof text;
    OK (zmq_getsockopt (push, ZMQ_SOCKS_PROXY, text, &len));
    CHECK (strcmp (text, "127.0.0.1:1080") == 0);
    /* A proxy may be named without a port. */
    FAILS (zmq_setsockopt (push, ZMQ_SOCKS_PROXY, "no where", 8), EINVAL);
    FAILS (zmq_setsockopt (push, ZMQ_SOCKS_PROXY, "nowhere:0", 9), EINVAL);
    FAILS (zmq_setsockopt (push, ZMQ_SOCKS_PROXY, "", 0), EINVAL);
    OK (zmq_setsockopt (push, ZMQ_SOCKS_PROXY, "127.0.0.1:0;nowhere:9", 21));
    OK (zmq_setsockopt (push, ZMQ_SOCKS_PROXY, "nowhere", 7));
    len = sizeof text;
    OK (zmq_getsockopt (push, ZMQ_SOCKS_PROXY, text, &len));
    CHECK (strcmp (text, "nowhere") == 0);
    OK (zmq_connect (push, "tcp://127.0.0.1:5555"));
    OK (zmq_setsockopt (push, ZMQ_SOCKS_PROXY, NULL, 0));
    OK (zmq_close (push));
}

int main (void)
{
    begin ();
    IS (zmq_has ("draft"), 1);
    ctx = zmq_ctx_new ();
    idle ();
    one_frame ();
    for (size_t n = 0; n < sizeof transports / sizeof *transports; n++) {
        answering (transports[n], ZMQ_SERVER);
        answering (transports[n], ZMQ_PEER);
        simple (transports[n], ZMQ_GATHER, ZMQ_SCATTER);
        simple (transports[n], ZMQ_CHANNEL, ZMQ_CHANNEL);
        groups (transports[n]);
    }
    datagrams ();
    pollers ();
    automatic_messages ();
    options ();
    OK (zmq_ctx_term (ctx));
    return 0;
}
