/* CURVE by libzmq's interface, over tcp, between two contexts.
 *
 *     curve throughput SIZE COUNT   one PUSH, one PULL: messages per second
 *     curve latency SIZE COUNT      one REQ, one REP: microseconds of a round trip
 *
 * Behind that, microseconds of processor time per message or round trip.
 */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <zmq.h>

static int throughput;
static size_t size;
static long count;
static char endpoint[256], server_public[41], server_secret[41], client_public[41], client_secret[41];

static void check(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "%s: %s\n", what, zmq_strerror(zmq_errno()));
        exit(1);
    }
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static double processor_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
           + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* A message begins with its number, as far as there is room. */
static size_t numbered(void)
{
    return size < sizeof count ? size : sizeof count;
}

static void receive(zmq_msg_t *msg, void *socket, long n)
{
    check(zmq_msg_recv(msg, socket, 0) == (int) size, "receive");
    check(memcmp(zmq_msg_data(msg), &n, numbered()) == 0, "lost");
}

/* The client: sends all messages, or asks and waits for each answer. */
static void *far_side(void *unused)
{
    void *ctx = zmq_ctx_new(), *socket = zmq_socket(ctx, throughput ? ZMQ_PUSH : ZMQ_REQ);
    zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server_public, 41);
    zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, client_public, 41);
    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, client_secret, 41);
    check(zmq_connect(socket, endpoint) == 0, "connect");
    char *body = calloc(1, size + 1);
    zmq_msg_t answer;
    zmq_msg_init(&answer);
    for (long n = 0; n < count; n++) {
        memcpy(body, &n, numbered());
        check(zmq_send(socket, body, size, 0) == (int) size, "send");
        if (!throughput)
            receive(&answer, socket, n);
    }
    zmq_msg_close(&answer);
    free(body);
    zmq_close(socket);
    zmq_ctx_term(ctx);
    return unused;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "curve throughput|latency SIZE COUNT\n");
        return 1;
    }
    throughput = strcmp(argv[1], "throughput") == 0;
    size = strtoul(argv[2], NULL, 10);
    count = strtol(argv[3], NULL, 10);
    check(zmq_curve_keypair(server_public, server_secret) == 0, "this library has no CURVE");
    check(zmq_curve_keypair(client_public, client_secret) == 0, "keys");

    void *ctx = zmq_ctx_new(), *socket = zmq_socket(ctx, throughput ? ZMQ_PULL : ZMQ_REP);
    int yes = 1;
    zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &yes, sizeof yes);
    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, server_secret, 41);
    check(zmq_bind(socket, "tcp://127.0.0.1:*") == 0, "bind");
    size_t length = sizeof endpoint;
    check(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &length) == 0, "endpoint");
    pthread_t far;
    check(pthread_create(&far, NULL, far_side, NULL) == 0, "thread");

    zmq_msg_t msg;
    zmq_msg_init(&msg);
    double begun = 0, processor = 0;
    for (long n = 0; n < count; n++) {
        receive(&msg, socket, n);
        if (n == 0) {
            begun = seconds();
            processor = processor_seconds();
        }
        if (!throughput)
            check(zmq_msg_send(&msg, socket, 0) == (int) size, "answer");
    }
    double each = (seconds() - begun) / (count - 1);
    processor = (processor_seconds() - processor) / (count - 1);
    printf("%.2f %.4f\n", throughput ? 1 / each : each * 1e6, processor * 1e6);
    zmq_msg_close(&msg);
    pthread_join(far, NULL);
    zmq_close(socket);
    zmq_ctx_term(ctx);
    return 0;
}
