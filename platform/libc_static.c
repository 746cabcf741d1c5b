// References that make the linker take functions of the C library into a static program with libmbmalloc.a: a weak
// reference (platform/libc.h) does not pull a member out of an archive. Not part of libmbmalloc.so; nothing calls this.
#include <pthread.h>
#include <signal.h>

#include "platform/compiler.h"

#if defined(__GLIBC__)
int __register_atfork(void (*)(void), void (*)(void), void (*)(void), void *);
#define MB_AT_FORK __register_atfork
#if __GLIBC_PREREQ(2, 32)
#define MB_SIGNAL_MASK pthread_attr_setsigmask_np
#else
#define MB_SIGNAL_MASK NULL
#endif
#else
#define MB_AT_FORK pthread_atfork
#define MB_SIGNAL_MASK NULL
#endif

MB_UNUSED MB_HIDDEN const void *const mb_libc_wanted[] = {
    (const void *)pthread_create,      (const void *)pthread_join,
    (const void *)pthread_key_create,  (const void *)pthread_setspecific,
    (const void *)pthread_attr_setstacksize, (const void *)MB_AT_FORK,
    (const void *)MB_SIGNAL_MASK,
};
