// Cheap questions about the calling thread: an identity, whether it is the only one, the processor that it runs on; and
// the pause instruction for loops that wait.
// Who: any thread, no system calls.
#ifndef MB_PLATFORM_THREAD_H
#define MB_PLATFORM_THREAD_H

#include <stdbool.h>
#include <stddef.h>

#include "platform/compiler.h"

// An identity of the calling thread that no other living thread has: the thread pointer where one instruction reads it
// (x86-64, aarch64), else `otherwise`. A new thread may get the identity of one that has ended. Builds for
// ThreadSanitizer, and tests that switch threads by hand, use `otherwise`.
MB_INLINE const void *mb_thread_token(const void *otherwise) {
#if defined(__x86_64__) && !MB_TSAN
    const void *pointer; // the ABI keeps the thread pointer's own address at its offset 0
    (void)otherwise;
    __asm__("movq %%fs:0, %0" : "=r"(pointer));
    return pointer;
#elif defined(__aarch64__) && !MB_TSAN
    const void *pointer;
    (void)otherwise;
    __asm__("mrs %0, tpidr_el0" : "=r"(pointer));
    return pointer;
#else
    return otherwise;
#endif
}

// glibc's flag (2.32 and later; weak, since other libraries lack it) that the process has one thread. The first thread
// clears it before it starts a second one. It does not know threads made by a bare clone(2); glibc's malloc relies on
// it all the same.
extern char __libc_single_threaded __attribute__((weak));

// True: this is the only thread, so atomic read-modify-write operations may be plain ones. False: there may be others.
// Always false in builds for ThreadSanitizer.
MB_INLINE bool mb_thread_is_only(void) { return !MB_TSAN && &__libc_single_threaded != NULL && __libc_single_threaded != 0; }

// Offset from the thread pointer of the area that the kernel keeps up to date for the thread (restartable sequences;
// glibc 2.35 and later, weak).
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned __rseq_size __attribute__((weak));

enum { MB_CPU_UNKNOWN = 0x10000 };

// The number of the processor that the thread runs on, read from that area; it may change at any time. MB_CPU_UNKNOWN:
// the C library has no such area.
MB_INLINE unsigned mb_cpu_now(void) {
    if (&__rseq_offset == NULL || &__rseq_size == NULL || __rseq_size == 0) return MB_CPU_UNKNOWN;
#if defined(__x86_64__)
    const char *pointer;
    __asm__("movq %%fs:0, %0" : "=r"(pointer));
#else
    const char *pointer = __builtin_thread_pointer();
#endif
    unsigned cpu = __atomic_load_n((const unsigned *)(pointer + __rseq_offset + sizeof(unsigned)), __ATOMIC_RELAXED);
    return cpu < MB_CPU_UNKNOWN ? cpu : MB_CPU_UNKNOWN;
}

// To be called in a loop that spins on a word of another thread.
MB_INLINE void mb_cpu_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
