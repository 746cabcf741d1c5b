// What the allocator asks of the C library besides functions on strings.
//
// What: weak references, and the few decisions that depend on which library answers. One build serves programs of glibc (with libpthread
// beside it, before 2.34, or without) and of musl: what a library lacks is NULL there, and only these functions know.
// A program that links libmbmalloc.a has them all: platform/libc_static.c pulls them in.
// Who: any thread.
#ifndef MB_PLATFORM_LIBC_H
#define MB_PLATFORM_LIBC_H

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "platform/compiler.h"

#if !defined(__GLIBC__) // the loader's words that musl lacks, with glibc's values
typedef long Lmid_t;
enum { LM_ID_BASE = 0, RTLD_DEEPBIND = 8 };
#endif

#pragma weak pthread_create
#pragma weak pthread_join
#pragma weak pthread_key_create
#pragma weak pthread_setspecific
#pragma weak pthread_attr_setstacksize

// What the file names of the C library's objects start with; ends with NULL.
extern MB_HIDDEN const char *const mb_libc_files[];

// Whether a name that a program opens (dlopen) is the C library. Its file in the list above may have another one.
bool mb_libc_is_named(const char *file);

// Whether the C library is glibc. False in a static program that does not ask for its version.
bool mb_libc_is_glibc(void);

// Has `child` called in each forked child. False: this library has no such thing.
bool mb_libc_at_fork(void (*child)(void));

// How the library is told to call somebody when a thread ends.
struct mb_libc_keys {
    int (*create)(pthread_key_t *, void (*)(void *));
    int (*set)(pthread_key_t, const void *);
};

typedef int mb_libc_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
typedef int mb_libc_join(pthread_t, void **);

// A thread that takes no signal, made by `create` (the library's own, or who wraps it). False: refused.
bool mb_libc_create_quiet(mb_libc_create *create, pthread_t *out, size_t stack_bytes, void *(*body)(void *));

#endif
