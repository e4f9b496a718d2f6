/* Opening, closing, endpoints, and the errors of sending and receiving. */
#include "test.h"
#include <sys/uio.h>

static void types (void)
{
    void *ctx = zmq_ctx_new ();
    for (int type = ZMQ_PAIR; type <= ZMQ_STREAM; type++) {
        void *socket = socket_of (ctx, type);
        IS (int_option (socket, ZMQ_TYPE), type);
        OK (zmq_close (socket));
        FAILS (zmq_close (socket), ENOTSOCK);
    }
    IS_NULL (zmq_socket (ctx, -1), EINVAL);
    IS_NULL (zmq_socket (ctx, 99), EINVAL);
    FAILS (zmq_close (NULL), ENOTSOCK);
    OK (zmq_ctx_term (ctx));
}

static void endpoints (void)
{
    void *ctx = zmq_ctx_new ();
    void *socket = socket_of (ctx, ZMQ_PULL);
    const struct { const char *text; int code; } bad[] = {
      {"", EINVAL}, {"tcp", EINVAL}, {"://x", EINVAL}, {"tcp://", EINVAL},
      {"tcp://127.0.0.1", EINVAL}, {"foo://x", EPROTONOSUPPORT}, {"ipc://", EINVAL},
      {"inproc://", EINVAL}, {"TCP://127.0.0.1:1", EPROTONOSUPPORT}, {"ws://127.0.0.1:*", EPROTONOSUPPORT}};
    for (size_t n = 0; n < sizeof bad / sizeof *bad; n++) {
        FAILS (zmq_bind (socket, bad[n].text), bad[n].code);
        FAILS (zmq_connect (socket, bad[n].text), bad[n].code);
    }
    FAILS (zmq_bind (socket, NULL), EINVAL);
    FAILS (zmq_connect (socket, NULL), EINVAL);
    FAILS (zmq_bind (socket, "tcp://192.0.2.1:5555"), EADDRNOTAVAIL);
    FAILS (zmq_bind (socket, "tcp://no-such-interface0:5555"), ENODEV);
    char path[200] = "ipc://";
    memset (path + 6, 'x', 120);
    FAILS (zmq_bind (socket, path), ENAMETOOLONG);
    FAILS (zmq_connect (socket, "tcp://127.0.0.1:*"), EINVAL);
    FAILS (zmq_connect (socket, "tcp://a b:1"), EINVAL);

    char endpoint[256];
    strcpy (endpoint, bind_free (socket, "tcp://127.0.0.1:*"));
    void *other = socket_of (ctx, ZMQ_PULL);
    FAILS (zmq_bind (other, endpoint), EADDRINUSE);
    OK (zmq_bind (socket, "inproc://name"));
    FAILS (zmq_bind (other, "inproc://name"), EADDRINUSE);
    FAILS (zmq_unbind (socket, "tcp://127.0.0.1:*"), ENOENT);
    FAILS (zmq_unbind (socket, "tcp://127.0.0.1:1"), ENOENT);
    FAILS (zmq_disconnect (socket, "inproc://other"), ENOENT);
    FAILS (zmq_unbind (socket, NULL), EINVAL);
    FAILS (zmq_unbind (socket, "tcp:127.0.0.1:1"), EINVAL);
    FAILS (zmq_disconnect (socket, "tcp://"), EINVAL);
    FAILS (zmq_disconnect (socket, "nothing://at-all"), EPROTONOSUPPORT);
    FAILS (zmq_disconnect (socket, "udp://127.0.0.1:1"), ENOCOMPATPROTO);
    FAILS (zmq_connect (socket, "udp://127.0.0.1"), ENOCOMPATPROTO);
    FAILS (zmq_disconnect (socket, NULL), EINVAL);
    OK (zmq_unbind (socket, endpoint));
    FAILS (zmq_unbind (socket, endpoint), ENOENT);
    OK (zmq_bind (other, endpoint));
    OK (zmq_unbind (socket, "inproc://name"));
    OK (zmq_bind (other, "inproc://name"));
    /* Either function ends either. */
    OK (zmq_disconnect (other, endpoint));
    OK (zmq_connect (other, endpoint));
    OK (zmq_unbind (other, endpoint));
    OK (zmq_close (socket));
    OK (zmq_close (other));
    OK (zmq_ctx_term (ctx));
}

static void an_ipc_path_is_taken_over (void)
{
    void *ctx = zmq_ctx_new ();
    void *a = socket_of (ctx, ZMQ_PULL);
    void *b = socket_of (ctx, ZMQ_PULL);
    OK (zmq_bind (a, "ipc://path"));
    OK (zmq_bind (b, "ipc://path"));
    void *push = socket_of (ctx, ZMQ_PUSH);
    OK (zmq_connect (push, "ipc://path"));
    send_text (push, "to the second", 0);
    recv_text (b, "to the second");
    OK (zmq_close (push));
    OK (zmq_close (a));
    OK (zmq_close (b));
    OK (zmq_ctx_term (ctx));
}

static void sending (void)
{
    void *ctx = zmq_ctx_new ();
    void *push = socket_of (ctx, ZMQ_PUSH);
    void *pull = socket_of (ctx, ZMQ_PULL);
    char buffer[4];
    FAILS (zmq_send (push, "x", 1, ZMQ_DONTWAIT), EAGAIN);
    OK (set_int (push, ZMQ_SNDTIMEO, 0));
    FAILS (zmq_send (push, "x", 1, 0), EAGAIN);
    OK (set_int (push, ZMQ_SNDTIMEO, 20));
    FAILS (zmq_send (push, "x", 1, 0), EAGAIN);
    FAILS (zmq_recv (push, buffer, 1, 0), ENOTSUP);
    FAILS (zmq_send (pull, "x", 1, 0), ENOTSUP);
    OK (zmq_bind (pull, "inproc://sending"));
    OK (zmq_connect (push, "inproc://sending"));
    IS (zmq_send (push, "longer", 6, 0), 6);
    IS (zmq_recv (pull, buffer, sizeof buffer, 0), 6);
    CHECK (memcmp (buffer, "long", 4) == 0);
    IS (zmq_send (push, NULL, 0, 0), 0);
    IS (zmq_recv (pull, NULL, 0, 0), 0);
    static const char constant[100000];
    IS (zmq_send_const (push, constant, sizeof constant, 0), sizeof constant);
    zmq_msg_t msg;
    OK (zmq_msg_init (&msg));
    IS (zmq_msg_recv (&msg, pull, 0), sizeof constant);
    CHECK (zmq_msg_data (&msg) == constant);
    OK (zmq_msg_close (&msg));
    FAILS (zmq_recv (pull, buffer, 1, ZMQ_DONTWAIT), EAGAIN);
    OK (set_int (pull, ZMQ_RCVTIMEO, 20));
    FAILS (zmq_recv (pull, buffer, 1, 0), EAGAIN);
    OK (set_int (pull, ZMQ_RCVTIMEO, 0));
    FAILS (zmq_recv (pull, buffer, 1, 0), EAGAIN);
    FAILS (zmq_send (NULL, "x", 1, 0), ENOTSOCK);
    FAILS (zmq_send_const (NULL, "x", 1, 0), ENOTSOCK);
    FAILS (zmq_recv (NULL, buffer, 1, 0), ENOTSOCK);
    OK (zmq_close (push));
    OK (zmq_close (pull));
    OK (zmq_ctx_term (ctx));
}

static void states (void)
{
    void *ctx = zmq_ctx_new ();
    void *rep = socket_of (ctx, ZMQ_REP);
    void *req = socket_of (ctx, ZMQ_REQ);
    char buffer[1];
    OK (zmq_bind (rep, "inproc://states"));
    OK (zmq_connect (req, "inproc://states"));
    FAILS (zmq_recv (req, buffer, 1, 0), EFSM);
    FAILS (zmq_send (rep, "x", 1, 0), EFSM);
    send_text (req, "question", 0);
    FAILS (zmq_send (req, "x", 1, 0), EFSM);
    recv_text (rep, "question");
    FAILS (zmq_recv (rep, buffer, 1, 0), EFSM);
    send_text (rep, "answer", 0);
    recv_text (req, "answer");
    OK (zmq_close (rep));
    OK (zmq_close (req));

    void *router = socket_of (ctx, ZMQ_ROUTER);
    OK (zmq_bind (router, "inproc://router"));
    send_text (router, "nobody", ZMQ_SNDMORE);
    send_text (router, "dropped", 0);
    OK (set_int (router, ZMQ_ROUTER_MANDATORY, 1));
    FAILS (zmq_send (router, "nobody", 6, ZMQ_SNDMORE), EHOSTUNREACH);
    FAILS (zmq_socket_get_peer_state (router, "nobody", 6), EHOSTUNREACH);
    void *dealer = socket_of (ctx, ZMQ_DEALER);
    OK (zmq_setsockopt (dealer, ZMQ_ROUTING_ID, "who", 3));
    OK (zmq_connect (dealer, "inproc://router"));
    send_text (dealer, "hello", 0);
    recv_text (router, "who");
    recv_text (router, "hello");
    IS (zmq_socket_get_peer_state (router, "who", 3), ZMQ_POLLOUT);
    FAILS (zmq_socket_get_peer_state (dealer, "who", 3), ENOTSUP);
    FAILS (zmq_socket_get_peer_state (NULL, "who", 3), ENOTSOCK);
    OK (zmq_close (router));
    OK (zmq_close (dealer));
    OK (zmq_ctx_term (ctx));
}

static void parts (void)
{
    void *ctx = zmq_ctx_new ();
    void *a = socket_of (ctx, ZMQ_PAIR);
    void *b = socket_of (ctx, ZMQ_PAIR);
    OK (zmq_bind (a, "inproc://parts"));
    OK (zmq_connect (b, "inproc://parts"));
    char one[] = "one", two[] = "and two";
    struct iovec out[] = {{one, 3}, {two, 7}}, in[4];
    FAILS (zmq_sendiov (a, out, 0, 0), EINVAL);
    FAILS (zmq_sendiov (a, NULL, 2, 0), EINVAL);
    FAILS (zmq_sendiov (NULL, out, 2, 0), ENOTSOCK);
    IS (zmq_sendiov (a, out, 2, ZMQ_SNDMORE), 7);
    size_t count = 4;
    IS (zmq_recviov (b, in, &count, 0), 2);
    IS (count, 2);
    CHECK (in[0].iov_len == 3 && memcmp (in[0].iov_base, "one", 3) == 0);
    CHECK (in[1].iov_len == 7 && memcmp (in[1].iov_base, "and two", 7) == 0);
    free (in[0].iov_base);
    free (in[1].iov_base);
    count = 0;
    FAILS (zmq_recviov (b, in, &count, 0), EINVAL);
    count = 4;
    FAILS (zmq_recviov (b, in, &count, ZMQ_DONTWAIT), EAGAIN);
    FAILS (zmq_recviov (NULL, in, &count, 0), ENOTSOCK);
    OK (zmq_close (a));
    OK (zmq_close (b));
    OK (zmq_ctx_term (ctx));
}

static void drafts (void)
{
    void *ctx = zmq_ctx_new ();
    void *pair = socket_of (ctx, ZMQ_PAIR);
    FAILS (zmq_join (NULL, "g"), ENOTSOCK);
    FAILS (zmq_leave (NULL, "g"), ENOTSOCK);
    FAILS (zmq_join (pair, "g"), ENOTSUP);
    FAILS (zmq_leave (pair, "g"), ENOTSUP);
    FAILS (zmq_disconnect_peer (pair, 1), ENOTSUP);
    FAILS (zmq_disconnect_peer (NULL, 1), ENOTSOCK);
    errno = 0;
    IS (zmq_connect_peer (pair, "inproc://x"), 0);
    IS (errno, ENOTSUP);
    IS (zmq_connect_peer (NULL, "inproc://x"), 0);
    IS (errno, ENOTSOCK);
    OK (zmq_close (pair));
    OK (zmq_ctx_term (ctx));
}

int main (void)
{
    begin ();
    types ();
    endpoints ();
    an_ipc_path_is_taken_over ();
    sending ();
    states ();
    parts ();
    drafts ();
    return 0;
}
