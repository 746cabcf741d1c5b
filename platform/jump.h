// Defines a function that tail-calls another one, chosen at each call, with the caller's return address in place.
//
//   MB_JUMP_BY(name, chooser, MB_JUMP_SECOND)      or MB_JUMP_THIRD
//
// What: the macro defines the exported function `name` of two (three) arguments: integers or pointers, the last one an
// int. It calls `chooser`, a hidden function with the same arguments, which returns a struct mb_jump: the function to
// jump to, and the value of the last argument for it; the other arguments are passed on. preload/dlopen.c needs that:
// dlopen takes the calling object, and with it the run path and the namespace, from its return address. In C a tail
// call is an optimisation that nothing guarantees, so it is assembly.
#ifndef MB_PLATFORM_JUMP_H
#define MB_PLATFORM_JUMP_H

#include <stdint.h>

struct mb_jump {
    void *target;
    uintptr_t last; // the last argument; both members are returned in registers
};

#if defined(__x86_64__)
#define MB_JUMP_SECOND "movl %edx, %esi\n"
#define MB_JUMP_THIRD "" // it is there already
#define MB_JUMP_BY(name, chooser, last) \
    __asm__(".text\n" \
            ".p2align 4\n" \
            ".globl " #name "\n" \
            ".type " #name ", @function\n" \
            #name ":\n" \
            ".cfi_startproc\n" \
            "endbr64\n" \
            "pushq %rdi\n" \
            ".cfi_adjust_cfa_offset 8\n" \
            "pushq %rsi\n" \
            ".cfi_adjust_cfa_offset 8\n" \
            "subq $8, %rsp\n" \
            ".cfi_adjust_cfa_offset 8\n" \
            "call " #chooser "\n" \
            "addq $8, %rsp\n" \
            ".cfi_adjust_cfa_offset -8\n" \
            "popq %rsi\n" \
            ".cfi_adjust_cfa_offset -8\n" \
            "popq %rdi\n" \
            ".cfi_adjust_cfa_offset -8\n" \
            last \
            "jmp *%rax\n" \
            ".cfi_endproc\n" \
            ".size " #name ", . - " #name "\n")
#elif defined(__aarch64__)
#define MB_JUMP_SECOND "mov w1, w17\n"
#define MB_JUMP_THIRD "mov w2, w17\n"
#define MB_JUMP_BY(name, chooser, last) \
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
            "stp x0, x1, [sp, #16]\n" \
            "mov x29, sp\n" \
            "bl " #chooser "\n" \
            "mov x16, x0\n" \
            "mov x17, x1\n" \
            "ldp x0, x1, [sp, #16]\n" \
            last \
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
