// Whether the process runs under AddressSanitizer, MemorySanitizer, ThreadSanitizer or LeakSanitizer, by the names that
// gcc's and clang's runtimes define. Any thread.
#ifndef MB_PLATFORM_SANITIZER_H
#define MB_PLATFORM_SANITIZER_H

#include <stdbool.h>
#include <stddef.h>

#include "platform/compiler.h"

extern char __tsan_init __attribute__((weak));
extern char __asan_init __attribute__((weak));
extern char __msan_init __attribute__((weak));
extern char __lsan_init __attribute__((weak));

MB_INLINE bool mb_sanitizer_watches(void) {
    bool theirs = &__tsan_init != NULL || &__asan_init != NULL || &__msan_init != NULL || &__lsan_init != NULL;
    return MB_TSAN || MB_ASAN || theirs;
}

// ThreadSanitizer is told apart, because its shadow memory leaves other address ranges free (platform/window.c).
MB_INLINE bool mb_sanitizer_is_tsan(void) { return MB_TSAN || &__tsan_init != NULL; }

#endif
