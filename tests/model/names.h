// The allocator under test, under neutral names: the model's driver is compiled once and linked either with
// names_core.c (the mb_* functions of core/front/malloc.h) or with names_libc.c (whatever serves malloc: preloaded or
// glibc).
//
// Who: one thread. All functions behave as the ones they are named after.
#ifndef MB_TESTS_MODEL_NAMES_H
#define MB_TESTS_MODEL_NAMES_H

#include <stdbool.h>
#include <stddef.h>

// Looks up the functions. Returns a text that says which allocator serves; NULL, after a message, if it is the wrong
// library.
const char *names_start(void);

// Whether to check what only mbmalloc promises: success leaves errno alone, exact counts, alignment up to 1 GiB.
bool names_strict(void);

void *names_malloc(size_t bytes);
void *names_calloc(size_t count, size_t bytes);
void *names_realloc(void *p, size_t bytes);
void *names_memalign(size_t align, size_t bytes);
void *names_aligned_alloc(size_t align, size_t bytes);
int names_posix_memalign(void **out, size_t align, size_t bytes);
void names_free(void *p);
void names_free_sized(void *p, size_t bytes);
void names_free_aligned_sized(void *p, size_t align, size_t bytes);
size_t names_usable_size(void *p);
void names_trim(size_t keep_bytes);

// Bytes in live blocks as the allocator counts them (sum of usable sizes).
size_t names_live_bytes(void);
// Live blocks as the allocator counts them; false if it does not count them.
bool names_live_blocks(size_t *out);

#endif
