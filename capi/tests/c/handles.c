/* Handles that are none are told so. */
#include "test.h"

static void expect_no_socket (void *handle)
{
    char buffer[1];
    int value;
    size_t len = sizeof value;
    FAILS (zmq_close (handle), ENOTSOCK);
    FAILS (zmq_bind (handle, "inproc://x"), ENOTSOCK);
    FAILS (zmq_connect (handle, "inproc://x"), ENOTSOCK);
    FAILS (zmq_unbind (handle, "inproc://x"), ENOTSOCK);
    FAILS (zmq_disconnect (handle, "inproc://x"), ENOTSOCK);
    FAILS (zmq_send (handle, "x", 1, 0), ENOTSOCK);
    FAILS (zmq_recv (handle, buffer, 1, 0), ENOTSOCK);
    FAILS (zmq_getsockopt (handle, ZMQ_TYPE, &value, &len), ENOTSOCK);
    FAILS (set_int (handle, ZMQ_LINGER, 0), ENOTSOCK);
    FAILS (zmq_socket_monitor (handle, "inproc://x", 1), ENOTSOCK);
    zmq_pollitem_t item = {handle, 0, ZMQ_POLLIN, 0};
    if (handle != NULL)
        FAILS (zmq_poll (&item, 1, 0), ENOTSOCK);
}

static void close_it (void *socket)
{
    zmq_poll (NULL, 0, 30);
    OK (zmq_close (socket));
}

int main (void)
{
    begin ();
    void *ctx = zmq_ctx_new ();
    expect_no_socket (NULL);
    expect_no_socket (ctx);
    void *socket = zmq_socket (ctx, ZMQ_PULL);
    OK (zmq_close (socket));
    expect_no_socket (socket);
    /* Closed ones stay closed, however many are opened after them. */
    for (int n = 0; n < 30; n++)
        OK (zmq_close (zmq_socket (ctx, ZMQ_PULL)));
    expect_no_socket (socket);

    /* One that is closed by another thread ends the wait for it. */
    socket = zmq_socket (ctx, ZMQ_PULL);
    void *thread = zmq_threadstart (close_it, socket);
    char buffer[1];
    FAILS (zmq_recv (socket, buffer, 1, 0), ENOTSOCK);
    zmq_threadclose (thread);
    OK (zmq_ctx_term (ctx));
    return 0;
}
