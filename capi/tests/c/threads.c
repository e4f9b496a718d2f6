/* Sockets move between threads, and may even be shared. */
#include "test.h"

enum { MESSAGES = 5000 };

static void send_many (void *push)
{
    for (int n = 0; n < MESSAGES; n++)
        send_text (push, "x", 0);
}

static void receive_many (void *pull)
{
    for (int n = 0; n < MESSAGES; n++)
        recv_text (pull, "x");
}

/* One thread waits to receive while others send with the same socket. */
static void sharing (const char *transport)
{
    void *ctx = zmq_ctx_new ();
    void *a = socket_of (ctx, ZMQ_DEALER), *b = socket_of (ctx, ZMQ_DEALER);
    OK (zmq_connect (a, bind_free (b, transport)));
    void *threads[6] = {zmq_threadstart (receive_many, a), zmq_threadstart (receive_many, b),
                        zmq_threadstart (receive_many, b), zmq_threadstart (send_many, a),
                        zmq_threadstart (send_many, a),    zmq_threadstart (send_many, b)};
    for (int n = 0; n < 6; n++)
        zmq_threadclose (threads[n]);
    OK (zmq_close (a));
    OK (zmq_close (b));
    OK (zmq_ctx_term (ctx));
}

static void moving (void)
{
    void *ctx = zmq_ctx_new ();
    void *push = socket_of (ctx, ZMQ_PUSH), *pull = socket_of (ctx, ZMQ_PULL);
    OK (zmq_connect (push, bind_free (pull, "inproc://moving")));
    for (int n = 0; n < 3; n++) {
        void *sender = zmq_threadstart (send_many, push);
        void *receiver = zmq_threadstart (receive_many, pull);
        zmq_threadclose (sender);
        zmq_threadclose (receiver);
    }
    OK (zmq_close (push));
    OK (zmq_close (pull));
    OK (zmq_ctx_term (ctx));
}

int main (void)
{
    begin ();
    sharing ("inproc://sharing");
    sharing ("tcp://127.0.0.1:*");
    moving ();
    return 0;
}
