// The C library's functions that this library calls, defined once more and hidden: every such call inside the library
// comes here and is passed on to the C library's own definition, no matter which other object in the process defines
// the name too (core/process/foreign.h).
//
// Why: preloaded tracers, profilers and sandboxes wrap such functions. A wrapper may allocate, so it must not be called
// while the allocator is changing its data; or it may hold a lock while it calls malloc, so malloc must not call it at
// all. Before the C library is found (never, under a foreign loader) the functions on bytes and strings are those
// written below, and the others fail with ENOSYS. Not in libmbmalloc.a: a static program gets the functions that it was
// linked with.
// Who: any thread.
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>

#include "core/process/foreign.h"
#include "platform/compiler.h"

// --- bytes and strings -----------------------------------------------------------------------------------------------

// Keeps the compiler from recognising a loop, in the definition of memset for example, and replacing it by a call of
// memset.
#define MB_KEEP_LOOP() __asm__ volatile("" : : : "memory")

static void *copy_slow(void *to, const void *from, size_t bytes) {
    char *target = to;
    const char *source = from;
    for (size_t i = 0; i < bytes; i++) {
        target[i] = source[i];
        MB_KEEP_LOOP();
    }
    return to;
}

static void *set_slow(void *p, int value, size_t bytes) {
    char *target = p;
    for (size_t i = 0; i < bytes; i++) {
        target[i] = (char)value;
        MB_KEEP_LOOP();
    }
    return p;
}

void *memcpy(void *restrict to, const void *restrict from, size_t bytes) {
    void *own = mb_foreign_noted(MB_OWN_memcpy);
    if (MB_UNLIKELY(own == NULL)) return copy_slow(to, from, bytes);
    return ((void *(*)(void *, const void *, size_t))own)(to, from, bytes);
}

void *memset(void *p, int value, size_t bytes) {
    void *own = mb_foreign_noted(MB_OWN_memset);
    if (MB_UNLIKELY(own == NULL)) return set_slow(p, value, bytes);
    return ((void *(*)(void *, int, size_t))own)(p, value, bytes);
}

int memcmp(const void *a, const void *b, size_t bytes) {
    const unsigned char *x = a, *y = b;
    size_t i = 0;
    while (i < bytes && x[i] == y[i]) i++;
    return i < bytes ? x[i] - y[i] : 0;
}

void *memchr(const void *p, int value, size_t bytes) {
    const unsigned char *at = p;
    for (size_t i = 0; i < bytes; i++) {
        if (at[i] == (unsigned char)value) return (void *)(uintptr_t)(at + i);
    }
    return NULL;
}

size_t strnlen(const char *text, size_t max) {
    size_t length = 0;
    for (; length < max && text[length] != '\0'; length++) MB_KEEP_LOOP();
    return length;
}

size_t strlen(const char *text) { return strnlen(text, SIZE_MAX); }

int strncmp(const char *a, const char *b, size_t max) {
    size_t i = 0;
    while (i < max && a[i] == b[i] && a[i] != '\0') i++;
    return i < max ? (unsigned char)a[i] - (unsigned char)b[i] : 0;
}

int strcmp(const char *a, const char *b) { return strncmp(a, b, SIZE_MAX); }

char *strrchr(const char *text, int wanted) {
    const char *found = NULL;
    for (;; text++) {
        if (*text == (char)wanted) found = text;
        if (*text == '\0') return (char *)(uintptr_t)found;
    }
}

static bool has(const char *text, char wanted) {
    while (*text != '\0' && *text != wanted) text++;
    return *text != '\0';
}

size_t strspn(const char *text, const char *accepted) {
    size_t length = 0;
    while (text[length] != '\0' && has(accepted, text[length])) length++;
    return length;
}

char *strstr(const char *text, const char *wanted) {
    size_t length = strlen(wanted);
    for (; strncmp(text, wanted, length) != 0; text++) {
        if (*text == '\0') return NULL;
    }
    return (char *)(uintptr_t)text;
}

// --- the process -----------------------------------------------------------------------------------------------------

// errno if the C library was not found; it is never read.
static int nobodys_errno;

int *__errno_location(void) {
    void *own = mb_foreign_own(MB_OWN___errno_location);
    return own != NULL ? ((int *(*)(void))own)() : &nobodys_errno;
}

unsigned long getauxval(unsigned long type) {
    void *own = mb_foreign_own(MB_OWN_getauxval);
    return own != NULL ? ((unsigned long (*)(unsigned long))own)(type) : 0;
}

// --- threads and fork ------------------------------------------------------------------------------------------------

// The C library's definition, or, if it has none, a function that returns ENOSYS.
static int fail(void) { return ENOSYS; }

static void *own_or_fail(enum mb_own name) {
    void *own = mb_foreign_own(name);
    return own != NULL ? own : (void *)fail;
}
#define MB_OWN(name) ((__typeof__(&name))own_or_fail(MB_OWN_##name))

int pthread_create(pthread_t *restrict out, const pthread_attr_t *restrict attributes, void *(*body)(void *), void *restrict argument) {
    return MB_OWN(pthread_create)(out, attributes, body, argument);
}
int pthread_join(pthread_t thread, void **result) { return MB_OWN(pthread_join)(thread, result); }
int pthread_key_create(pthread_key_t *key, void (*destroy)(void *)) { return MB_OWN(pthread_key_create)(key, destroy); }
int pthread_setspecific(pthread_key_t key, const void *value) { return MB_OWN(pthread_setspecific)(key, value); }
int pthread_setcancelstate(int state, int *old) { return MB_OWN(pthread_setcancelstate)(state, old); }
int pthread_attr_init(pthread_attr_t *attributes) { return MB_OWN(pthread_attr_init)(attributes); }
int pthread_attr_destroy(pthread_attr_t *attributes) { return MB_OWN(pthread_attr_destroy)(attributes); }
int pthread_attr_setstacksize(pthread_attr_t *attributes, size_t bytes) { return MB_OWN(pthread_attr_setstacksize)(attributes, bytes); }

// glibc's since 2.32.
int pthread_attr_setsigmask_np(pthread_attr_t *attributes, const sigset_t *mask);
int pthread_attr_setsigmask_np(pthread_attr_t *attributes, const sigset_t *mask) {
    return MB_OWN(pthread_attr_setsigmask_np)(attributes, mask);
}

// glibc's; musl has pthread_atfork alone.
int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *object);
int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *object) {
    return MB_OWN(__register_atfork)(prepare, parent, child, object);
}
int pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
    return MB_OWN(pthread_atfork)(prepare, parent, child);
}
