// malloc, free, calloc, realloc and the aliases that glibc exports for them.
//
// What: these always call the core, even where the process uses another definition: a program's own malloc may call
// ours through dlsym(RTLD_NEXT). All other functions first look which malloc serves (preload/forward.h).
// Who: any thread.
#include <stddef.h>

#include "core/front/fast.h"
#include "core/front/malloc.h"
#include "platform/compiler.h"
#include "preload/forward.h"

MB_EXPORT void *malloc(size_t bytes) { return mb_malloc_fast(bytes); }
MB_EXPORT void free(void *p) { mb_free_fast(p); }
MB_EXPORT void *calloc(size_t count, size_t bytes) { return mb_calloc(count, bytes); }
MB_EXPORT void *realloc(void *p, size_t bytes) { return mb_realloc(p, bytes); }

MB_EXPORT void *__libc_malloc(size_t bytes) __attribute__((alias("malloc")));
MB_EXPORT void __libc_free(void *p) __attribute__((alias("free")));
MB_EXPORT void *__libc_calloc(size_t count, size_t bytes) __attribute__((alias("calloc")));
MB_EXPORT void *__libc_realloc(void *p, size_t bytes) __attribute__((alias("realloc")));

void *mb_self_malloc(size_t bytes) __attribute__((alias("malloc")));
void mb_self_free(void *p) __attribute__((alias("free")));
