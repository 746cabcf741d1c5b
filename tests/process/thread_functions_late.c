// Thread functions that become available after the library was loaded: before glibc 2.34 they are in libpthread, which
// a plugin may load. thread_functions_late.sh runs this program under a copy of the library that does not find them.
// Threads that end must still leave their heaps to later threads.
#include "tests/process/expect.h"

enum { THREADS = 300, BLOCKS = 50 };

static void *work(void *unused) {
    void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) blocks[i] = keep(malloc(16 + i * 100));
    for (size_t i = 0; i < BLOCKS; i++) free(blocks[i]);
    return unused;
}

int main(void) {
    test_begin(60);
    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;
        EXPECT(pthread_create(&thread, NULL, work, NULL) == 0 && pthread_join(thread, NULL) == 0);
    }
    return 0;
}
