// Linux system calls by the processor's instruction. They return the kernel's result (a value or a negative errno
// value), do not set errno, are no cancellation points, and call no libc function that another preloaded library could
// interpose.
//
// Who: any thread, any time, a signal handler or a vforked child included. Only platform/ includes this.
#ifndef MB_PLATFORM_SYSCALL_LINUX_H
#define MB_PLATFORM_SYSCALL_LINUX_H

#include <stdint.h>
#include <sys/syscall.h>

#include "platform/compiler.h"

#if defined(__x86_64__)

MB_INLINE long mb_syscall6(long number, long a, long b, long c, long d, long e, long f) {
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

#elif defined(__aarch64__)

MB_INLINE long mb_syscall6(long number, long a, long b, long c, long d, long e, long f) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
    return x0;
}

#else
#error "no system call stub for this architecture: see platform/README.md"
#endif

MB_INLINE long mb_syscall5(long number, long a, long b, long c, long d, long e) {
    return mb_syscall6(number, a, b, c, d, e, 0);
}
MB_INLINE long mb_syscall4(long number, long a, long b, long c, long d) { return mb_syscall6(number, a, b, c, d, 0, 0); }
MB_INLINE long mb_syscall3(long number, long a, long b, long c) { return mb_syscall6(number, a, b, c, 0, 0, 0); }
MB_INLINE long mb_syscall2(long number, long a, long b) { return mb_syscall6(number, a, b, 0, 0, 0, 0); }
MB_INLINE long mb_syscall1(long number, long a) { return mb_syscall6(number, a, 0, 0, 0, 0, 0); }
MB_INLINE long mb_syscall0(long number) { return mb_syscall6(number, 0, 0, 0, 0, 0, 0); }

// A pointer as an argument of a system call.
MB_INLINE long mb_arg(const volatile void *p) { return (long)(uintptr_t)p; }
MB_INLINE long mb_arg_size(size_t n) { return (long)n; }

// The negative errno value if the result is an error (-4095 to -1), else 0.
MB_INLINE int mb_syscall_error(long result) { return result < 0 && result >= -4095 ? (int)result : 0; }

#endif
