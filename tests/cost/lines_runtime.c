#include "tests/cost/lines.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SHIFT = 6, LINES = 1 << 18, SITES = 1 << 12, THREADS = 1024, TOLD = 12 };

// Which threads have the line in their cache: one that may write it, or several that have read it.
struct line {
    uintptr_t number; // 0: never met
    uint32_t only;
    bool is_shared;
    uint64_t readers[THREADS / 64];
};

struct site {
    uintptr_t code, line;
    uint64_t fetched;
};

static struct {
    atomic_flag lock;
    bool counts;
    uint64_t fetched;
    struct line lines[LINES];
    struct site sites[SITES];
} model;

static _Thread_local uint32_t self;
static atomic_uint threads;

static uint32_t thread_number(void) {
    if (self == 0) self = atomic_fetch_add(&threads, 1) + 1;
    if (self >= THREADS) abort();
    return self;
}

static struct line *line_of(uintptr_t number) {
    size_t at = number * UINT64_C(0x9e3779b97f4a7c15) >> (64 - 18);
    while (model.lines[at].number != 0 && model.lines[at].number != number) at = (at + 1) % LINES;
    return &model.lines[at];
}

static void note_site(uintptr_t code, uintptr_t line) {
    size_t at = (code * 31 + line) * UINT64_C(0x9e3779b97f4a7c15) >> (64 - 12);
    for (size_t i = 0; i < SITES; i++, at = (at + 1) % SITES) {
        struct site *site = &model.sites[at];
        if (site->fetched != 0 && (site->code != code || site->line != line)) continue;
        *site = (struct site){code, line, site->fetched + 1};
        return;
    }
}

// True if the line had to be transferred.
static bool read_line(struct line *line, uint32_t me) {
    if (!line->is_shared && line->only == me) return false;
    if (!line->is_shared) {
        memset(line->readers, 0, sizeof line->readers);
        line->readers[line->only / 64] |= UINT64_C(1) << line->only % 64;
        line->is_shared = true;
    }
    bool had = (line->readers[me / 64] >> me % 64 & 1) != 0;
    line->readers[me / 64] |= UINT64_C(1) << me % 64;
    return !had;
}

static bool write_line(struct line *line, uint32_t me) {
    bool had = !line->is_shared && line->only == me;
    line->only = me;
    line->is_shared = false;
    return !had;
}

static void access_line(uintptr_t number, bool writes, uintptr_t code) {
    uint32_t me = thread_number();
    while (atomic_flag_test_and_set_explicit(&model.lock, memory_order_acquire)) continue;
    struct line *line = line_of(number);
    if (line->number == 0) {
        *line = (struct line){.number = number, .only = me}; // memory's, not another thread's
    } else if (writes ? write_line(line, me) : read_line(line, me)) {
        model.fetched += model.counts;
        if (model.counts) note_site(code, number);
    }
    atomic_flag_clear_explicit(&model.lock, memory_order_release);
}

static void access_bytes(const volatile void *p, size_t bytes, bool writes, void *code) {
    for (uintptr_t n = (uintptr_t)p >> LINE_SHIFT; n <= ((uintptr_t)p + bytes - 1) >> LINE_SHIFT; n++)
        access_line(n, writes, (uintptr_t)code);
}

void lines_start(void) {
    memset(model.sites, 0, sizeof model.sites);
    model.fetched = 0;
    model.counts = true;
}

uint64_t lines_stop(void) {
    model.counts = false;
    return model.fetched;
}

static int by_count(const void *a, const void *b) {
    const struct site *x = a, *y = b;
    return x->fetched < y->fetched ? 1 : x->fetched > y->fetched ? -1 : 0;
}

void lines_tell(const char *name) {
    static struct site sorted[SITES];
    Dl_info self_info;
    uintptr_t base = dladdr((void *)(uintptr_t)&lines_tell, &self_info) != 0 ? (uintptr_t)self_info.dli_fbase : 0;
    memcpy(sorted, model.sites, sizeof sorted);
    qsort(sorted, SITES, sizeof sorted[0], by_count);
    for (unsigned i = 0; i < TOLD && sorted[i].fetched != 0; i++) {
        printf("  %s: %6llu times line %#lx at %#lx\n", name, (unsigned long long)sorted[i].fetched,
               (unsigned long)(sorted[i].line << LINE_SHIFT), (unsigned long)(sorted[i].code - base - 1));
    }
}

// --- what the compiler calls -----------------------------------------------------------------------------------------

#define PLAIN(bytes)                                                                                                                       \
    void __tsan_read##bytes(void *p);                                                                                                      \
    void __tsan_write##bytes(void *p);                                                                                                     \
    void __tsan_unaligned_read##bytes(void *p);                                                                                            \
    void __tsan_unaligned_write##bytes(void *p);                                                                                           \
    void __tsan_volatile_read##bytes(void *p);                                                                                             \
    void __tsan_volatile_write##bytes(void *p);                                                                                            \
    void __tsan_read##bytes(void *p) { access_bytes(p, bytes, false, __builtin_return_address(0)); }                                       \
    void __tsan_write##bytes(void *p) { access_bytes(p, bytes, true, __builtin_return_address(0)); }                                       \
    void __tsan_unaligned_read##bytes(void *p) { access_bytes(p, bytes, false, __builtin_return_address(0)); }                             \
    void __tsan_unaligned_write##bytes(void *p) { access_bytes(p, bytes, true, __builtin_return_address(0)); }                             \
    void __tsan_volatile_read##bytes(void *p) { access_bytes(p, bytes, false, __builtin_return_address(0)); }                              \
    void __tsan_volatile_write##bytes(void *p) { access_bytes(p, bytes, true, __builtin_return_address(0)); }
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

#define UPDATE(type, bits, name)                                                                                                           \
    type __tsan_atomic##bits##_##name(volatile type *p, type value, int order);                                                            \
    type __tsan_atomic##bits##_##name(volatile type *p, type value, int order) {                                                           \
        (void)order;                                                                                                                       \
        access_bytes(p, sizeof *p, true, __builtin_return_address(0));                                                                     \
        return __atomic_##name(p, value, __ATOMIC_SEQ_CST);                                                                                \
    }
#define SWAP(type, bits, strength)                                                                                                         \
    int __tsan_atomic##bits##_compare_exchange_##strength(volatile type *p, type *expected, type value, int success, int failure);         \
    int __tsan_atomic##bits##_compare_exchange_##strength(volatile type *p, type *expected, type value, int success, int failure) {        \
        (void)success, (void)failure;                                                                                                      \
        access_bytes(p, sizeof *p, true, __builtin_return_address(0));                                                                     \
        return __atomic_compare_exchange_n(p, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                                 \
    }
#define ATOMIC(type, bits)                                                                                                                 \
    type __tsan_atomic##bits##_load(const volatile type *p, int order);                                                                    \
    void __tsan_atomic##bits##_store(volatile type *p, type value, int order);                                                             \
    type __tsan_atomic##bits##_exchange(volatile type *p, type value, int order);                                                          \
    type __tsan_atomic##bits##_compare_exchange_val(volatile type *p, type expected, type value, int success, int failure);                \
    type __tsan_atomic##bits##_load(const volatile type *p, int order) {                                                                   \
        (void)order;                                                                                                                       \
        access_bytes(p, sizeof *p, false, __builtin_return_address(0));                                                                    \
        return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                                                       \
    }                                                                                                                                      \
    void __tsan_atomic##bits##_store(volatile type *p, type value, int order) {                                                            \
        (void)order;                                                                                                                       \
        access_bytes(p, sizeof *p, true, __builtin_return_address(0));                                                                     \
        __atomic_store_n(p, value, __ATOMIC_SEQ_CST);                                                                                      \
    }                                                                                                                                      \
    type __tsan_atomic##bits##_exchange(volatile type *p, type value, int order) {                                                         \
        (void)order;                                                                                                                       \
        access_bytes(p, sizeof *p, true, __builtin_return_address(0));                                                                     \
        return __atomic_exchange_n(p, value, __ATOMIC_SEQ_CST);                                                                            \
    }                                                                                                                                      \
    type __tsan_atomic##bits##_compare_exchange_val(volatile type *p, type expected, type value, int success, int failure) {               \
        (void)success, (void)failure;                                                                                                      \
        access_bytes(p, sizeof *p, true, __builtin_return_address(0));                                                                     \
        __atomic_compare_exchange_n(p, &expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                                       \
        return expected;                                                                                                                   \
    }                                                                                                                                      \
    UPDATE(type, bits, fetch_add)                                                                                                          \
    UPDATE(type, bits, fetch_sub)                                                                                                          \
    UPDATE(type, bits, fetch_or)                                                                                                           \
    UPDATE(type, bits, fetch_and)                                                                                                          \
    UPDATE(type, bits, fetch_xor)                                                                                                          \
    SWAP(type, bits, strong)                                                                                                               \
    SWAP(type, bits, weak)
ATOMIC(uint8_t, 8)
ATOMIC(uint16_t, 16)
ATOMIC(uint32_t, 32)
ATOMIC(uint64_t, 64)

void __tsan_init(void);
void __tsan_func_entry(void *caller);
void __tsan_func_exit(void);
void __tsan_read_range(void *p, unsigned long bytes);
void __tsan_write_range(void *p, unsigned long bytes);
void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_signal_fence(int order);
void *__tsan_memcpy(void *to, const void *from, size_t bytes);
void *__tsan_memset(void *to, int value, size_t bytes);
void *__tsan_memmove(void *to, const void *from, size_t bytes);
void __tsan_init(void) {}
void __tsan_func_entry(void *caller) { (void)caller; }
void __tsan_func_exit(void) {}
void __tsan_read_range(void *p, unsigned long bytes) { access_bytes(p, bytes, false, __builtin_return_address(0)); }
void __tsan_write_range(void *p, unsigned long bytes) { access_bytes(p, bytes, true, __builtin_return_address(0)); }
void __tsan_atomic_thread_fence(int order) { (void)order; }
void __tsan_atomic_signal_fence(int order) { (void)order; }
void *__tsan_memcpy(void *to, const void *from, size_t bytes) { return memcpy(to, from, bytes); }
void *__tsan_memset(void *to, int value, size_t bytes) { return memset(to, value, bytes); }
void *__tsan_memmove(void *to, const void *from, size_t bytes) { return memmove(to, from, bytes); }
