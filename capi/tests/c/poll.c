/* zmq_poll and zmq_ppoll. */
#include "test.h"

static void *ctx;

static long millis (void *watch)
{
    return (long) (zmq_stopwatch_intermediate (watch) / 1000);
}

static void arguments (void)
{
    void *socket = socket_of (ctx, ZMQ_PULL);
    zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
    FAILS (zmq_poll (&item, -1, 0), EINVAL);
    FAILS (zmq_poll (NULL, 1, 0), EFAULT);
    FAILS (zmq_ppoll (&item, -1, 0, NULL), EINVAL);
    FAILS (zmq_ppoll (NULL, 1, 0, NULL), EFAULT);
    IS (zmq_poll (NULL, 0, 0), 0);
    IS (zmq_poll (&item, 1, 0), 0);
    OK (zmq_close (socket));
    FAILS (zmq_poll (&item, 1, 0), ENOTSOCK);
}

static void time_limits (void)
{
    void *watch = zmq_stopwatch_start ();
    IS (zmq_poll (NULL, 0, 30), 0);
    CHECK (millis (watch) >= 30);
    void *socket = socket_of (ctx, ZMQ_PULL);
    zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 77};
    IS (zmq_poll (&item, 1, 30), 0);
    IS (item.revents, 0);
    IS (zmq_ppoll (&item, 1, 30, NULL), 0);
    CHECK (millis (watch) >= 90);
    zmq_stopwatch_stop (watch);
    OK (zmq_close (socket));
}

static void sockets_and_descriptors (void)
{
    void *push = socket_of (ctx, ZMQ_PUSH), *pull = socket_of (ctx, ZMQ_PULL);
    OK (zmq_bind (push, "inproc://poll"));
    OK (zmq_connect (pull, "inproc://poll"));
    int fds[2];
    OK (pipe (fds));
    /* An item may come twice, and may wait for nothing. */
    zmq_pollitem_t items[] = {{push, 0, ZMQ_POLLOUT, 0}, {pull, 0, ZMQ_POLLIN, 0},
                              {NULL, fds[0], ZMQ_POLLIN, 0}, {NULL, fds[1], ZMQ_POLLOUT, 0},
                              {pull, 0, ZMQ_POLLIN, 0},     {pull, 0, 0, 0},
                              {NULL, -1, ZMQ_POLLIN, 0}};
    IS (zmq_poll (items, 7, 1000), 2);
    IS (items[0].revents, ZMQ_POLLOUT);
    IS (items[1].revents, 0);
    IS (items[2].revents, 0);
    IS (items[3].revents, ZMQ_POLLOUT);
    send_text (push, "x", 0);
    IS (write (fds[1], "x", 1), 1);
    IS (zmq_poll (items, 7, -1), 5);
    IS (items[1].revents, ZMQ_POLLIN);
    IS (items[2].revents, ZMQ_POLLIN);
    IS (items[4].revents, ZMQ_POLLIN);
    IS (items[5].revents, 0);
    IS (items[6].revents, 0);
    /* What is not done is found again. */
    IS (zmq_poll (items, 7, -1), 5);
    IS (zmq_ppoll (items, 7, -1, NULL), 5);
    recv_text (pull, "x");
    char byte;
    IS (read (fds[0], &byte, 1), 1);
    IS (zmq_poll (items, 7, 0), 2);
    /* A closed descriptor is an error. */
    close (fds[0]);
    close (fds[1]);
    zmq_pollitem_t gone = {NULL, fds[0], ZMQ_POLLIN, 0};
    IS (zmq_poll (&gone, 1, 0), 1);
    IS (gone.revents, ZMQ_POLLERR);
    OK (zmq_close (push));
    OK (zmq_close (pull));
}

static void send_later (void *push)
{
    zmq_poll (NULL, 0, 30);
    send_text (push, "late", 0);
}

static void a_wait_is_ended_by_a_message (const char *transport)
{
    void *push = socket_of (ctx, ZMQ_PUSH), *pull = socket_of (ctx, ZMQ_PULL);
    OK (zmq_connect (push, bind_free (pull, transport)));
    void *thread = zmq_threadstart (send_later, push);
    zmq_pollitem_t item = {pull, 0, ZMQ_POLLIN, 0};
    IS (zmq_poll (&item, 1, -1), 1);
    IS (item.revents, ZMQ_POLLIN);
    recv_text (pull, "late");
    zmq_threadclose (thread);
    OK (zmq_close (push));
    OK (zmq_close (pull));
}

static void many_items (void)
{
    void *sockets[40];
    zmq_pollitem_t items[40];
    for (int n = 0; n < 40; n++) {
        char name[32];
        sprintf (name, "inproc://many-%d", n);
        sockets[n] = socket_of (ctx, ZMQ_PULL);
        OK (zmq_bind (sockets[n], name));
        items[n] = (zmq_pollitem_t) {sockets[n], 0, ZMQ_POLLIN, 0};
    }
    void *push = socket_of (ctx, ZMQ_PUSH);
    OK (zmq_connect (push, "inproc://many-37"));
    send_text (push, "x", 0);
    IS (zmq_poll (items, 40, -1), 1);
    IS (items[37].revents, ZMQ_POLLIN);
    for (int n = 0; n < 40; n++)
        OK (zmq_close (sockets[n]));
    OK (zmq_close (push));
}

int main (void)
{
    begin ();
    ctx = zmq_ctx_new ();
    arguments ();
    time_limits ();
    sockets_and_descriptors ();
    a_wait_is_ended_by_a_message ("inproc://wait");
    a_wait_is_ended_by_a_message ("tcp://127.0.0.1:*");
    many_items ();
    OK (zmq_ctx_term (ctx));
    return 0;
}
