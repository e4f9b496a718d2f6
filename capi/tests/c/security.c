/* PLAIN, CURVE, and a ZAP handler. */
#include "test.h"

static void *ctx;

static int keep_only_admin (const char *user)
{
    return strcmp (user, "admin") == 0;
}

/* Answers one question about a PLAIN client after the other. */
static void handle (void *socket)
{
    char frames[9][256];
    for (;;) {
        int count = 0;
        do {
            int len = zmq_recv (socket, frames[count], 255, 0);
            if (len < 0) {
                CHECK (zmq_errno () == ETERM);
                OK (zmq_close (socket));
                return;
            }
            frames[count++][len] = 0;
        } while (int_option (socket, ZMQ_RCVMORE));
        CHECK (strcmp (frames[0], "1.0") == 0);
        CHECK (strcmp (frames[2], "domain") == 0);
        CHECK (strcmp (frames[3], "127.0.0.1") == 0);
        CHECK (strcmp (frames[5], "PLAIN") == 0);
        int is_good = keep_only_admin (frames[6]) && strcmp (frames[7], "secret") == 0;
        IS (count, 8);
        send_text (socket, "1.0", ZMQ_SNDMORE);
        send_text (socket, frames[1], ZMQ_SNDMORE);
        send_text (socket, is_good ? "200" : "400", ZMQ_SNDMORE);
        send_text (socket, "text", ZMQ_SNDMORE);
        send_text (socket, is_good ? "the-admin" : "", ZMQ_SNDMORE);
        send_text (socket, "", 0);
    }
}

static void *client_of (const char *endpoint, const char *user)
{
    void *client = socket_of (ctx, ZMQ_DEALER);
    OK (zmq_setsockopt (client, ZMQ_PLAIN_USERNAME, user, strlen (user)));
    OK (zmq_setsockopt (client, ZMQ_PLAIN_PASSWORD, "secret", 6));
    IS (int_option (client, ZMQ_MECHANISM), ZMQ_PLAIN);
    OK (zmq_connect (client, endpoint));
    return client;
}

static void plain (void)
{
    ctx = zmq_ctx_new ();
    void *handler = zmq_socket (ctx, ZMQ_REP);
    OK (zmq_bind (handler, "inproc://zeromq.zap.01"));
    void *thread = zmq_threadstart (handle, handler);
    void *server = socket_of (ctx, ZMQ_DEALER);
    OK (set_int (server, ZMQ_PLAIN_SERVER, 1));
    OK (zmq_setsockopt (server, ZMQ_ZAP_DOMAIN, "domain", 6));
    IS (int_option (server, ZMQ_MECHANISM), ZMQ_PLAIN);
    char endpoint[256];
    strcpy (endpoint, bind_free (server, "tcp://127.0.0.1:*"));
    OK (zmq_socket_monitor (server, "inproc://monitor", ZMQ_EVENT_HANDSHAKE_FAILED_AUTH));
    void *monitor = socket_of (ctx, ZMQ_PAIR);
    OK (zmq_connect (monitor, "inproc://monitor"));

    void *client = client_of (endpoint, "admin");
    send_text (client, "let me in", 0);
    zmq_msg_t msg;
    OK (zmq_msg_init (&msg));
    IS (zmq_msg_recv (&msg, server, 0), 9);
    CHECK (strcmp (zmq_msg_gets (&msg, "User-Id"), "the-admin") == 0);
    OK (zmq_msg_close (&msg));
    OK (zmq_close (client));

    client = client_of (endpoint, "mallory");
    unsigned char event[6];
    IS (zmq_recv (monitor, event, 6, 0), 6);
    uint32_t status;
    memcpy (&status, event + 2, 4);
    IS (status, 400);
    OK (set_int (client, ZMQ_LINGER, 0));
    OK (zmq_close (client));
    OK (zmq_close (server));
    OK (zmq_close (monitor));
    OK (zmq_ctx_term (ctx));
    zmq_threadclose (thread);
}

static void plain_options (void)
{
    ctx = zmq_ctx_new ();
    void *socket = socket_of (ctx, ZMQ_DEALER);
    char text[300];
    size_t len = sizeof text;
    OK (zmq_getsockopt (socket, ZMQ_PLAIN_USERNAME, text, &len));
    IS (len, 1);
    IS (int_option (socket, ZMQ_PLAIN_SERVER), 0);
    FAILS (set_int (socket, ZMQ_PLAIN_SERVER, 2), EINVAL);
    FAILS (zmq_setsockopt (socket, ZMQ_PLAIN_USERNAME, "", 0), EINVAL);
    memset (text, 'x', sizeof text);
    FAILS (zmq_setsockopt (socket, ZMQ_PLAIN_PASSWORD, text, 256), EINVAL);
    OK (zmq_setsockopt (socket, ZMQ_PLAIN_USERNAME, "user", 4));
    IS (int_option (socket, ZMQ_MECHANISM), ZMQ_PLAIN);
    len = sizeof text;
    OK (zmq_getsockopt (socket, ZMQ_PLAIN_USERNAME, text, &len));
    CHECK (strcmp (text, "user") == 0 && len == 5);
    /* A name is all that was given, a NUL too. */
    OK (zmq_setsockopt (socket, ZMQ_PLAIN_USERNAME, "user", 5));
    len = sizeof text;
    OK (zmq_getsockopt (socket, ZMQ_PLAIN_USERNAME, text, &len));
    IS (len, 6);
    OK (zmq_setsockopt (socket, ZMQ_PLAIN_USERNAME, NULL, 0));
    IS (int_option (socket, ZMQ_MECHANISM), ZMQ_NULL);
    OK (zmq_setsockopt (socket, ZMQ_ZAP_DOMAIN, "domain", 6));
    len = sizeof text;
    OK (zmq_getsockopt (socket, ZMQ_ZAP_DOMAIN, text, &len));
    CHECK (strcmp (text, "domain") == 0);
    IS (int_option (socket, ZMQ_ZAP_ENFORCE_DOMAIN), 0);
    OK (set_int (socket, ZMQ_ZAP_ENFORCE_DOMAIN, 1));
    IS (int_option (socket, ZMQ_ZAP_ENFORCE_DOMAIN), 1);
    OK (zmq_close (socket));
    OK (zmq_ctx_term (ctx));
}

static void curve (void)
{
    if (!zmq_has ("curve"))
        return;
    char public[41], secret[41], client_public[41], client_secret[41], again[41];
    OK (zmq_curve_keypair (public, secret));
    OK (zmq_curve_keypair (client_public, client_secret));
    IS (strlen (public), 40);
    IS (strlen (secret), 40);
    CHECK (strcmp (public, client_public) != 0);
    OK (zmq_curve_public (again, secret));
    CHECK (strcmp (again, public) == 0);
    FAILS (zmq_curve_public (again, "too short"), EINVAL);

    ctx = zmq_ctx_new ();
    void *server = socket_of (ctx, ZMQ_DEALER), *client = socket_of (ctx, ZMQ_DEALER);
    FAILS (set_int (server, ZMQ_CURVE_SERVER, 2), EINVAL);
    OK (set_int (server, ZMQ_CURVE_SERVER, 1));
    IS (int_option (server, ZMQ_CURVE_SERVER), 1);
    OK (zmq_setsockopt (server, ZMQ_CURVE_SECRETKEY, secret, 41));
    IS (int_option (server, ZMQ_MECHANISM), ZMQ_CURVE);
    uint8_t bytes[32], found[32];
    CHECK (zmq_z85_decode (bytes, public) == bytes);
    OK (zmq_setsockopt (client, ZMQ_CURVE_SERVERKEY, bytes, 32));
    OK (zmq_setsockopt (client, ZMQ_CURVE_PUBLICKEY, client_public, 40));
    OK (zmq_setsockopt (client, ZMQ_CURVE_SECRETKEY, client_secret, 41));
    size_t len = 32;
    OK (zmq_getsockopt (client, ZMQ_CURVE_SERVERKEY, found, &len));
    CHECK (len == 32 && memcmp (bytes, found, 32) == 0);
    len = 41;
    OK (zmq_getsockopt (client, ZMQ_CURVE_SERVERKEY, again, &len));
    CHECK (len == 41 && strcmp (again, public) == 0);
    len = 40;
    FAILS (zmq_getsockopt (client, ZMQ_CURVE_SERVERKEY, again, &len), EINVAL);
    FAILS (zmq_setsockopt (client, ZMQ_CURVE_SERVERKEY, public, 39), EINVAL);
    OK (zmq_connect (client, bind_free (server, "tcp://127.0.0.1:*")));
    send_text (client, "in secret", 0);
    recv_text (server, "in secret");
    OK (zmq_close (client));
    OK (zmq_close (server));
    OK (zmq_ctx_term (ctx));
}

int main (void)
{
    begin ();
    plain_options ();
    plain ();
    curve ();
    return 0;
}
