// Where the calling function is: its instruction, stack pointer and frame pointer, as the unwind table has a row for
// it.
#ifndef MB_PLATFORM_REGISTERS_H
#define MB_PLATFORM_REGISTERS_H

#include <stdint.h>

#include "platform/compiler.h"

struct mb_registers {
    uintptr_t instruction, stack, frame; // frame: what is in the register of frame pointers, whatever it is used for
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
