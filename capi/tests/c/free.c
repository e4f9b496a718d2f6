/* Memory given for messages is given back once, when nothing of the library is held. */
#include "test.h"

static void *ctx;
static void *counter;

static void count (void *data, void *hint)
{
    CHECK (hint == counter);
    free (data);
    zmq_atomic_counter_inc (counter);
}

static void given (zmq_msg_t *msg, size_t size)
{
    void *data = malloc (size + 1);
    memset (data, 'd', size);
    OK (zmq_msg_init_data (msg, data, size, count, counter));
    CHECK (zmq_msg_data (msg) == data);
    IS (zmq_msg_size (msg), size);
}

static void freed_is (int expected)
{
    /* Other threads may be about to give it back. */
    for (int n = 0; n < 1000 && zmq_atomic_counter_value (counter) < expected; n++)
        zmq_poll (NULL, 0, 5);
    IS (zmq_atomic_counter_value (counter), expected);
    zmq_atomic_counter_set (counter, 0);
}

static void without_sending (void)
{
    zmq_msg_t msg, copy, moved;
    given (&msg, 10);
    OK (zmq_msg_close (&msg));
    freed_is (1);
    given (&msg, 0);
    OK (zmq_msg_close (&msg));
    freed_is (1);
    given (&msg, 1000);
    OK (zmq_msg_init (&copy));
    OK (zmq_msg_init (&moved));
    OK (zmq_msg_copy (&copy, &msg));
    OK (zmq_msg_move (&moved, &msg));
    OK (zmq_msg_close (&msg));
    OK (zmq_msg_close (&copy));
    IS (zmq_atomic_counter_value (counter), 0);
    OK (zmq_msg_close (&moved));
    freed_is (1);
}

static void sending (const char *transport)
{
    void *pull = socket_of (ctx, ZMQ_PULL), *push = socket_of (ctx, ZMQ_PUSH);
    OK (zmq_connect (push, bind_free (pull, transport)));
    const size_t sizes[] = {1, 100, 2000, 10000, 1000000};
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++) {
        zmq_msg_t msg;
        given (&msg, sizes[n]);
        IS (zmq_msg_send (&msg, push, 0), sizes[n]);
        OK (zmq_msg_close (&msg));
        OK (zmq_msg_init (&msg));
        IS (zmq_msg_recv (&msg, pull, 0), sizes[n]);
        CHECK (((char *) zmq_msg_data (&msg))[sizes[n] - 1] == 'd');
        OK (zmq_msg_close (&msg));
        freed_is (1);
        /* The receiver wants a copy of the beginning. */
        char beginning;
        given (&msg, sizes[n]);
        IS (zmq_msg_send (&msg, push, 0), sizes[n]);
        OK (zmq_msg_close (&msg));
        IS (zmq_recv (pull, &beginning, 1, 0), sizes[n]);
        CHECK (beginning == 'd');
        freed_is (1);
    }
    /* Not even received. */
    zmq_msg_t msg;
    given (&msg, 1000);
    IS (zmq_msg_send (&msg, push, 0), 1000);
    OK (zmq_msg_close (&msg));
    OK (set_int (push, ZMQ_LINGER, 0));
    OK (zmq_close (push));
    OK (zmq_close (pull));
    freed_is (1);
}

static void *pub;

/* Uses the very socket whose call dropped the message. */
static void publish_again (void *data, void *hint)
{
    free (data);
    if (zmq_atomic_counter_inc (hint) < 10) {
        zmq_msg_t msg;
        OK (zmq_msg_init_data (&msg, calloc (1, 100), 100, publish_again, hint));
        IS (zmq_msg_send (&msg, pub, 0), 100);
        OK (zmq_msg_close (&msg));
    }
    errno = 77;
}

static void calling_the_library_again (void)
{
    pub = socket_of (ctx, ZMQ_PUB);
    zmq_msg_t msg;
    OK (zmq_msg_init_data (&msg, calloc (1, 100), 100, publish_again, counter));
    /* Nobody subscribes: it is dropped within the call. */
    IS (zmq_msg_send (&msg, pub, 0), 100);
    freed_is (11);
    OK (zmq_msg_close (&msg));
    /* And the call's own error is not disturbed. */
    OK (zmq_msg_init_data (&msg, calloc (1, 100), 100, publish_again, counter));
    zmq_atomic_counter_set (counter, 20);
    FAILS (zmq_msg_recv (&msg, pub, 0), ENOTSUP);
    OK (zmq_msg_close (&msg));
    freed_is (21);
    OK (zmq_close (pub));
}

/* A socket per thread that gives memory back, as garbage collectors do. */
static void tell (void *data, void *hint)
{
    free (data);
    void *push = zmq_socket (ctx, ZMQ_PUSH);
    CHECK (push != NULL);
    OK (zmq_connect (push, "inproc://collector"));
    send_text (push, "freed", 0);
    OK (zmq_close (push));
    (void) hint;
}

static void from_io_threads (void)
{
    void *collector = socket_of (ctx, ZMQ_PULL);
    OK (zmq_bind (collector, "inproc://collector"));
    void *pull = socket_of (ctx, ZMQ_PULL), *push = socket_of (ctx, ZMQ_PUSH);
    OK (zmq_connect (push, bind_free (pull, "tcp://127.0.0.1:*")));
    for (int n = 0; n < 20; n++) {
        zmq_msg_t msg;
        OK (zmq_msg_init_data (&msg, calloc (1, 100000), 100000, tell, NULL));
        IS (zmq_msg_send (&msg, push, 0), 100000);
    }
    for (int n = 0; n < 20; n++) {
        IS (zmq_recv (pull, NULL, 0, 0), 100000);
        recv_text (collector, "freed");
    }
    OK (zmq_close (push));
    OK (zmq_close (pull));
    OK (zmq_close (collector));
}

int main (void)
{
    begin ();
    ctx = zmq_ctx_new ();
    counter = zmq_atomic_counter_new ();
    without_sending ();
    sending ("inproc://free");
    sending ("ipc://*");
    sending ("tcp://127.0.0.1:*");
    calling_the_library_again ();
    from_io_threads ();
    OK (zmq_ctx_term (ctx));
    zmq_atomic_counter_destroy (&counter);
    CHECK (counter == NULL);
    return 0;
}
