/* ZMQ_FD: readable when something comes, silent once it was looked at. */
#include "test.h"
#include <poll.h>

static int is_readable (int fd, int timeout)
{
    struct pollfd item = {fd, POLLIN, 0};
    return poll (&item, 1, timeout) == 1;
}

/* Waits as an event loop does, until an event is there. */
static void wait_for (void *socket, int fd, int event)
{
    while (!(int_option (socket, ZMQ_EVENTS) & event))
        CHECK (is_readable (fd, 10000));
}

static void over (const char *transport)
{
    void *ctx = zmq_ctx_new ();
    void *a = socket_of (ctx, ZMQ_PAIR), *b = socket_of (ctx, ZMQ_PAIR);
    int fd = int_option (b, ZMQ_FD);
    CHECK (fd > 2);
    IS (int_option (b, ZMQ_FD), fd);
    OK (zmq_connect (a, bind_free (b, transport)));
    for (int n = 0; n < 50; n++) {
        send_text (a, "x", 0);
        wait_for (b, fd, ZMQ_POLLIN);
        recv_text (b, "x");
        IS (int_option (b, ZMQ_EVENTS) & ZMQ_POLLIN, 0);
    }
    wait_for (b, fd, ZMQ_POLLOUT);
    /* With nothing coming, a loop is left in peace, whatever could be sent. */
    while (is_readable (fd, 20))
        int_option (b, ZMQ_EVENTS);
    /* A blocking call in between loses nothing. */
    send_text (a, "1", 0);
    recv_text (b, "1");
    send_text (a, "2", 0);
    wait_for (b, fd, ZMQ_POLLIN);
    recv_text (b, "2");
    OK (zmq_close (a));
    OK (zmq_close (b));
    OK (zmq_ctx_term (ctx));
}

static void the_end (void)
{
    void *ctx = zmq_ctx_new ();
    void *socket = socket_of (ctx, ZMQ_PULL);
    int fd = int_option (socket, ZMQ_FD);
    int_option (socket, ZMQ_EVENTS);
    OK (zmq_ctx_shutdown (ctx));
    CHECK (is_readable (fd, 10000));
    int value;
    size_t len = sizeof value;
    FAILS (zmq_getsockopt (socket, ZMQ_EVENTS, &value, &len), ETERM);
    OK (zmq_close (socket));
    OK (zmq_ctx_term (ctx));
}

int main (void)
{
    begin ();
    over ("inproc://fd");
    over ("ipc://*");
    over ("tcp://127.0.0.1:*");
    the_end ();
    return 0;
}
