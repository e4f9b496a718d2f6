/* zmq_timers_*. */
#include "test.h"

static void count (int id, void *arg)
{
    (void) id;
    ++*(int *) arg;
}

static void run_once (void *timers)
{
    long left = zmq_timers_timeout (timers);
    CHECK (left >= 0);
    zmq_poll (NULL, 0, left);
    OK (zmq_timers_execute (timers));
}

static void bad_timers (void)
{
    void *none = NULL;
    FAILS (zmq_timers_destroy (NULL), EFAULT);
    FAILS (zmq_timers_destroy (&none), EFAULT);
    FAILS (zmq_timers_add (NULL, 1, count, NULL), EFAULT);
    FAILS (zmq_timers_cancel (NULL, 1), EFAULT);
    FAILS (zmq_timers_set_interval (NULL, 1, 1), EFAULT);
    FAILS (zmq_timers_reset (NULL, 1), EFAULT);
    FAILS (zmq_timers_timeout (NULL), EFAULT);
    FAILS (zmq_timers_execute (NULL), EFAULT);
}

static void life (void)
{
    void *timers = zmq_timers_new ();
    CHECK (timers != NULL);
    int counted = 0;
    IS (zmq_timers_timeout (timers), -1);
    OK (zmq_timers_execute (timers));
    FAILS (zmq_timers_add (timers, 1, NULL, NULL), EFAULT);
    int id = zmq_timers_add (timers, 100000, count, &counted);
    CHECK (id > 0);
    OK (zmq_timers_execute (timers));
    IS (counted, 0);
    CHECK (zmq_timers_timeout (timers) <= 100000);
    OK (zmq_timers_set_interval (timers, id, 20));
    run_once (timers);
    IS (counted, 1);
    run_once (timers);
    IS (counted, 2);
    OK (zmq_timers_set_interval (timers, id, 100000));
    CHECK (zmq_timers_timeout (timers) > 1000);
    OK (zmq_timers_reset (timers, id));
    OK (zmq_timers_set_interval (timers, id, 10));
    run_once (timers);
    IS (counted, 3);
    OK (zmq_timers_cancel (timers, id));
    FAILS (zmq_timers_cancel (timers, id), EINVAL);
    FAILS (zmq_timers_reset (timers, id), EINVAL);
    FAILS (zmq_timers_set_interval (timers, id, 1), EINVAL);
    FAILS (zmq_timers_cancel (timers, 99), EINVAL);
    IS (zmq_timers_timeout (timers), -1);
    OK (zmq_timers_destroy (&timers));
    CHECK (timers == NULL);
}

static void *own;

static void cancel_itself (int id, void *arg)
{
    ++*(int *) arg;
    OK (zmq_timers_cancel (own, id));
    CHECK (zmq_timers_add (own, 100000, count, arg) > id);
}

static void functions_may_change_timers (void)
{
    own = zmq_timers_new ();
    int counted = 0;
    CHECK (zmq_timers_add (own, 1, cancel_itself, &counted) > 0);
    run_once (own);
    OK (zmq_timers_execute (own));
    IS (counted, 1);
    OK (zmq_timers_destroy (&own));
}

static void an_interval_of_zero_runs_once_a_time (void)
{
    void *timers = zmq_timers_new ();
    int counted = 0;
    CHECK (zmq_timers_add (timers, 0, count, &counted) > 0);
    OK (zmq_timers_execute (timers));
    IS (counted, 1);
    OK (zmq_timers_execute (timers));
    IS (counted, 2);
    OK (zmq_timers_destroy (&timers));
}

int main (void)
{
    begin ();
    bad_timers ();
    life ();
    functions_may_change_timers ();
    an_interval_of_zero_runs_once_a_time ();
    return 0;
}
