// Who am I, in one instruction; am I alone; and waiting without sleep.
#ifndef MB_PLATFORM_THREAD_H
#define MB_PLATFORM_THREAD_H

#include <stdbool.h>
#include <stddef.h>

#include "platform/compiler.h"

// A word that differs between threads that live at the same time: the thread pointer, where it costs one instruction, else `otherwise`. The
// next thread may get the word of one that has ended. Builds under a thread sanitizer and tests that switch threads by hand use
// `otherwise`, too.
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

// The C library's word for: there is one thread (glibc 2.32 on; elsewhere it is absent). It turns false before the second thread starts,
// by the hand of the first. A thread that is made by clone alone is unknown to it, as it is to the libc's own malloc, which asks the same.
extern char __libc_single_threaded __attribute__((weak));

// Whether what other threads might do at this moment need not be minded. False proves nothing.
// Builds as above: never.
MB_INLINE bool mb_thread_is_only(void) { return !MB_TSAN && &__libc_single_threaded != NULL && __libc_single_threaded != 0; }

// Where glibc keeps what the kernel tells about the thread (restartable sequences, glibc 2.35 on; elsewhere absent).
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned __rseq_size __attribute__((weak));

enum { MB_CPU_UNKNOWN = 0x10000 };

// The processor that the thread runs on, without a system call; the next moment it may be another. MB_CPU_UNKNOWN: the C library does not know.
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

// In a loop that waits for another processor.
MB_INLINE void mb_cpu_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
