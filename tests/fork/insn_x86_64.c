// What: implements insn.h for x86-64. The decoder knows the instructions that do not write memory and takes all others
// as writing.
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include "tests/fork/insn.h"

uint64_t insn_pointer(pid_t thread) {
    return (uint64_t)ptrace(PTRACE_PEEKUSER, thread, offsetof(struct user_regs_struct, rip), 0);
}

// The operand of a ModRM byte is memory, and not addressed by the stack pointer (with REX.B set, 4 means r12).
static bool is_memory(const uint8_t *modrm, uint8_t rex) {
    bool by_stack_pointer = (modrm[0] & 7) == 4 && (modrm[1] & 7) == 4 && (rex & 1) == 0;
    return modrm[0] >> 6 != 3 && !by_stack_pointer;
}

static unsigned extension(const uint8_t *modrm) { return modrm[0] >> 3 & 7; }

static bool is_in(uint8_t x, uint8_t from, uint8_t to) { return x >= from && x <= to; }

// add, or, adc, sbb, and, sub, xor, cmp in their six forms each: only forms with the r/m operand first write to it, and
// cmp never does.
static bool arithmetic_may_write(const uint8_t *at, uint8_t rex) { return (at[0] & 7) < 2 && at[0] < 0x38 && is_memory(at + 1, rex); }

static bool one_byte_may_write(const uint8_t *at, uint8_t rex) {
    uint8_t op = at[0];
    if (op < 0x40) return (op & 7) > 5 || arithmetic_may_write(at, rex);
    if (is_in(op, 0x50, 0x5f) || is_in(op, 0x70, 0x7f) || is_in(op, 0xb0, 0xbf)) return false; // push pop jcc mov-immediate
    if (op == 0x63 || is_in(op, 0x68, 0x6b) || op == 0x84 || op == 0x85 || op == 0x8a || op == 0x8b || op == 0x8d) return false;
    if (op == 0x90 || op == 0x98 || op == 0x99 || op == 0xa8 || op == 0xa9 || op == 0xc3 || op == 0xc9) return false;
    if (op == 0xe8 || op == 0xe9 || op == 0xeb) return false;
    if (is_in(op, 0x80, 0x83)) return extension(at + 1) != 7 && is_memory(at + 1, rex);
    if (is_in(op, 0x86, 0x89) || op == 0xc0 || op == 0xc1 || is_in(op, 0xc6, 0xc7) || is_in(op, 0xd0, 0xd3)) return is_memory(at + 1, rex);
    if (op == 0xf6 || op == 0xf7) return is_in((uint8_t)extension(at + 1), 2, 3) && is_memory(at + 1, rex);
    if (op == 0xfe || op == 0xff) return extension(at + 1) < 2 && is_memory(at + 1, rex);
    return true;
}

static bool two_byte_may_write(const uint8_t *at, uint8_t rex) {
    uint8_t op = at[0];
    if (op == 0x1e || op == 0x1f || op == 0x10 || op == 0x12 || op == 0x16 || op == 0x28 || op == 0x6e || op == 0x6f) return false;
    if (is_in(op, 0x40, 0x4f) || is_in(op, 0x80, 0x8f) || op == 0xa3 || op == 0xaf) return false; // cmov jcc bt imul
    if (op == 0xb6 || op == 0xb7 || is_in(op, 0xbc, 0xbf) || op == 0xb8) return false;            // movzx bsf bsr movsx popcnt
    if (op == 0x11 || op == 0x29 || op == 0x7f || op == 0xd6 || is_in(op, 0x90, 0x9f)) return is_memory(at + 1, rex);
    if (op == 0xba) return extension(at + 1) != 4 && is_memory(at + 1, rex);
    return true;
}

bool insn_may_write(const uint8_t bytes[INSN_BYTES]) {
    const uint8_t *at = bytes, *end = bytes + 5;
    while (at < end && (*at == 0x66 || *at == 0xf2 || *at == 0xf3 || *at == 0x2e || *at == 0x64)) at++;
    if (*at == 0xf0) return true; // lock
    uint8_t rex = is_in(*at, 0x40, 0x4f) ? *at++ : 0;
    return at[0] == 0x0f ? two_byte_may_write(at + 1, rex) : one_byte_may_write(at, rex);
}
