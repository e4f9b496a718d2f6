/* Runs one of czmq's own tests, which are functions of its library: `czmq zsock_test`. */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>

int main (int argc, char **argv)
{
    void *czmq = dlopen ("libczmq.so.4", RTLD_NOW | RTLD_GLOBAL);
    if (argc != 2 || czmq == NULL) {
        fprintf (stderr, "%s\n", czmq == NULL ? dlerror () : "usage: czmq NAME_test");
        return 2;
    }
    void (*test) (bool) = (void (*) (bool)) dlsym (czmq, argv[1]);
    if (test == NULL) {
        fprintf (stderr, "%s\n", dlerror ());
        return 2;
    }
    test (true);
    return 0;
}
