// Who am I, in one instruction.
#ifndef MB_PLATFORM_THREAD_H
#define MB_PLATFORM_THREAD_H

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

#endif
