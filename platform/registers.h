// The registers of the calling function from which a stack walk by the unwind tables starts: instruction pointer, stack
// pointer and frame pointer.
#ifndef MB_PLATFORM_REGISTERS_H
#define MB_PLATFORM_REGISTERS_H

#include <stdint.h>

#include "platform/compiler.h"

struct mb_registers {
    uintptr_t instruction, stack, frame; // frame: the frame pointer register's value, even if the function uses it for something else
};

MB_INLINE struct mb_registers mb_registers_here(void) {
    struct mb_registers here;
#if defined(__aarch64__)
    __asm__ volatile("adr %0, 1f\n1:\tmov %1, sp\n\tmov %2, x29" : "=&r"(here.instruction), "=&r"(here.stack), "=&r"(here.frame));
#else
    __asm__ volatile("leaq 1f(%%rip), %0\n1:\tmovq %%rsp, %1\n\tmovq %%rbp, %2"
                     : "=&r"(here.instruction), "=&r"(here.stack), "=&r"(here.frame));
#endif
    return here;
}

#endif
