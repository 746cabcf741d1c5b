// The code that a handler of signals returns to, as unwinders know it where no table describes it: arm64's kernels have
// none for it.
#ifndef MB_PLATFORM_SIGNAL_RETURN_H
#define MB_PLATFORM_SIGNAL_RETURN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MB_SIGNAL_RETURN_BYTES = 8 };

#if defined(__aarch64__)
// By the address alone.
static inline bool mb_can_be_signal_return(const uint32_t *code) { return ((uintptr_t)code & 3) == 0; }
// mov x8, #139 (rt_sigreturn); svc #0.
static inline bool mb_is_signal_return(const uint32_t *code) { return code[0] == 0xd2801168 && code[1] == 0xd4000001; }
#else
static inline bool mb_can_be_signal_return(const uint32_t *code) { return code == NULL; }
static inline bool mb_is_signal_return(const uint32_t *code) { return code == NULL; }
#endif

#endif
