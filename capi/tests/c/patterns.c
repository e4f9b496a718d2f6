/* Each pattern over each transport. */
#include "test.h"

static const char *const transports[] = {"tcp://127.0.0.1:*", "ipc://*", "inproc://pattern"};

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

static void request_and_reply (const char *transport)
{
    void *rep, *req;
    pair (&rep, ZMQ_REP, &req, ZMQ_REQ, transport);
    for (int n = 0; n < 3; n++) {
        send_text (req, "question", ZMQ_SNDMORE);
        send_text (req, "more", 0);
        recv_text (rep, "question");
        IS (int_option (rep, ZMQ_RCVMORE), 1);
        recv_text (rep, "more");
        send_text (rep, "answer", 0);
        recv_text (req, "answer");
    }
    close_both (rep, req);
}

static void publishing (const char *transport)
{
    void *pub, *sub;
    pair (&pub, ZMQ_XPUB, &sub, ZMQ_SUB, transport);
    OK (zmq_setsockopt (sub, ZMQ_SUBSCRIBE, "a", 1));
    recv_text (pub, "\001a");
    send_text (pub, "b: not wanted", 0);
    send_text (pub, "a: wanted", ZMQ_SNDMORE);
    send_text (pub, "and more", 0);
    recv_text (sub, "a: wanted");
    recv_text (sub, "and more");
    close_both (pub, sub);
}

static void pipeline (const char *transport)
{
    void *pull, *push;
    pair (&pull, ZMQ_PULL, &push, ZMQ_PUSH, transport);
    char body[100000];
    for (size_t n = 0; n < sizeof body; n++)
        body[n] = (char) n;
    for (size_t size = 1; size < sizeof body; size *= 3) {
        IS (zmq_send (push, body, size, 0), size);
        char found[sizeof body];
        IS (zmq_recv (pull, found, sizeof found, 0), size);
        CHECK (memcmp (found, body, size) == 0);
    }
    close_both (pull, push);
}

static void routing (const char *transport)
{
    void *router, *dealer;
    pair (&router, ZMQ_ROUTER, &dealer, ZMQ_DEALER, transport);
    send_text (dealer, "hello", 0);
    char id[256];
    int len = zmq_recv (router, id, sizeof id, 0);
    IS (len, 5);
    recv_text (router, "hello");
    IS (zmq_send (router, id, len, ZMQ_SNDMORE), len);
    send_text (router, "world", 0);
    recv_text (dealer, "world");
    close_both (router, dealer);
}

static void pairs (const char *transport)
{
    void *a, *b;
    pair (&a, ZMQ_PAIR, &b, ZMQ_PAIR, transport);
    send_text (a, "there", 0);
    recv_text (b, "there");
    send_text (b, "back", 0);
    recv_text (a, "back");
    close_both (a, b);
}

/* Over inproc the marks of both sides are added, and messages count, not frames. */
static void high_water_marks (void)
{
    void *push = socket_of (ctx, ZMQ_PUSH), *pull = socket_of (ctx, ZMQ_PULL);
    OK (set_int (push, ZMQ_SNDHWM, 3));
    OK (set_int (pull, ZMQ_RCVHWM, 2));
    OK (zmq_bind (pull, "inproc://hwm"));
    OK (zmq_connect (push, "inproc://hwm"));
    for (int n = 0; n < 5; n++) {
        send_text (push, "x", ZMQ_DONTWAIT | ZMQ_SNDMORE);
        send_text (push, "y", ZMQ_DONTWAIT);
    }
    FAILS (zmq_send (push, "x", 1, ZMQ_DONTWAIT), EAGAIN);
    for (int n = 0; n < 5; n++) {
        recv_text (pull, "x");
        recv_text (pull, "y");
    }
    send_text (push, "x", 0);
    close_both (pull, push);
}

static void streams (void)
{
    void *server, *client;
    pair (&server, ZMQ_STREAM, &client, ZMQ_STREAM, "tcp://127.0.0.1:*");
    char id[256];
    size_t len = sizeof id;
    OK (zmq_getsockopt (client, ZMQ_ROUTING_ID, id, &len));
    IS (len, 5);
    /* Both are told of the connection. */
    IS (zmq_recv (client, id, sizeof id, 0), 5);
    recv_text (client, "");
    char peer[256];
    IS (zmq_recv (server, peer, sizeof peer, 0), 5);
    recv_text (server, "");
    IS (zmq_send (client, id, 5, ZMQ_SNDMORE), 5);
    send_text (client, "bytes", 0);
    IS (zmq_recv (server, peer, sizeof peer, 0), 5);
    recv_text (server, "bytes");
    FAILS (zmq_send (server, "no-id", 5, ZMQ_SNDMORE), EHOSTUNREACH);
    FAILS (zmq_bind (server, "inproc://stream"), ENOCOMPATPROTO);
    /* What does not say for whom it is goes nowhere. */
    IS (zmq_send (client, "for nobody", 10, 0), 10);
    IS (zmq_send (client, id, 5, ZMQ_SNDMORE), 5);
    send_text (client, "more bytes", 0);
    IS (zmq_recv (server, peer, sizeof peer, 0), 5);
    recv_text (server, "more bytes");
    close_both (server, client);
}

int main (void)
{
    begin ();
    ctx = zmq_ctx_new ();
    for (size_t n = 0; n < sizeof transports / sizeof *transports; n++) {
        request_and_reply (transports[n]);
        publishing (transports[n]);
        pipeline (transports[n]);
        routing (transports[n]);
        pairs (transports[n]);
    }
    high_water_marks ();
    streams ();
    OK (zmq_ctx_term (ctx));
    return 0;
}
