// Who am I, in one instruction; am I alone; and waiting without sleep.
#ifndef MB_PLATFORM_THREAD_H
#define MB_PLATFORM_THREAD_H

#include <stdbool.h>
#include <stddef.h>

#include "platform/compiler.h"

// A word that differs between threads that live at the same time: the thread pointer, where it costs one load, else `otherwise`. The
// next thread may get the word of one that has ended. Builds under a thread sanitizer and tests that switch threads by hand use
// `otherwise`, too.
MB_INLINE const void *mb_thread_token(const void *otherwise) {
#if defined(__x86_64__) && !MB_TSAN
    const void *pointer; // the ABI keeps the thread pointer's own address at its offset 0
    (void)otherwise;
    __asm__("movq %%fs:0, %0" : "=r"(pointer));
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

// In a loop that waits for another processor.
MB_INLINE void mb_cpu_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
