/* Contexts and their options. */
#include "test.h"

static void options (void)
{
    void *ctx = zmq_ctx_new ();
    CHECK (ctx != NULL);
    IS (zmq_ctx_get (ctx, ZMQ_IO_THREADS), 1);
    IS (zmq_ctx_get (ctx, ZMQ_MAX_SOCKETS), 1023);
    IS (zmq_ctx_get (ctx, ZMQ_SOCKET_LIMIT), 65535);
    IS (zmq_ctx_get (ctx, ZMQ_THREAD_SCHED_POLICY), -1);
    IS (zmq_ctx_get (ctx, ZMQ_MAX_MSGSZ), 0x7fffffff);
    IS (zmq_ctx_get (ctx, ZMQ_MSG_T_SIZE), sizeof (zmq_msg_t));
    IS (zmq_ctx_get (ctx, ZMQ_THREAD_NAME_PREFIX), 0);
    IS (zmq_ctx_get (ctx, ZMQ_ZERO_COPY_RECV), 1);
    IS (zmq_ctx_get (ctx, ZMQ_IPV6), 0);
    IS (zmq_ctx_get (ctx, ZMQ_BLOCKY), 1);

    const int settable[][2] = {{ZMQ_IO_THREADS, 3}, {ZMQ_MAX_SOCKETS, 5},
                               {ZMQ_THREAD_SCHED_POLICY, 0}, {ZMQ_MAX_MSGSZ, 1000},
                               {ZMQ_ZERO_COPY_RECV, 0}, {ZMQ_IPV6, 1}, {ZMQ_BLOCKY, 0},
                               {ZMQ_THREAD_NAME_PREFIX, 1234}};
    for (size_t n = 0; n < sizeof settable / sizeof *settable; n++) {
        OK (zmq_ctx_set (ctx, settable[n][0], settable[n][1]));
        IS (zmq_ctx_get (ctx, settable[n][0]), settable[n][1]);
        FAILS (zmq_ctx_set (ctx, settable[n][0], -1), EINVAL);
        IS (zmq_ctx_get (ctx, settable[n][0]), settable[n][1]);
    }
    OK (zmq_ctx_set (ctx, ZMQ_THREAD_PRIORITY, 0));
    FAILS (zmq_ctx_set (ctx, ZMQ_MAX_SOCKETS, 0), EINVAL);
    OK (zmq_ctx_set (ctx, ZMQ_THREAD_AFFINITY_CPU_ADD, 0));
    OK (zmq_ctx_set (ctx, ZMQ_THREAD_AFFINITY_CPU_REMOVE, 0));
    FAILS (zmq_ctx_set (ctx, ZMQ_THREAD_AFFINITY_CPU_REMOVE, 0), EINVAL);
    FAILS (zmq_ctx_set (ctx, 99, 1), EINVAL);
    FAILS (zmq_ctx_get (ctx, 99), EINVAL);
    FAILS (zmq_ctx_set (NULL, ZMQ_IO_THREADS, 1), EFAULT);
    FAILS (zmq_ctx_get (NULL, ZMQ_IO_THREADS), EFAULT);
    OK (zmq_ctx_term (ctx));
}

static void extended_options (void)
{
    void *ctx = zmq_ctx_new ();
    int threads = 2;
    OK (zmq_ctx_set_ext (ctx, ZMQ_IO_THREADS, &threads, sizeof threads));
    int value = 0;
    size_t len = sizeof value;
    OK (zmq_ctx_get_ext (ctx, ZMQ_IO_THREADS, &value, &len));
    IS (value, 2);
    IS (len, sizeof value);
    char prefix[] = "abc";
    OK (zmq_ctx_set_ext (ctx, ZMQ_THREAD_NAME_PREFIX, prefix, sizeof prefix));
    char found[16];
    len = sizeof found;
    OK (zmq_ctx_get_ext (ctx, ZMQ_THREAD_NAME_PREFIX, found, &len));
    CHECK (strcmp (found, "abc") == 0 && len == 4);
    FAILS (zmq_ctx_set_ext (ctx, ZMQ_THREAD_NAME_PREFIX, "12345678901234567", 17), EINVAL);
    FAILS (zmq_ctx_set_ext (ctx, ZMQ_THREAD_NAME_PREFIX, "", 0), EINVAL);
    FAILS (zmq_ctx_set_ext (ctx, ZMQ_IO_THREADS, &threads, 1), EINVAL);
    len = 1;
    FAILS (zmq_ctx_get_ext (ctx, ZMQ_IO_THREADS, &value, &len), EINVAL);
    len = sizeof value + 1;
    FAILS (zmq_ctx_get_ext (ctx, ZMQ_IO_THREADS, &value, &len), EINVAL);
    FAILS (zmq_ctx_set_ext (NULL, ZMQ_IO_THREADS, &threads, sizeof threads), EFAULT);
    FAILS (zmq_ctx_get_ext (NULL, ZMQ_IO_THREADS, &value, &len), EFAULT);
    OK (zmq_ctx_term (ctx));
}

static void limits (void)
{
    void *ctx = zmq_ctx_new ();
    OK (zmq_ctx_set (ctx, ZMQ_MAX_SOCKETS, 2));
    void *a = socket_of (ctx, ZMQ_PAIR);
    void *b = socket_of (ctx, ZMQ_PAIR);
    IS_NULL (zmq_socket (ctx, ZMQ_PAIR), EMFILE);
    OK (zmq_close (a));
    OK (zmq_close (b));
    OK (zmq_ctx_term (ctx));
}

static void no_io_threads (void)
{
    void *ctx = zmq_init (0);
    void *a = socket_of (ctx, ZMQ_PAIR);
    void *b = socket_of (ctx, ZMQ_PAIR);
    FAILS (zmq_bind (a, "tcp://127.0.0.1:*"), EMTHREAD);
    FAILS (zmq_connect (a, "tcp://127.0.0.1:5555"), EMTHREAD);
    OK (zmq_bind (a, "inproc://a"));
    OK (zmq_connect (b, "inproc://a"));
    send_text (a, "hello", 0);
    recv_text (b, "hello");
    OK (zmq_close (a));
    OK (zmq_close (b));
    OK (zmq_term (ctx));
    IS_NULL (zmq_init (-1), EINVAL);
}

static void inheritance (void)
{
    void *ctx = zmq_ctx_new ();
    OK (zmq_ctx_set (ctx, ZMQ_IPV6, 1));
    OK (zmq_ctx_set (ctx, ZMQ_BLOCKY, 0));
    void *socket = socket_of (ctx, ZMQ_PUSH);
    IS (int_option (socket, ZMQ_IPV6), 1);
    IS (int_option (socket, ZMQ_LINGER), 0);
    OK (zmq_close (socket));
    OK (zmq_ctx_destroy (ctx));
}

static void shutdown_and_end (void)
{
    void *ctx = zmq_ctx_new ();
    void *socket = zmq_socket (ctx, ZMQ_REP);
    OK (zmq_ctx_shutdown (ctx));
    OK (zmq_ctx_shutdown (ctx));
    char buffer[1];
    FAILS (zmq_recv (socket, buffer, 1, 0), ETERM);
    FAILS (zmq_send (socket, buffer, 1, 0), ETERM);
    FAILS (zmq_bind (socket, "inproc://a"), ETERM);
    FAILS (zmq_connect (socket, "inproc://a"), ETERM);
    FAILS (zmq_unbind (socket, "inproc://a"), ETERM);
    FAILS (set_int (socket, ZMQ_LINGER, 0), ETERM);
    int value;
    size_t len = sizeof value;
    FAILS (zmq_getsockopt (socket, ZMQ_LINGER, &value, &len), ETERM);
    FAILS (zmq_getsockopt (socket, ZMQ_EVENTS, &value, &len), ETERM);
    zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
    FAILS (zmq_poll (&item, 1, -1), ETERM);
    IS_NULL (zmq_socket (ctx, ZMQ_REP), ETERM);
    OK (zmq_close (socket));
    OK (zmq_ctx_term (ctx));
    FAILS (zmq_ctx_term (ctx), EFAULT);
    FAILS (zmq_ctx_shutdown (ctx), EFAULT);
    FAILS (zmq_ctx_set (ctx, ZMQ_IO_THREADS, 1), EFAULT);
    IS_NULL (zmq_socket (ctx, ZMQ_REP), EFAULT);
    FAILS (zmq_ctx_term (NULL), EFAULT);
    FAILS (zmq_ctx_shutdown (NULL), EFAULT);
    IS_NULL (zmq_socket (NULL, ZMQ_REP), EFAULT);
}

static void receive_until_the_end (void *socket)
{
    char buffer[1];
    FAILS (zmq_recv (socket, buffer, 1, 0), ETERM);
    OK (zmq_close (socket));
}

static void end_wakes_who_waits (void)
{
    void *ctx = zmq_ctx_new ();
    void *socket = zmq_socket (ctx, ZMQ_PULL);
    void *thread = zmq_threadstart (receive_until_the_end, socket);
    OK (zmq_ctx_term (ctx));
    zmq_threadclose (thread);
}

static void end_waits_for_messages (void)
{
    void *ctx = zmq_ctx_new ();
    void *other = zmq_ctx_new ();
    void *pull = socket_of (other, ZMQ_PULL);
    const char *endpoint = bind_free (pull, "tcp://127.0.0.1:*");
    void *push = socket_of (ctx, ZMQ_PUSH);
    OK (zmq_connect (push, endpoint));
    for (int n = 0; n < 100; n++)
        send_text (push, "kept", 0);
    OK (zmq_close (push));
    OK (zmq_ctx_term (ctx));
    for (int n = 0; n < 100; n++)
        recv_text (pull, "kept");
    OK (zmq_close (pull));
    OK (zmq_ctx_term (other));
}

static void end_does_not_wait_for_a_bind_that_never_comes (void)
{
    void *ctx = zmq_ctx_new ();
    void *socket = socket_of (ctx, ZMQ_DEALER);
    OK (zmq_connect (socket, "inproc://nobody"));
    send_text (socket, "lost", 0);
    OK (zmq_close (socket));
    OK (zmq_ctx_term (ctx));
}

int main (void)
{
    begin ();
    options ();
    extended_options ();
    limits ();
    no_io_threads ();
    inheritance ();
    shutdown_and_end ();
    end_wakes_who_waits ();
    end_waits_for_messages ();
    end_does_not_wait_for_a_bind_that_never_comes ();
    return 0;
}
