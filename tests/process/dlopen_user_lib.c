// The library that dlopen_users.c opens and closes thousands of times. It allocates when it is loaded, in thread-local
// storage, in its functions, and when it is unloaded.
#include "tests/process/blocks.h"

enum { KEPT = 40 };

void *library_work(void *unused);

static void *kept[KEPT];
static __thread char local[3000];

__attribute__((constructor)) static void construct(void) {
    for (size_t i = 0; i < KEPT; i++) kept[i] = block_new(16 + i * 251);
}

__attribute__((destructor)) static void destruct(void) {
    for (size_t i = 0; i < KEPT; i++) block_free(kept[i]);
}

void *library_work(void *unused) {
    (void)unused;
    memset(local, 1, sizeof local); // the first touch in a thread allocates the module's thread-local storage
    for (size_t i = 0; i < KEPT; i++) kept[i] = block_resize(kept[i], 16 + (i * 977) % 20000);
    block_free(block_new(200000));
    return keep(local) == NULL ? NULL : kept;
}
