// Functions of the C library that glibc and musl do not have in common, or have in different versions: threads, fork,
// thread-specific keys, dlopen's constants.
//
// What: one build serves programs of glibc (before 2.34 with libpthread beside it) and of musl. Such functions are weak
// references, NULL where the library lacks them; only platform/libc.c looks at that. In a program that links
// libmbmalloc.a platform/libc_static.c makes the linker pull them in.
// Who: any thread.
#ifndef MB_PLATFORM_LIBC_H
#define MB_PLATFORM_LIBC_H

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

// Beginnings of the C library's file names, as the loader lists them; the last entry is NULL.
extern MB_HIDDEN const char *const mb_libc_files[];

// Whether the argument of a dlopen names the C library ("libc.so.6", "libc.musl-x86_64.so.1", with or without folders).
bool mb_libc_is_named(const char *file);

// Whether the C library is glibc. False in a static program that does not ask for its version.
bool mb_libc_is_glibc(void);

// Registers `child` to be called in each forked child, as pthread_atfork does. False: there is no such function, or it
// failed.
bool mb_libc_at_fork(void (*child)(void));

// Thread-specific keys (pthread_key_create and its kin), whose destructors run when a thread ends.
struct mb_libc_keys {
    int (*create)(pthread_key_t *, void (*)(void *));
    int (*set)(pthread_key_t, const void *);
};

typedef int mb_libc_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
typedef int mb_libc_join(pthread_t, void **);

// This thread handles no signal of the program between the two; the first returns what the second takes.
uint64_t mb_libc_block_signals(void);
void mb_libc_restore_signals(uint64_t signals);

// Starts a thread that handles no signal of the program, by `create` (pthread_create, or a wrapper of it), with so much
// of a stack or the least that the libc allows. False: it was refused.
bool mb_libc_create_quiet(mb_libc_create *create, pthread_t *out, size_t stack_bytes, void *(*body)(void *));

#endif
