/* What instructions.sh counts: see examples/pair.rs, which is the same in Rust. */
#include <stdlib.h>
#include <zmq.h>

static void must (int holds)
{
    if (!holds)
        abort ();
}

int main (int argc, char **argv)
{
    must (argc == 3);
    long count = atol (argv[1]);
    int size = atoi (argv[2]);
    void *ctx = zmq_ctx_new ();
    void *from = zmq_socket (ctx, ZMQ_PAIR), *to = zmq_socket (ctx, ZMQ_PAIR);
    must (zmq_bind (to, "inproc://pair") == 0);
    must (zmq_connect (from, "inproc://pair") == 0);
    char *body = calloc (2, size);
    must (body != NULL);
    for (long n = 0; n < count; n++) {
        must (zmq_send (from, body, size, 0) == size);
        must (zmq_recv (to, body + size, size, 0) == size);
    }
    free (body);
    must (zmq_close (from) == 0 && zmq_close (to) == 0);
    must (zmq_ctx_term (ctx) == 0);
    return 0;
}
