/* CURVE's throughput by libzmq's interface: one PUSH, one PULL, each with a context of its own, over
 * tcp. Prints messages per second, and microseconds of processor time per message.
 *
 *     throughput SIZE COUNT
 */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <zmq.h>

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

static void *send_all(void *unused)
{
    void *ctx = zmq_ctx_new(), *push = zmq_socket(ctx, ZMQ_PUSH);
    zmq_setsockopt(push, ZMQ_CURVE_SERVERKEY, server_public, 41);
    zmq_setsockopt(push, ZMQ_CURVE_PUBLICKEY, client_public, 41);
    zmq_setsockopt(push, ZMQ_CURVE_SECRETKEY, client_secret, 41);
    check(zmq_connect(push, endpoint) == 0, "connect");
    char *body = calloc(1, size + 1);
    for (long n = 0; n < count; n++) {
        memcpy(body, &n, size < sizeof n ? size : sizeof n);
        check(zmq_send(push, body, size, 0) == (int) size, "send");
    }
    free(body);
    zmq_close(push);
    zmq_ctx_term(ctx);
    return unused;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "throughput SIZE COUNT\n");
        return 1;
    }
    size = strtoul(argv[1], NULL, 10);
    count = strtol(argv[2], NULL, 10);
    check(zmq_curve_keypair(server_public, server_secret) == 0, "this library has no CURVE");
    check(zmq_curve_keypair(client_public, client_secret) == 0, "keys");

    void *ctx = zmq_ctx_new(), *pull = zmq_socket(ctx, ZMQ_PULL);
    int yes = 1;
    zmq_setsockopt(pull, ZMQ_CURVE_SERVER, &yes, sizeof yes);
    zmq_setsockopt(pull, ZMQ_CURVE_SECRETKEY, server_secret, 41);
    check(zmq_bind(pull, "tcp://127.0.0.1:*") == 0, "bind");
    size_t length = sizeof endpoint;
    check(zmq_getsockopt(pull, ZMQ_LAST_ENDPOINT, endpoint, &length) == 0, "endpoint");
    pthread_t sender;
    check(pthread_create(&sender, NULL, send_all, NULL) == 0, "thread");

    zmq_msg_t msg;
    zmq_msg_init(&msg);
    double begun = 0, processor = 0;
    for (long n = 0; n < count; n++) {
        check(zmq_msg_recv(&msg, pull, 0) == (int) size, "receive");
        check(memcmp(zmq_msg_data(&msg), &n, size < sizeof n ? size : sizeof n) == 0, "lost");
        if (n == 0) {
            begun = seconds();
            processor = processor_seconds();
        }
    }
    double took = seconds() - begun;
    processor = processor_seconds() - processor;
    printf("%.0f %.4f\n", (count - 1) / took, processor / (count - 1) * 1e6);
    zmq_msg_close(&msg);
    pthread_join(sender, NULL);
    zmq_close(pull);
    zmq_ctx_term(ctx);
    return 0;
}
