/* zmq_poller_*. */
#include "test.h"

static void *ctx;

static void bad_pollers (void)
{
    void *none = NULL;
    zmq_poller_event_t event;
    int fd;
    FAILS (zmq_poller_destroy (NULL), EFAULT);
    FAILS (zmq_poller_destroy (&none), EFAULT);
    FAILS (zmq_poller_size (NULL), EFAULT);
    FAILS (zmq_poller_add (NULL, NULL, NULL, 0), EFAULT);
    FAILS (zmq_poller_modify (NULL, NULL, 0), EFAULT);
    FAILS (zmq_poller_remove (NULL, NULL), EFAULT);
    FAILS (zmq_poller_add_fd (NULL, 0, NULL, 0), EFAULT);
    FAILS (zmq_poller_modify_fd (NULL, 0, 0), EFAULT);
    FAILS (zmq_poller_remove_fd (NULL, 0), EFAULT);
    FAILS (zmq_poller_wait (NULL, &event, 0), EFAULT);
    FAILS (zmq_poller_wait_all (NULL, &event, 1, 0), EFAULT);
    FAILS (zmq_poller_fd (NULL, &fd), EFAULT);
    void *socket = socket_of (ctx, ZMQ_PULL);
    FAILS (zmq_poller_size (socket), EFAULT);
    OK (zmq_close (socket));
}

static void members (void)
{
    void *poller = zmq_poller_new ();
    CHECK (poller != NULL);
    void *socket = socket_of (ctx, ZMQ_PULL);
    IS (zmq_poller_size (poller), 0);
    FAILS (zmq_poller_add (poller, NULL, NULL, ZMQ_POLLIN), ENOTSOCK);
    FAILS (zmq_poller_add (poller, socket, NULL, 16), EINVAL);
    OK (zmq_poller_add (poller, socket, NULL, ZMQ_POLLIN));
    FAILS (zmq_poller_add (poller, socket, NULL, ZMQ_POLLIN), EINVAL);
    IS (zmq_poller_size (poller), 1);
    OK (zmq_poller_modify (poller, socket, ZMQ_POLLOUT));
    FAILS (zmq_poller_modify (poller, socket, -1), EINVAL);
    FAILS (zmq_poller_modify (poller, NULL, 0), ENOTSOCK);
    FAILS (zmq_poller_remove (poller, NULL), ENOTSOCK);
    OK (zmq_poller_remove (poller, socket));
    FAILS (zmq_poller_remove (poller, socket), EINVAL);
    FAILS (zmq_poller_modify (poller, socket, ZMQ_POLLIN), EINVAL);
    FAILS (zmq_poller_add_fd (poller, -1, NULL, ZMQ_POLLIN), EBADF);
    FAILS (zmq_poller_modify_fd (poller, -1, ZMQ_POLLIN), EBADF);
    FAILS (zmq_poller_remove_fd (poller, -1), EBADF);
    OK (zmq_poller_add_fd (poller, 0, NULL, ZMQ_POLLIN));
    FAILS (zmq_poller_add_fd (poller, 0, NULL, ZMQ_POLLIN), EINVAL);
    FAILS (zmq_poller_add_fd (poller, 1, NULL, 64), EINVAL);
    OK (zmq_poller_modify_fd (poller, 0, ZMQ_POLLOUT));
    FAILS (zmq_poller_modify_fd (poller, 7, ZMQ_POLLOUT), EINVAL);
    OK (zmq_poller_remove_fd (poller, 0));
    FAILS (zmq_poller_remove_fd (poller, 0), EINVAL);
    /* Only thread-safe sockets have one. */
    int fd;
    FAILS (zmq_poller_fd (poller, &fd), EINVAL);
    FAILS (zmq_poller_fd (poller, NULL), EFAULT);
    void *stale = poller;
    OK (zmq_poller_destroy (&poller));
    CHECK (poller == NULL);
    FAILS (zmq_poller_destroy (&stale), EFAULT);
    OK (zmq_close (socket));
}

static void waiting (void)
{
    void *poller = zmq_poller_new ();
    zmq_poller_event_t event = {poller, 5, poller, 7}, events[3];
    FAILS (zmq_poller_wait (poller, NULL, 0), EFAULT);
    FAILS (zmq_poller_wait_all (poller, NULL, 1, 0), EFAULT);
    FAILS (zmq_poller_wait_all (poller, events, -1, 0), EINVAL);
    FAILS (zmq_poller_wait (poller, &event, -1), EFAULT);
    FAILS (zmq_poller_wait (poller, &event, 5), EAGAIN);
    CHECK (event.socket == NULL && event.fd == -1 && event.user_data == NULL && event.events == 0);

    void *push = socket_of (ctx, ZMQ_PUSH), *pull = socket_of (ctx, ZMQ_PULL);
    OK (zmq_bind (push, "inproc://poller"));
    OK (zmq_connect (pull, "inproc://poller"));
    int data = 0, fds[2];
    OK (pipe (fds));
    OK (zmq_poller_add (poller, pull, &data, ZMQ_POLLIN));
    FAILS (zmq_poller_wait (poller, &event, 0), EAGAIN);
    send_text (push, "x", 0);
    OK (zmq_poller_wait (poller, &event, -1));
    CHECK (event.socket == pull && event.user_data == &data && event.events == ZMQ_POLLIN);
    OK (zmq_poller_add_fd (poller, fds[0], fds, ZMQ_POLLIN));
    IS (write (fds[1], "x", 1), 1);
    IS (zmq_poller_wait_all (poller, events, 3, -1), 2);
    CHECK (events[0].socket == pull);
    CHECK (events[1].socket == NULL && events[1].fd == fds[0] && events[1].user_data == fds);
    CHECK (events[2].socket == NULL && events[2].events == 0);
    IS (zmq_poller_wait_all (poller, events, 1, -1), 1);
    /* Without events, nothing of it is found. */
    OK (zmq_poller_modify (poller, pull, 0));
    IS (zmq_poller_wait_all (poller, events, 3, -1), 1);
    CHECK (events[0].fd == fds[0]);
    OK (zmq_poller_modify_fd (poller, fds[0], 0));
    FAILS (zmq_poller_wait (poller, &event, -1), EFAULT);
    OK (zmq_poller_destroy (&poller));
    close (fds[0]);
    close (fds[1]);
    OK (zmq_close (push));
    OK (zmq_close (pull));
}

static void a_socket_in_two_pollers (void)
{
    void *a = zmq_poller_new (), *b = zmq_poller_new ();
    void *pair = socket_of (ctx, ZMQ_PAIR), *peer = socket_of (ctx, ZMQ_PAIR);
    OK (zmq_bind (pair, "inproc://two"));
    OK (zmq_connect (peer, "inproc://two"));
    OK (zmq_poller_add (a, pair, NULL, ZMQ_POLLIN));
    OK (zmq_poller_add (b, pair, NULL, ZMQ_POLLIN));
    send_text (peer, "x", 0);
    zmq_poller_event_t event;
    OK (zmq_poller_wait (a, &event, -1));
    OK (zmq_poller_wait (b, &event, -1));
    recv_text (pair, "x");
    FAILS (zmq_poller_wait (a, &event, 0), EAGAIN);
    OK (zmq_poller_destroy (&a));
    OK (zmq_poller_destroy (&b));
    OK (zmq_close (pair));
    OK (zmq_close (peer));
}

int main (void)
{
    begin ();
    ctx = zmq_ctx_new ();
    bad_pollers ();
    members ();
    waiting ();
    a_socket_in_two_pollers ();
    OK (zmq_ctx_term (ctx));
    return 0;
}
