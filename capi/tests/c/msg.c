/* zmq_msg_t. */
#include "test.h"

static void sizes (void)
{
    const size_t all[] = {0, 1, 33, 38, 39, 64, 1000, 100000, 3000000};
    for (size_t n = 0; n < sizeof all / sizeof *all; n++) {
        zmq_msg_t msg;
        OK (zmq_msg_init_size (&msg, all[n]));
        IS (zmq_msg_size (&msg), all[n]);
        char *data = (char *) zmq_msg_data (&msg);
        CHECK (data != NULL);
        memset (data, 7, all[n]);
        CHECK (zmq_msg_data (&msg) == data);
        IS (zmq_msg_more (&msg), 0);
        OK (zmq_msg_close (&msg));
    }
    zmq_msg_t msg;
    FAILS (zmq_msg_init_size (&msg, (size_t) -1), ENOMEM);
    FAILS (zmq_msg_init_size (&msg, ((size_t) -1) / 2), ENOMEM);
    OK (zmq_msg_init (&msg));
    IS (zmq_msg_size (&msg), 0);
    OK (zmq_msg_close (&msg));
    IS (sizeof (zmq_msg_t), 64);
}

static void closing (void)
{
    zmq_msg_t msg, other;
    OK (zmq_msg_init (&msg));
    OK (zmq_msg_init (&other));
    OK (zmq_msg_close (&msg));
    FAILS (zmq_msg_close (&msg), EFAULT);
    FAILS (zmq_msg_close (NULL), EFAULT);
    FAILS (zmq_msg_move (&msg, &other), EFAULT);
    FAILS (zmq_msg_move (&other, &msg), EFAULT);
    FAILS (zmq_msg_copy (&msg, &other), EFAULT);
    FAILS (zmq_msg_copy (&other, &msg), EFAULT);
    OK (zmq_msg_close (&other));
}

static void moving_and_copying (void)
{
    for (int large = 0; large < 2; large++) {
        size_t size = large ? 1000 : 10;
        zmq_msg_t a, b, c;
        OK (zmq_msg_init_size (&a, size));
        memset (zmq_msg_data (&a), 'a', size);
        OK (zmq_msg_init_size (&b, 5));
        OK (zmq_msg_move (&b, &a));
        IS (zmq_msg_size (&a), 0);
        IS (zmq_msg_size (&b), size);
        OK (zmq_msg_init (&c));
        IS (zmq_msg_get (&b, ZMQ_SHARED), 0);
        OK (zmq_msg_copy (&c, &b));
        IS (zmq_msg_size (&c), size);
        CHECK (memcmp (zmq_msg_data (&b), zmq_msg_data (&c), size) == 0);
        IS (zmq_msg_get (&b, ZMQ_SHARED), large);
        IS (zmq_msg_get (&c, ZMQ_SHARED), large);
        if (large)
            CHECK (zmq_msg_data (&b) == zmq_msg_data (&c));
        OK (zmq_msg_close (&a));
        OK (zmq_msg_close (&b));
        IS (zmq_msg_get (&c, ZMQ_SHARED), 0);
        OK (zmq_msg_close (&c));
    }
    zmq_msg_t own;
    OK (zmq_msg_init_buffer (&own, "itself", 6));
    OK (zmq_msg_move (&own, &own));
    IS (zmq_msg_size (&own), 6);
    OK (zmq_msg_close (&own));
}

static void from_buffers (void)
{
    zmq_msg_t msg;
    OK (zmq_msg_init_buffer (&msg, "text", 4));
    CHECK (memcmp (zmq_msg_data (&msg), "text", 4) == 0);
    OK (zmq_msg_close (&msg));
    OK (zmq_msg_init_buffer (&msg, NULL, 0));
    IS (zmq_msg_size (&msg), 0);
    OK (zmq_msg_close (&msg));

    static char constant[] = "constant memory, which is never given back";
    OK (zmq_msg_init_data (&msg, constant, sizeof constant, NULL, NULL));
    CHECK (zmq_msg_data (&msg) == constant);
    IS (zmq_msg_get (&msg, ZMQ_SHARED), 1);
    OK (zmq_msg_close (&msg));
}

static void properties (void)
{
    zmq_msg_t msg;
    OK (zmq_msg_init (&msg));
    IS (zmq_msg_get (&msg, ZMQ_MORE), 0);
    FAILS (zmq_msg_get (&msg, ZMQ_SRCFD), EINVAL);
    FAILS (zmq_msg_get (&msg, 99), EINVAL);
    FAILS (zmq_msg_set (&msg, ZMQ_MORE, 1), EINVAL);
    IS_NULL (zmq_msg_gets (&msg, "Socket-Type"), EINVAL);
    IS (zmq_msg_routing_id (&msg), 0);
    FAILS (zmq_msg_set_routing_id (&msg, 0), EINVAL);
    OK (zmq_msg_set_routing_id (&msg, 17));
    IS (zmq_msg_routing_id (&msg), 17);
    CHECK (strcmp (zmq_msg_group (&msg), "") == 0);
    OK (zmq_msg_set_group (&msg, "weather"));
    CHECK (strcmp (zmq_msg_group (&msg), "weather") == 0);
    char name[300];
    memset (name, 'g', sizeof name);
    name[255] = 0;
    OK (zmq_msg_set_group (&msg, name));
    CHECK (strcmp (zmq_msg_group (&msg), name) == 0);
    OK (zmq_msg_close (&msg));
}

static void metadata (void)
{
    void *ctx = zmq_ctx_new ();
    void *rep = socket_of (ctx, ZMQ_REP);
    void *req = socket_of (ctx, ZMQ_REQ);
    OK (zmq_setsockopt (req, ZMQ_ROUTING_ID, "who", 3));
    OK (zmq_setsockopt (req, ZMQ_METADATA, "X-key:value", 11));
    OK (zmq_connect (req, bind_free (rep, "tcp://127.0.0.1:*")));
    send_text (req, "x", 0);
    zmq_msg_t msg;
    OK (zmq_msg_init (&msg));
    IS (zmq_msg_recv (&msg, rep, 0), 1);
    CHECK (strcmp (zmq_msg_gets (&msg, "Socket-Type"), "REQ") == 0);
    CHECK (strcmp (zmq_msg_gets (&msg, "Identity"), "who") == 0);
    CHECK (strcmp (zmq_msg_gets (&msg, "X-key"), "value") == 0);
    CHECK (strcmp (zmq_msg_gets (&msg, "Peer-Address"), "127.0.0.1") == 0);
    IS_NULL (zmq_msg_gets (&msg, "X-other"), EINVAL);
    CHECK (zmq_msg_get (&msg, ZMQ_SRCFD) > 0);
    zmq_msg_t copy;
    OK (zmq_msg_init (&copy));
    OK (zmq_msg_copy (&copy, &msg));
    OK (zmq_msg_close (&msg));
    CHECK (strcmp (zmq_msg_gets (&copy, "X-key"), "value") == 0);
    OK (zmq_msg_close (&copy));
    OK (zmq_close (req));
    OK (zmq_close (rep));
    OK (zmq_ctx_term (ctx));
}

static void sending (void)
{
    void *ctx = zmq_ctx_new ();
    void *a = socket_of (ctx, ZMQ_PAIR);
    void *b = socket_of (ctx, ZMQ_PAIR);
    zmq_msg_t msg;
    OK (zmq_msg_init_buffer (&msg, "kept", 4));
    FAILS (zmq_msg_send (&msg, a, ZMQ_DONTWAIT), EAGAIN);
    IS (zmq_msg_size (&msg), 4);
    FAILS (zmq_msg_send (&msg, NULL, 0), ENOTSOCK);
    FAILS (zmq_msg_send (NULL, a, 0), EFAULT);
    OK (zmq_bind (a, "inproc://msg"));
    OK (zmq_connect (b, "inproc://msg"));
    IS (zmq_msg_send (&msg, a, ZMQ_SNDMORE), 4);
    IS (zmq_msg_size (&msg), 0);
    IS (zmq_sendmsg (a, &msg, 0), 0);
    IS (zmq_recvmsg (b, &msg, 0), 4);
    IS (zmq_msg_more (&msg), 1);
    IS (zmq_msg_get (&msg, ZMQ_MORE), 1);
    IS (int_option (b, ZMQ_RCVMORE), 1);
    IS (zmq_msg_recv (&msg, b, 0), 0);
    IS (zmq_msg_more (&msg), 0);
    IS (int_option (b, ZMQ_RCVMORE), 0);
    FAILS (zmq_msg_recv (&msg, b, ZMQ_DONTWAIT), EAGAIN);
    FAILS (zmq_msg_recv (&msg, NULL, 0), ENOTSOCK);
    OK (zmq_msg_close (&msg));
    FAILS (zmq_msg_send (&msg, a, 0), EFAULT);
    FAILS (zmq_msg_recv (&msg, a, 0), EFAULT);
    OK (zmq_close (a));
    OK (zmq_close (b));
    OK (zmq_ctx_term (ctx));
}

int main (void)
{
    begin ();
    sizes ();
    closing ();
    moving_and_copying ();
    from_buffers ();
    properties ();
    metadata ();
    sending ();
    return 0;
}
