// The header is C++ too, and its types have the sizes of the ABI.
#include <cstddef>
#include <zmq.h>

static_assert (sizeof (zmq_msg_t) == 64, "");
static_assert (alignof (zmq_msg_t) == alignof (void *), "");
static_assert (sizeof (zmq_pollitem_t) == 16 || sizeof (void *) != 8, "");
static_assert (offsetof (zmq_pollitem_t, events) == sizeof (void *) + sizeof (int), "");
#ifdef ZMQ_BUILD_DRAFT_API
static_assert (sizeof (zmq_poller_event_t) == 32 || sizeof (void *) != 8, "");
#endif

int main ()
{
    int major, minor, patch;
    zmq_version (&major, &minor, &patch);
    return ZMQ_MAKE_VERSION (major, minor, patch) == ZMQ_VERSION ? 0 : 1;
}
