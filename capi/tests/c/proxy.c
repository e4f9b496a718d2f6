/* zmq_proxy, zmq_proxy_steerable, zmq_device. */
#include "test.h"

static void *ctx;

struct proxy {
    void *frontend, *backend, *capture, *control;
    int is_steerable;
};

/* Runs until it is told to end, or the context ends. */
static void run (void *arg)
{
    struct proxy *proxy = (struct proxy *) arg;
    if (proxy->is_steerable)
        OK (zmq_proxy_steerable (proxy->frontend, proxy->backend, proxy->capture, proxy->control));
    else
        FAILS (zmq_proxy (proxy->frontend, proxy->backend, proxy->capture), ETERM);
    OK (zmq_close (proxy->frontend));
    OK (zmq_close (proxy->backend));
    if (proxy->capture)
        OK (zmq_close (proxy->capture));
    if (proxy->control)
        OK (zmq_close (proxy->control));
}

static void *begin_proxy (struct proxy *proxy, int control_type)
{
    proxy->frontend = socket_of (ctx, ZMQ_ROUTER);
    proxy->backend = socket_of (ctx, ZMQ_DEALER);
    proxy->capture = NULL;
    OK (zmq_bind (proxy->frontend, "inproc://front"));
    OK (zmq_bind (proxy->backend, "inproc://back"));
    proxy->control = NULL;
    proxy->is_steerable = control_type >= 0;
    if (!proxy->is_steerable) {
        proxy->capture = socket_of (ctx, ZMQ_PUSH);
        OK (zmq_bind (proxy->capture, "inproc://capture"));
    } else {
        proxy->control = socket_of (ctx, control_type);
        OK (zmq_bind (proxy->control, "inproc://control"));
    }
    return zmq_threadstart (run, proxy);
}

static void *connected (int type, const char *endpoint)
{
    void *socket = socket_of (ctx, type);
    OK (zmq_connect (socket, endpoint));
    return socket;
}

static void arguments (void)
{
    ctx = zmq_ctx_new ();
    void *socket = socket_of (ctx, ZMQ_DEALER);
    FAILS (zmq_proxy (NULL, socket, NULL), EFAULT);
    FAILS (zmq_proxy (socket, NULL, NULL), EFAULT);
    FAILS (zmq_proxy_steerable (NULL, socket, NULL, NULL), EFAULT);
    FAILS (zmq_device (ZMQ_QUEUE, NULL, socket), EFAULT);
    OK (zmq_close (socket));
    OK (zmq_ctx_term (ctx));
}

static void forwarding (void)
{
    ctx = zmq_ctx_new ();
    struct proxy proxy;
    void *thread = begin_proxy (&proxy, -1);
    void *req = connected (ZMQ_REQ, "inproc://front");
    void *rep = connected (ZMQ_REP, "inproc://back");
    void *pull = connected (ZMQ_PULL, "inproc://capture");
    send_text (req, "question", 0);
    recv_text (rep, "question");
    send_text (rep, "answer", 0);
    recv_text (req, "answer");
    char id[256];
    for (int n = 0; n < 2; n++) {
        IS (zmq_recv (pull, id, sizeof id, 0), 5);
        recv_text (pull, "");
        recv_text (pull, n == 0 ? "question" : "answer");
        IS (int_option (pull, ZMQ_RCVMORE), 0);
    }
    OK (zmq_close (req));
    OK (zmq_close (rep));
    OK (zmq_close (pull));
    OK (zmq_ctx_term (ctx));
    zmq_threadclose (thread);
}

static void expect_counts (void *control, const uint64_t *expected)
{
    for (int n = 0; n < 8; n++) {
        uint64_t number;
        IS (zmq_recv (control, &number, sizeof number, 0), sizeof number);
        IS (number, expected[n]);
        IS (int_option (control, ZMQ_RCVMORE), n < 7);
    }
}

static void steering (int control_type, int own_type)
{
    ctx = zmq_ctx_new ();
    struct proxy proxy;
    void *thread = begin_proxy (&proxy, control_type);
    void *control = connected (own_type, "inproc://control");
    void *req = connected (ZMQ_REQ, "inproc://front");
    void *rep = connected (ZMQ_REP, "inproc://back");
    const int is_answered = control_type == ZMQ_REP;
    send_text (control, "PAUSE", 0);
    if (is_answered)
        recv_text (control, "");
    send_text (control, "STATISTICS", 0);
    const uint64_t none[8] = {0};
    expect_counts (control, none);
    send_text (req, "question", 0);
    OK (set_int (rep, ZMQ_RCVTIMEO, 50));
    char buffer[16];
    FAILS (zmq_recv (rep, buffer, sizeof buffer, 0), EAGAIN);
    OK (set_int (rep, ZMQ_RCVTIMEO, 10000));
    send_text (control, "unknown", 0);
    if (is_answered)
        recv_text (control, "");
    send_text (control, "RESUME", 0);
    if (is_answered)
        recv_text (control, "");
    recv_text (rep, "question");
    send_text (rep, "answer", 0);
    recv_text (req, "answer");
    send_text (control, "STATISTICS", 0);
    /* Frames and bytes: an id of 5 bytes, a delimiter, a text. */
    const uint64_t moved[8] = {3, 13, 3, 11, 3, 11, 3, 13};
    expect_counts (control, moved);
    send_text (control, "TERMINATE", 0);
    if (is_answered)
        recv_text (control, "");
    zmq_threadclose (thread);
    OK (zmq_close (control));
    OK (zmq_close (req));
    OK (zmq_close (rep));
    OK (zmq_ctx_term (ctx));
}

static void echo (void *rep)
{
    FAILS (zmq_device (ZMQ_QUEUE, rep, rep), ETERM);
    OK (zmq_close (rep));
}

static void one_socket (void)
{
    ctx = zmq_ctx_new ();
    void *rep = socket_of (ctx, ZMQ_REP);
    OK (zmq_bind (rep, "inproc://echo"));
    void *thread = zmq_threadstart (echo, rep);
    void *req = connected (ZMQ_REQ, "inproc://echo");
    for (int n = 0; n < 3; n++) {
        send_text (req, "back", 0);
        recv_text (req, "back");
    }
    OK (zmq_close (req));
    OK (zmq_ctx_term (ctx));
    zmq_threadclose (thread);
}

int main (void)
{
    begin ();
    arguments ();
    forwarding ();
    steering (ZMQ_PAIR, ZMQ_PAIR);
    steering (ZMQ_REP, ZMQ_REQ);
    one_socket ();
    return 0;
}
