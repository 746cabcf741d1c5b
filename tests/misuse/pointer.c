// What: every kind of pointer that is not a live block (pointers), passed to every function that takes one (verbs).
//
// Who: one thread, except where the pointer comes from another. The function in the fatal line is `free`, `realloc` or
// `usable_size`. All functions are looked up at run time, so that delete can be tested in a program that is not linked
// with libstdc++.
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/misuse/actor.h"
#include "tests/misuse/case.h"

#define COUNT(v) (sizeof(v) / sizeof((v)[0]))

// --- verbs -----------------------------------------------------------------------------------------------------------

enum shape { P, P_N, P_A, P_A_N, P_N_A, P_T, P_A_T, N_P, N2_P }; // which arguments beside the pointer: size, alignment, tag

struct verb {
    const char *name, *symbol, *noun;
    enum shape shape;
};

static const struct verb verbs[] = {
    {"free", "free", "free", P},
    {"cfree", "cfree", "free", P},
    {"free_sized", "free_sized", "free", P_N},
    {"free_aligned_sized", "free_aligned_sized", "free", P_A_N},
    {"delete", "_ZdlPv", "free", P},
    {"delete-array", "_ZdaPv", "free", P},
    {"delete-sized", "_ZdlPvm", "free", P_N},
    {"delete-array-sized", "_ZdaPvm", "free", P_N},
    {"delete-aligned", "_ZdlPvSt11align_val_t", "free", P_A},
    {"delete-array-aligned", "_ZdaPvSt11align_val_t", "free", P_A},
    {"delete-sized-aligned", "_ZdlPvmSt11align_val_t", "free", P_N_A},
    {"delete-array-sized-aligned", "_ZdaPvmSt11align_val_t", "free", P_N_A},
    {"delete-nothrow", "_ZdlPvRKSt9nothrow_t", "free", P_T},
    {"delete-array-nothrow", "_ZdaPvRKSt9nothrow_t", "free", P_T},
    {"delete-aligned-nothrow", "_ZdlPvSt11align_val_tRKSt9nothrow_t", "free", P_A_T},
    {"delete-array-aligned-nothrow", "_ZdaPvSt11align_val_tRKSt9nothrow_t", "free", P_A_T},
    {"realloc", "realloc", "realloc", P_N},
    {"reallocarray", "reallocarray", "realloc", N2_P},
    {"usable_size", "malloc_usable_size", "usable_size", P},
};

typedef void any_function(void);

static any_function *find(const char *symbol) {
    any_function *f;
    void *address = dlsym(RTLD_DEFAULT, symbol);
    if (address == NULL) give_up(symbol);
    memcpy(&f, &address, sizeof f);
    return f;
}

// Calls realloc and usable_size, too, as functions without a result: the register with their result is ignored.
static void apply(const struct verb *v, void *p, size_t n) {
    any_function *f = find(v->symbol);
    static const char tag = 0;
    switch (v->shape) {
    case P: ((void (*)(void *))f)(p); break;
    case P_N: ((void (*)(void *, size_t))f)(p, n); break;
    case P_A: ((void (*)(void *, size_t))f)(p, 16); break;
    case P_A_N: ((void (*)(void *, size_t, size_t))f)(p, 16, n); break;
    case P_N_A: ((void (*)(void *, size_t, size_t))f)(p, n, 16); break;
    case P_T: ((void (*)(void *, const void *))f)(p, &tag); break;
    case P_A_T: ((void (*)(void *, size_t, const void *))f)(p, 16, &tag); break;
    default: ((void (*)(void *, size_t, size_t))f)(p, 1, n); break;
    }
}

// --- pointers --------------------------------------------------------------------------------------------------------

struct pointer {
    const char *name, *fault;
    void *(*make)(long);
    long n;
};

static char data_bytes[4096] = "initialised";
static char bss_bytes[4096];
static __thread char tls_bytes[64];

static void *in_block(size_t bytes, long offset) { return (char *)block(bytes) + offset; }
static void *in_64(long offset) { return in_block(64, offset); }
static void *in_1000(long offset) { return in_block(1000, offset); }
static void *in_20000(long offset) { return in_block(20000, offset); }
static void *in_32768(long offset) { return in_block(32768, offset); }
static void *in_1m(long offset) { return in_block(1 << 20, offset); }
static void *in_64m(long offset) { return in_block(64 << 20, offset); }

static void *in_aligned(long offset) {
    char *p = hide(memalign(1 << 20, 3 << 20));
    if (p == NULL) give_up("memalign returned NULL");
    return p + offset;
}

// In the same 64 KiB as p, `distance` blocks away.
static void *neighbour(size_t bytes, long distance) {
    char *p = block(bytes);
    char *q = p + distance * (long)bytes;
    return ((uintptr_t)p ^ (uintptr_t)q) >> 16 == 0 ? q : p - distance * (long)bytes;
}
static void *neighbour_48(long distance) { return neighbour(48, distance); }
static void *neighbour_1024(long distance) { return neighbour(1024, distance); }

static void *beyond_large(long offset) { return (char *)block(1 << 20) + offset; }

static void *freed(size_t bytes) {
    void *p = block(bytes);
    void *wall = block(bytes);
    (void)wall;
    free(p);
    return p;
}
static void *freed_block(long bytes) { return freed((size_t)bytes); }

static void *freed_large_interior(long offset) { return (char *)freed(1 << 20) + offset; }

static char *stack_frame;
static void *on_stack(long offset) { return stack_frame + offset; }

static void keep_address(void *arg) {
    char local[64] = {0};
    *(void **)arg = hide(local);
}
static void *on_other_stack(long unused) {
    static struct actor sleeper;
    void *p = NULL;
    (void)unused;
    actor_start(&sleeper);
    actor_do(&sleeper, keep_address, &p);
    return (void *)((uintptr_t)p & ~(uintptr_t)15);
}

static void *in_data(long offset) { return data_bytes + offset; }
static void *in_bss(long offset) { return bss_bytes + offset; }
static void *in_tls(long offset) { return tls_bytes + offset; }
static void *literal(long offset) { return hide(&"a string literal of more than sixteen bytes"[offset]); }
static void *environment(long unused) {
    (void)unused;
    return environ[0];
}

static void *own_function(long unused) {
    any_function *f = (any_function *)pointer_cases;
    void *p;
    (void)unused;
    memcpy(&p, &f, sizeof p);
    return p;
}
static void *libc_function(long unused) {
    (void)unused;
    return dlsym(RTLD_DEFAULT, "strlen");
}
static void *vdso(long offset) { return (char *)(uintptr_t)getauxval(AT_SYSINFO_EHDR) + offset; }

static void *zero_page(long offset) { return (char *)own_pages(16384) + offset; }

static void *full_page(long byte) {
    void *p = own_pages(16384);
    memset(p, (int)byte, 16384);
    return (char *)p + 4096 + 64;
}

// Before it stands what glibc writes before a block that has a mapping of its own. But the libc's malloc has served
// nobody in this process.
static void *with_a_header(long flags) {
    size_t *p = own_pages(1 << 20);
    p[1] = (1 << 20) | (size_t)flags;
    return p + 2;
}

static void *protected_page(long rights) {
    char *p = own_pages(16384);
    if (mprotect(p, 16384, (int)rights) != 0) give_up("mprotect failed");
    return p + 4096;
}

// The page before the pointer, where a header would be, is not mapped.
static void *after_a_hole(long unused) {
    char *p = own_pages(16384);
    (void)unused;
    if (munmap(p, 4096) != 0) give_up("munmap failed");
    return p + 4096;
}

static void *unmapped(long unused) {
    char *p = own_pages(1 << 20);
    (void)unused;
    if (munmap(p, 1 << 20) != 0) give_up("munmap failed");
    return p + 65536;
}

static void *file_page(long offset) {
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    void *p = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) give_up("mmap of a file failed");
    return (char *)p + offset;
}

static void *wild(long value) { return (void *)(uintptr_t)value; }

// Addresses of blocks that were or will be handed out, which a program can guess: these lie in the heap.
static const char interior[] = "interior pointer";
static const char not_ours[] = "not a heap block";
static const char never[] = "never handed out";
static const char gone[] = "freed";
static const char unclear[] = "unclear";
static const char interior_or_crooked[] = "interior pointer|misaligned pointer";
static const char foreign_or_crooked[] = "not a heap block|misaligned pointer";
static const char slack[] = "not a heap block|never handed out|interior pointer|freed|unclear";
static const char gone_or_bare[] = "freed|not a heap block|never handed out|interior pointer|unclear";

static const struct pointer pointers[] = {
    {"64+1", interior_or_crooked, in_64, 1},
    {"64+8", interior_or_crooked, in_64, 8},
    {"64+16", interior, in_64, 16},
    {"64+48", interior, in_64, 48},
    {"1000+16", interior, in_1000, 16},
    {"1000+999", interior_or_crooked, in_1000, 999},
    {"20000+16", interior, in_20000, 16},
    {"20000+16384", interior, in_20000, 16384},
    {"32768+4096", interior, in_32768, 4096},
    {"1M+1", interior_or_crooked, in_1m, 1},
    {"1M+8", interior_or_crooked, in_1m, 8},
    {"1M+16", interior, in_1m, 16},
    {"1M+4096", interior, in_1m, 4096},
    {"1M+64K", interior, in_1m, 65536},
    {"1M+512K", interior, in_1m, 524288},
    {"1M+512K+16", interior, in_1m, 524304},
    {"1M-end", interior, in_1m, (1 << 20) - 16},
    {"64M+64K", interior, in_64m, 65536},
    {"64M+32M", interior, in_64m, 32 << 20},
    {"aligned-3M+16", interior, in_aligned, 16},
    {"aligned-3M+2M", interior, in_aligned, 2 << 20},
    {"aligned-3M-64K", slack, in_aligned, -65536},
    {"next-48", never, neighbour_48, 1},
    {"far-48", never, neighbour_48, 400},
    {"far-1024", never, neighbour_1024, 25},
    {"beyond-1M", slack, beyond_large, (1 << 20) + (128 << 10)},
    {"beyond-1M-far", not_ours, beyond_large, 1 << 30},
    {"freed-24", gone, freed_block, 24},
    {"freed-64", gone, freed_block, 64},
    {"freed-1000", gone, freed_block, 1000},
    {"freed-20000", gone, freed_block, 20000},
    {"freed-100000", gone, freed_block, 100000},
    {"freed-4M", gone, freed_block, 4 << 20},
    {"freed-1M+64K", gone_or_bare, freed_large_interior, 65536},
    {"freed-1M+16", gone_or_bare, freed_large_interior, 16},
    {"stack", not_ours, on_stack, 0},
    {"stack+8", foreign_or_crooked, on_stack, 8},
    {"other-stack", not_ours, on_other_stack, 0},
    {"data", foreign_or_crooked, in_data, 0},
    {"with-a-header", not_ours, with_a_header, 2},
    {"data+64", foreign_or_crooked, in_data, 64},
    {"bss", foreign_or_crooked, in_bss, 0},
    {"bss+1024", foreign_or_crooked, in_bss, 1024},
    {"tls", foreign_or_crooked, in_tls, 0},
    {"literal", foreign_or_crooked, literal, 0},
    {"environment", foreign_or_crooked, environment, 0},
    {"function", foreign_or_crooked, own_function, 0},
    {"libc-function", foreign_or_crooked, libc_function, 0},
    {"vdso", foreign_or_crooked, vdso, 0},
    {"vdso+64", foreign_or_crooked, vdso, 64},
    {"zero-page", not_ours, zero_page, 0},
    {"zero-page+16", not_ours, zero_page, 16},
    {"zero-page+4096", not_ours, zero_page, 4096},
    {"zero-page+8", foreign_or_crooked, zero_page, 8},
    {"page-of-41", not_ours, full_page, 0x41},
    {"page-of-ff", not_ours, full_page, 0xff},
    {"page-of-01", not_ours, full_page, 1},
    {"no-access-page", not_ours, protected_page, PROT_NONE},
    {"read-only-page", not_ours, protected_page, PROT_READ},
    {"after-a-hole", not_ours, after_a_hole, 0},
    {"unmapped", not_ours, unmapped, 0},
    {"file-page", not_ours, file_page, 0},
    {"file-page+64", not_ours, file_page, 64},
    {"wild-1", foreign_or_crooked, wild, 1},
    {"wild-16", not_ours, wild, 16},
    {"wild-4096", not_ours, wild, 4096},
    {"wild-deadbeef000", not_ours, wild, 0xdeadbeef000},
    {"wild-user-end", not_ours, wild, 0x7ffffffff000},
    {"wild-800000000000", not_ours, wild, 0x800000000000},
    {"wild-8000000000000000", not_ours, wild, INT64_MIN},
    {"wild-kernel", not_ours, wild, (long)0xffff888000000000},
    {"wild-all-ones", foreign_or_crooked, wild, -1},
    {"wild-minus-16", not_ours, wild, -16},
    {"wild-minus-64K", not_ours, wild, -65536},
};

// --- the product -----------------------------------------------------------------------------------------------------

// The C name of the function in the message.
static const char *called(const struct verb *v) {
    if (v->shape == P_A_N || v->shape == P_N_A) return "free_aligned_sized";
    if (strcmp(v->noun, "realloc") == 0) return "realloc";
    if (strcmp(v->noun, "usable_size") == 0) return "malloc_usable_size";
    return v->shape == P_N ? "free_sized" : "free";
}

// Where the block is known the line must name it.
static void announce_known(const struct verb *v, const struct pointer *q, const char *p) {
    if (strcmp(q->fault, interior) != 0 && strcmp(q->fault, interior_or_crooked) != 0) return announce(p);
    const char *start = p - q->n;
    size_t usable = malloc_usable_size(hide(start));
    announce_place(p, "%s, %ld bytes into the block of %zu bytes at 0x%lx", called(v), q->n, usable, (unsigned long)(uintptr_t)start);
}

static void hand_over(const struct misuse_case *c) {
    const struct verb *v = c->how;
    const struct pointer *q = c->what;
    _Alignas(16) char frame[64] = {0};
    stack_frame = hide(frame);
    (void)own_pages(4096); // the first mapping after the start is ours, not the allocator's
    void *p = hide(q->make(q->n));
    announce_known(v, q, p);
    if (c->end == END_TOLD && malloc_usable_size(p) + malloc_usable_size(p) != 0) give_up("there were usable bytes");
    if (c->end == END_TOLD) return;
    apply(v, p, c->n);
    give_up("the pointer was accepted");
}

static void one_text(char *out, size_t room, const char *noun, const char *fault) {
    if (strcmp(fault, unclear) == 0) snprintf(out, room, "invalid %s: not allocated (freed already, or never handed out)", noun);
    else if (strcmp(fault, gone) != 0) snprintf(out, room, "invalid %s (%s)", noun, fault);
    else if (strcmp(noun, "free") == 0) snprintf(out, room, "double free");
    else snprintf(out, room, "%s of a freed block", noun);
}

// The faults of a pointer, '|' between them, become the texts of the verb's noun.
static void describe(struct misuse_case *c, const char *noun, const char *faults) {
    char all[96], text[80];
    snprintf(all, sizeof all, "%s", faults);
    for (char *rest = all, *fault; (fault = strsep(&rest, "|")) != NULL;) {
        char sofar[sizeof c->text];
        memcpy(sofar, c->text, sizeof sofar);
        one_text(text, sizeof text, noun, fault);
        text_case(c, "%.200s%s%s", sofar, sofar[0] != 0 ? "|" : "", text);
    }
}

// What the block was, or would be, so that only the pointer is wrong.
static size_t size_to_claim(const struct pointer *q) {
    if (q->make == neighbour_48) return 48;
    if (q->make == neighbour_1024) return 1024;
    return q->make == freed_block ? (size_t)q->n : 64;
}

static void emit_pair(misuse_emit *emit, const struct verb *v, const struct pointer *q) {
    struct misuse_case c = {.end = END_DIES, .run = hand_over, .what = q, .how = v, .n = size_to_claim(q)};
    name_case(&c, "pointer/%s/%s", v->name, q->name);
    describe(&c, v->noun, q->fault);
    if (strcmp(v->noun, "usable_size") == 0) c.options = "sized=abort";
    emit(&c);
}

// malloc_usable_size does no harm: it returns 0, and the fault is reported once.
static void emit_question(misuse_emit *emit, const struct pointer *q) {
    static const struct verb usable_size = {"usable_size", "malloc_usable_size", "usable_size", P};
    struct misuse_case c = {.end = END_TOLD, .run = hand_over, .what = q, .how = &usable_size};
    name_case(&c, "pointer/question/%s", q->name);
    describe(&c, usable_size.noun, q->fault);
    emit(&c);
}

// Beyond these every delete is the same code behind another name: they get a few pointers of each kind.
static bool in_short_list(const struct pointer *q) {
    static const char *const names[] = {"64+16", "1M+64K", "freed-64", "freed-4M", "stack", "bss", "zero-page", "wild-deadbeef000"};
    for (size_t i = 0; i < COUNT(names); i++)
        if (strcmp(names[i], q->name) == 0) return true;
    return false;
}

static bool wants_all(const struct verb *v) { return strncmp(v->name, "delete", 6) != 0 && strcmp(v->name, "cfree") != 0; }

// realloc(p, 0) frees, and its message may name either function.
static void emit_realloc_zero(misuse_emit *emit, const struct pointer *q) {
    static const struct verb realloc_zero = {"realloc", "realloc", "realloc", P_N};
    struct misuse_case c = {.end = END_DIES, .run = hand_over, .what = q, .how = &realloc_zero, .n = 0};
    name_case(&c, "pointer/realloc-to-0/%s", q->name);
    describe(&c, "realloc", q->fault);
    describe(&c, "free", q->fault);
    emit(&c);
}

void pointer_cases(misuse_emit *emit) {
    for (size_t i = 0; i < COUNT(verbs); i++)
        for (size_t k = 0; k < COUNT(pointers); k++)
            if (wants_all(&verbs[i]) || in_short_list(&pointers[k])) emit_pair(emit, &verbs[i], &pointers[k]);
    for (size_t k = 0; k < COUNT(pointers); k++)
        if (in_short_list(&pointers[k])) emit_realloc_zero(emit, &pointers[k]);
    for (size_t k = 0; k < COUNT(pointers); k++) emit_question(emit, &pointers[k]);
}
