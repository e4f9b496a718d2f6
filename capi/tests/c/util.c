/* Errors, version, counters, clocks, threads, codes. */
#include "test.h"

static void errors (void)
{
    const int codes[] = {EFSM, ENOCOMPATPROTO, ETERM, EMTHREAD, EAGAIN, EHOSTUNREACH, 0, -1, 99999};
    for (size_t n = 0; n < sizeof codes / sizeof *codes; n++)
        CHECK (zmq_strerror (codes[n]) != NULL && *zmq_strerror (codes[n]));
    CHECK (strcmp (zmq_strerror (ETERM), "Context was terminated") == 0);
    CHECK (strcmp (zmq_strerror (EHOSTUNREACH), "Host unreachable") == 0);
    IS (EFSM, 156384763);
    IS (EMTHREAD, 156384766);
    errno = 42;
    IS (zmq_errno (), 42);
    int major, minor, patch;
    zmq_version (&major, &minor, &patch);
    IS (ZMQ_MAKE_VERSION (major, minor, patch), ZMQ_VERSION);
}

static void counters (void)
{
    void *counter = zmq_atomic_counter_new ();
    IS (zmq_atomic_counter_value (counter), 0);
    IS (zmq_atomic_counter_inc (counter), 0);
    IS (zmq_atomic_counter_inc (counter), 1);
    IS (zmq_atomic_counter_value (counter), 2);
    IS (zmq_atomic_counter_dec (counter), 1);
    IS (zmq_atomic_counter_dec (counter), 0);
    zmq_atomic_counter_set (counter, 5);
    IS (zmq_atomic_counter_value (counter), 5);
    zmq_atomic_counter_destroy (&counter);
    CHECK (counter == NULL);
}

static void clocks (void)
{
    void *watch = zmq_stopwatch_start ();
    zmq_sleep (1);
    CHECK (zmq_stopwatch_intermediate (watch) >= 1000000);
    CHECK (zmq_stopwatch_stop (watch) >= 1000000);
}

static void set (void *arg)
{
    *(int *) arg = 1;
}

static void threads (void)
{
    int done = 0;
    void *thread = zmq_threadstart (set, &done);
    CHECK (thread != NULL);
    zmq_threadclose (thread);
    IS (done, 1);
}

static void codes (void)
{
    /* The example of RFC 32. */
    const uint8_t bytes[] = {0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B};
    char text[11];
    uint8_t decoded[8];
    CHECK (zmq_z85_encode (text, bytes, 8) == text);
    CHECK (strcmp (text, "HelloWorld") == 0);
    CHECK (zmq_z85_decode (decoded, text) == decoded);
    CHECK (memcmp (decoded, bytes, 8) == 0);
    IS_NULL (zmq_z85_encode (text, bytes, 7), EINVAL);
    IS_NULL (zmq_z85_decode (decoded, "1234"), EINVAL);
    IS_NULL (zmq_z85_decode (decoded, "123456"), EINVAL);
    IS_NULL (zmq_z85_decode (decoded, ""), EINVAL);
    IS_NULL (zmq_z85_decode (decoded, "####\""), EINVAL);
    IS_NULL (zmq_z85_decode (decoded, "#####"), EINVAL);
}

static void features (void)
{
    IS (zmq_has ("ipc"), 1);
    IS (zmq_has ("pgm"), 0);
    IS (zmq_has ("tipc"), 0);
    IS (zmq_has ("norm"), 0);
    IS (zmq_has ("gssapi"), 0);
    IS (zmq_has ("vmci"), 0);
    IS (zmq_has ("WS"), 0);
    IS (zmq_has ("no such thing"), 0);
}

int main (void)
{
    begin ();
    errors ();
    counters ();
    clocks ();
    threads ();
    codes ();
    features ();
    return 0;
}
