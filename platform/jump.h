// A function that lets another one answer in its place, as if the caller had called that.
//
//   MB_JUMP_BY(name, chooser, MB_JUMP_SECOND)      or MB_JUMP_THIRD
//
// What: defines the exported function `name` of two (three) arguments, the last one an int, the others pointers or numbers. It calls
// `chooser`, a hidden function with the same arguments, and jumps to the function that this returns; the last argument comes
// from there, too, the others are as they were. The target sees the caller's return address: dlopen tells by that which object asks, and
// where that object's files are looked for.
// C promises no such jump (a compiler makes it when it optimises).
#ifndef MB_PLATFORM_JUMP_H
#define MB_PLATFORM_JUMP_H

#include <stdint.h>

struct mb_jump {
    void *target;
    uintptr_t last; // the argument; returned in a register of its own, as the target is
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
