/* What all the programs here share: checks that say where they failed, and a limit in time. */

#ifndef TEST_H
#define TEST_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

/* Something that must be so. */
#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf (stderr, "%s:%d: %s (errno %d, %s)\n", __FILE__, __LINE__, #what, errno,       \
                     zmq_strerror (errno));                                                        \
            exit (1);                                                                              \
        }                                                                                          \
    } while (0)

/* A call that returns 0. */
#define OK(call) CHECK ((call) == 0)

/* A number that must be so. */
#define IS(call, expected)                                                                         \
    do {                                                                                           \
        long long is_ = (long long) (call);                                                        \
        if (is_ != (long long) (expected)) {                                                       \
            fprintf (stderr, "%s:%d: %s is %lld (errno %d, %s)\n", __FILE__, __LINE__, #call, is_, \
                     errno, zmq_strerror (errno));                                                 \
            exit (1);                                                                              \
        }                                                                                          \
    } while (0)

/* A call that returns -1 with this errno. */
#define FAILS(call, code)                                                                          \
    do {                                                                                           \
        errno = 0;                                                                                 \
        IS (call, -1);                                                                             \
        IS (zmq_errno (), code);                                                                   \
    } while (0)

/* A call that returns NULL with this errno. */
#define IS_NULL(call, code)                                                                        \
    do {                                                                                           \
        errno = 0;                                                                                 \
        CHECK ((call) == NULL);                                                                    \
        IS (zmq_errno (), code);                                                                   \
    } while (0)

/* A hanging program ends by SIGALRM. */
static inline void begin (void)
{
    alarm (getenv ("CAPI_VALGRIND") ? 600 : 60);
}

static inline void *socket_of (void *ctx, int type)
{
    void *socket = zmq_socket (ctx, type);
    CHECK (socket != NULL);
    int limit = 10000;
    OK (zmq_setsockopt (socket, ZMQ_RCVTIMEO, &limit, sizeof limit));
    OK (zmq_setsockopt (socket, ZMQ_SNDTIMEO, &limit, sizeof limit));
    return socket;
}

static inline int int_option (void *socket, int option)
{
    int value = -77;
    size_t len = sizeof value;
    OK (zmq_getsockopt (socket, option, &value, &len));
    IS (len, sizeof value);
    return value;
}

static inline int set_int (void *socket, int option, int value)
{
    return zmq_setsockopt (socket, option, &value, sizeof value);
}

/* Binds to a free endpoint of a transport, and says which. */
static inline const char *bind_free (void *socket, const char *wildcard)
{
    static char endpoint[256];
    OK (zmq_bind (socket, wildcard));
    size_t len = sizeof endpoint;
    OK (zmq_getsockopt (socket, ZMQ_LAST_ENDPOINT, endpoint, &len));
    IS (len, strlen (endpoint) + 1);
    return endpoint;
}

static inline void send_text (void *socket, const char *text, int flags)
{
    IS (zmq_send (socket, text, strlen (text), flags), strlen (text));
}

static inline void recv_text (void *socket, const char *text)
{
    char buffer[512];
    int len = zmq_recv (socket, buffer, sizeof buffer, 0);
    CHECK (len >= 0 && len < (int) sizeof buffer);
    buffer[len] = 0;
    if (strcmp (buffer, text) != 0) {
        fprintf (stderr, "received \"%s\" and not \"%s\"\n", buffer, text);
        exit (1);
    }
}

#endif
