// A function that lets another one answer in its place, as if the caller had called that.
//
//   MB_JUMP_BY(name, chooser)
//
// What: defines the exported function `name` of two arguments, a pointer and an int. It calls `chooser`, a hidden function with the same
// arguments that returns a struct mb_jump, and jumps to the target with the first argument as it was and the second one from there. The
// target sees the caller's return address: dlopen tells by that which object asks, and where that object's files are looked for.
// C promises no such jump (a compiler makes it when it optimises).
#ifndef MB_PLATFORM_JUMP_H
#define MB_PLATFORM_JUMP_H

#include <stdint.h>

struct mb_jump {
    void *target;
    uintptr_t second; // returned in a register of its own, as the target is
};

#if defined(__x86_64__)
#define MB_JUMP_BY(name, chooser) \
    __asm__(".text\n" \
            ".p2align 4\n" \
            ".globl " #name "\n" \
            ".type " #name ", @function\n" \
            #name ":\n" \
            ".cfi_startproc\n" \
            "endbr64\n" \
            "pushq %rdi\n" \
            ".cfi_adjust_cfa_offset 8\n" \
            "call " #chooser "\n" \
            "popq %rdi\n" \
            ".cfi_adjust_cfa_offset -8\n" \
            "movl %edx, %esi\n" \
            "jmp *%rax\n" \
            ".cfi_endproc\n" \
            ".size " #name ", . - " #name "\n")
#elif defined(__aarch64__)
#define MB_JUMP_BY(name, chooser) \
    __asm__(".text\n" \
            ".p2align 4\n" \
            ".globl " #name "\n" \
            ".type " #name ", %function\n" \
            #name ":\n" \
            ".cfi_startproc\n" \
            "hint #34\n" \
            "stp x29, x30, [sp, #-32]!\n" \
            ".cfi_def_cfa_offset 32\n" \
            ".cfi_offset 29, -32\n" \
            ".cfi_offset 30, -24\n" \
            "str x0, [sp, #16]\n" \
            "mov x29, sp\n" \
            "bl " #chooser "\n" \
            "mov x16, x0\n" \
            "ldr x0, [sp, #16]\n" \
            "ldp x29, x30, [sp], #32\n" \
            ".cfi_restore 29\n" \
            ".cfi_restore 30\n" \
            ".cfi_def_cfa_offset 0\n" \
            "br x16\n" \
            ".cfi_endproc\n" \
            ".size " #name ", . - " #name "\n")
#else
#error "write the jump for this processor (platform/README.md)"
#endif

#endif
