// The plugin that deepbind.c loads with RTLD_DEEPBIND: its malloc is libc's, whatever is preloaded.
#include "tests/process/blocks.h"
#include <malloc.h>

#include "tests/process/deepbind.h"

void *plugin_malloc(size_t bytes) { return block_new(bytes); }

void *plugin_calloc(size_t bytes) {
    void *p = keep(calloc(1, bytes));
    EXPECT(p != NULL);
    block_stamp(p, bytes);
    return p;
}

void *plugin_aligned(size_t bytes) {
    void *p = NULL;
    EXPECT(posix_memalign(&p, 256, bytes) == 0);
    block_stamp(p, bytes);
    return p;
}

static void *allocate_in_thread(void *arg) { return block_new((size_t)(uintptr_t)arg); }

// From an arena of libc's that lies outside the brk heap.
void *plugin_malloc_in_thread(size_t bytes) {
    void *p = NULL;
    pthread_t thread = thread_start(allocate_in_thread, (void *)(uintptr_t)bytes);
    EXPECT(pthread_join(thread, &p) == 0);
    return p;
}

void plugin_free(void *p) { block_free(p); }

void *plugin_realloc(void *p, size_t bytes) { return block_resize(p, bytes); }

bool plugin_has_mbmalloc(void) { return from_mbmalloc((const void *)(uintptr_t)&malloc); }
