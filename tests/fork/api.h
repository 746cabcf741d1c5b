// The allocator under test: malloc by its standard names (the preloaded library, or the C library), or the core's API
// under its own prefix. A program links exactly one of api_libc.c and api_core.c.
#ifndef MB_TESTS_FORK_API_H
#define MB_TESTS_FORK_API_H

#include <stddef.h>

struct api {
    void *(*malloc)(size_t bytes);
    void *(*calloc)(size_t count, size_t bytes);
    void *(*realloc)(void *p, size_t bytes);
    void *(*memalign)(size_t align, size_t bytes);
    void (*free)(void *p);
    size_t (*usable_size)(void *p);
    void (*trim)(void);
    size_t (*live_bytes)(void); // sum of the usable sizes of live blocks
};
extern const struct api api;

#endif
