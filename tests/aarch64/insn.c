// What: implements insn.h by the instruction encodings in the Arm architecture reference manual (C4.1).
#include "tests/aarch64/insn.h"

#include <stdlib.h>

enum { EXCLUSIVE_LOOP_MAX = 16, LINK = 30, NO_REGISTER = 31 };

static uint32_t word_at(uint64_t at) { return *(const volatile uint32_t *)(uintptr_t)at; }

static uint64_t field(uint32_t word, unsigned from, unsigned bits) { return word >> from & ((1u << bits) - 1); }

static uint64_t target(uint64_t at, uint32_t word, unsigned from, unsigned bits) {
    int64_t distance = (int64_t)(field(word, from, bits) << (64 - bits)) >> (64 - bits);
    return at + (uint64_t)distance * INSN_BYTES;
}

// --- branches --------------------------------------------------------------------------------------------------------

static bool is_branch(uint32_t word) { return (word & 0x7c000000) == 0x14000000; } // b, bl
static bool is_conditional(uint32_t word) { return (word & 0xff000010) == 0x54000000; }
static bool is_compare(uint32_t word) { return (word & 0x7e000000) == 0x34000000; }     // cbz, cbnz
static bool is_bit_test(uint32_t word) { return (word & 0x7e000000) == 0x36000000; }    // tbz, tbnz
static bool is_by_register(uint32_t word) { return (word & 0xfe000000) == 0xd6000000; } // br, blr, ret

static bool holds(uint64_t condition, uint64_t pstate) {
    bool n = pstate >> 31 & 1, z = pstate >> 30 & 1, c = pstate >> 29 & 1, v = pstate >> 28 & 1,
         is[8] = {z, c, n, v, c && !z, n == v, n == v && !z, true};
    return is[condition >> 1] != ((condition & 1) != 0 && condition != 15);
}

static uint64_t register_of(const struct insn_state *state, uint64_t number) { return number == NO_REGISTER ? 0 : state->regs[number]; }

static bool is_taken(const struct insn_state *state, uint32_t word) {
    uint64_t value = register_of(state, field(word, 0, 5)), bit = field(word, 31, 1) << 5 | field(word, 19, 5);
    bool if_set = field(word, 24, 1) != 0;
    if (is_conditional(word)) return holds(field(word, 0, 4), state->pstate);
    if (is_bit_test(word)) return (value >> bit & 1) == if_set;
    return ((field(word, 31, 1) != 0 ? value : (uint32_t)value) != 0) == if_set;
}

static uint64_t conditional_target(uint64_t at, uint32_t word) {
    return is_bit_test(word) ? target(at, word, 5, 14) : target(at, word, 5, 19);
}

static bool is_any_conditional(uint32_t word) { return is_conditional(word) || is_compare(word) || is_bit_test(word); }

// --- exclusive loads and stores --------------------------------------------------------------------------------------

// Exclusive access to one register, or to two if the upper size bit is set (otherwise the instruction is casp).
static bool is_exclusive(uint32_t word) {
    return (word & 0x3f800000) == 0x08000000 && (field(word, 21, 1) == 0 || field(word, 31, 1) != 0);
}
static bool is_load(uint32_t word) { return field(word, 22, 1) != 0; }

// The loop ends after the branch that tests whether the store succeeded; a branch may leave it earlier.
static unsigned behind_loop(uint64_t at, uint64_t next[INSN_NEXT_MAX]) {
    unsigned count = 0;
    bool stored = false;
    for (uint64_t here = at + INSN_BYTES; here < at + EXCLUSIVE_LOOP_MAX * INSN_BYTES; here += INSN_BYTES) {
        uint32_t word = word_at(here);
        bool is_end = stored && is_any_conditional(word);
        if (is_exclusive(word) && !is_load(word)) stored = true;
        if (is_any_conditional(word) && conditional_target(here, word) > here && count < INSN_NEXT_MAX - 1)
            next[count++] = conditional_target(here, word);
        if (!is_end) continue;
        next[count++] = here + INSN_BYTES;
        return count;
    }
    abort(); // a form that is not known here
}

unsigned insn_next(const struct insn_state *state, uint64_t next[INSN_NEXT_MAX], uint64_t *returns) {
    uint64_t at = state->pc;
    uint32_t word = word_at(at);
    bool links = is_branch(word) ? field(word, 31, 1) != 0 : is_by_register(word) && field(word, 21, 2) == 1;
    *returns = links ? at + INSN_BYTES : 0;
    next[0] = at + INSN_BYTES;
    if (is_branch(word))
        next[0] = target(at, word, 0, 26);
    else if (is_any_conditional(word) && is_taken(state, word))
        next[0] = conditional_target(at, word);
    else if (is_by_register(word))
        next[0] = register_of(state, field(word, 5, 5));
    else if (is_exclusive(word) && is_load(word))
        return behind_loop(at, next);
    return 1;
}

// --- writes ----------------------------------------------------------------------------------------------------------

bool insn_may_write(uint32_t word) {
    if ((word & 0x0a000000) != 0x08000000) return (word & 0xffe0001f) == 0xd4000001; // no load or store: svc alone
    if (field(word, 5, 5) == NO_REGISTER && field(word, 27, 3) != 1) return false;   // by the stack pointer
    switch (field(word, 28, 2)) {
    case 0:
        return !(is_exclusive(word) || field(word, 23, 1) != 0) || !is_load(word) ||
               field(word, 21, 1) != 0; // exclusive, ordered, cas; simd
    case 1: return false;               // by the program counter
    case 2: return !is_load(word);      // pairs
    default:
        return field(word, 22, 2) == 0 || (field(word, 21, 1) != 0 && field(word, 24, 1) == 0 && field(word, 10, 2) == 0) ||
               (field(word, 26, 1) != 0 && field(word, 22, 1) == 0); // one register; atomic operations; 128 bits
    }
}
