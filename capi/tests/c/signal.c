/* A signal ends whatever waits, with EINTR. */
#include "test.h"
#include <pthread.h>
#include <signal.h>

static volatile sig_atomic_t caught;
static pthread_t waiter;
static void *handled_on;

static void on_signal (int number)
{
    (void) number;
    caught++;
    handled_on = (void *) pthread_self ();
}

/* Signals the waiting thread until its call has returned: the first may come before it waits. */
static void disturb (void *is_over)
{
    while (!zmq_atomic_counter_value (is_over)) {
        zmq_poll (NULL, 0, 10);
        pthread_kill (waiter, SIGUSR1);
    }
}

#define INTERRUPTED(call)                                                                          \
    do {                                                                                           \
        void *is_over_ = zmq_atomic_counter_new ();                                                \
        void *thread_ = zmq_threadstart (disturb, is_over_);                                       \
        FAILS (call, EINTR);                                                                       \
        zmq_atomic_counter_inc (is_over_);                                                         \
        zmq_threadclose (thread_);                                                                 \
        zmq_atomic_counter_destroy (&is_over_);                                                    \
    } while (0)

int main (void)
{
    begin ();
    waiter = pthread_self ();
    struct sigaction action;
    memset (&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    OK (sigaction (SIGUSR1, &action, NULL));

    void *ctx = zmq_ctx_new ();
    void *pull = zmq_socket (ctx, ZMQ_PULL), *push = zmq_socket (ctx, ZMQ_PUSH);
    char buffer[1];
    INTERRUPTED (zmq_recv (pull, buffer, 1, 0));
    INTERRUPTED (zmq_send (push, "x", 1, 0));
    zmq_msg_t msg;
    OK (zmq_msg_init_size (&msg, 100));
    INTERRUPTED (zmq_msg_send (&msg, push, 0));
    IS (zmq_msg_size (&msg), 100);
    INTERRUPTED (zmq_msg_recv (&msg, pull, 0));
    OK (zmq_msg_close (&msg));
    zmq_pollitem_t item = {pull, 0, ZMQ_POLLIN, 0};
    INTERRUPTED (zmq_poll (&item, 1, -1));
    INTERRUPTED (zmq_poll (NULL, 0, -1));
    void *poller = zmq_poller_new ();
    OK (zmq_poller_add (poller, pull, NULL, ZMQ_POLLIN));
    zmq_poller_event_t event;
    INTERRUPTED (zmq_poller_wait (poller, &event, -1));
    OK (zmq_poller_destroy (&poller));
    INTERRUPTED (zmq_proxy (pull, push, NULL));

    /* Under a mask that lets only this signal through. */
    sigset_t blocked, all;
    sigemptyset (&blocked);
    sigaddset (&blocked, SIGUSR1);
    OK (pthread_sigmask (SIG_BLOCK, &blocked, NULL));
    sigemptyset (&all);
    INTERRUPTED (zmq_ppoll (&item, 1, -1, &all));
    OK (pthread_sigmask (SIG_UNBLOCK, &blocked, NULL));

    /* The library's own threads take no signals. */
    for (int n = 0; n < 20; n++) {
        OK (kill (getpid (), SIGUSR1));
        CHECK (handled_on == (void *) waiter);
    }

    OK (zmq_close (push));
    INTERRUPTED (zmq_ctx_term (ctx));
    INTERRUPTED (zmq_ctx_term (ctx));
    OK (zmq_close (pull));
    OK (zmq_ctx_term (ctx));
    return 0;
}
