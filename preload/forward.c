// What: finds an earlier copy of the library (preload/calls.h), finds out whether malloc and free of the process are
// ours, and, if another malloc serves, makes aligned blocks on its heap.
// Who: any thread; look_for_copy runs once, as a constructor.
#include "preload/forward.h"

#include <errno.h>
#include <stdatomic.h>

#include "core/base/sealed.h"
#include "core/front/malloc.h"
#include "core/process/foreign.h"
#include "core/process/init.h"
#include "platform/bits.h"
#include "preload/calls.h"

// --- another copy ----------------------------------------------------------------------------------------------------

static const struct mb_calls our_calls = {
    .malloc = mb_malloc,
    .calloc = mb_calloc,
    .realloc = mb_realloc,
    .memalign = mb_memalign,
    .free = mb_free,
    .free_sized = mb_free_sized,
    .free_aligned_sized = mb_free_aligned_sized,
    .usable_size = mb_usable_size,
    .owns = mb_owns,
    .is_block = mb_is_block,
    .trim = mb_trim,
    .stats_get = mb_stats_get,
};

enum { PIECES = 3, PIECE_BITS = 24, PIECE_MASK = (1 << PIECE_BITS) - 1, TAG = 0x5b };

int mb_calls_answer(int piece) {
    if (piece < 0 || piece >= PIECES) return 0;
    return (TAG << PIECE_BITS) | (int)((uint64_t)(uintptr_t)&our_calls >> (piece * PIECE_BITS) & PIECE_MASK);
}

typedef int (*mallopt_function)(int parameter, int value);

// Asks a definition of __libc_mallopt for the address of its copy's functions. NULL: it is not one of ours.
static const struct mb_calls *ask(mallopt_function whom) {
    uint64_t address = 0;
    for (int piece = 0; piece < PIECES; piece++) {
        int answer = whom(MB_CALLS_QUESTION, piece);
        if (answer >> PIECE_BITS != TAG) return NULL;
        address |= (uint64_t)(answer & PIECE_MASK) << (piece * PIECE_BITS);
    }
    return (const struct mb_calls *)(uintptr_t)address;
}

static const struct mb_calls *earlier_copy MB_SEALED; // written by the constructor only

const struct mb_calls *mb_forward_get(void) {
    bool ours = mb_forward_same((uintptr_t)__libc_mallopt, (uintptr_t)mb_self_libc_mallopt);
    const struct mb_calls *owner = ours ? NULL : ask(__libc_mallopt);
    return owner != NULL ? owner : earlier_copy;
}

const struct mb_calls *mb_calls_serving(void) {
    const struct mb_calls *other = mb_other_copy();
    return other != NULL ? other : &our_calls;
}

// A copy loaded with RTLD_DEEPBIND or RTLD_LOCAL sees its own __libc_mallopt first; that there is an earlier copy shows
// only in the loader's list of objects. The constructor looks there before anything else can call this copy.
__attribute__((constructor)) static void look_for_copy(void) {
    mallopt_function first = (mallopt_function)mb_foreign_symbol(NULL, "__libc_mallopt", &our_calls);
    if (first != NULL) earlier_copy = ask(first);
    mb_sealed_done(MB_SEALED_COPIES);
    mb_init_register();
}

// --- who owns malloc and free ----------------------------------------------------------------------------------------

_Atomic bool mb_forward_alone_shared; // relaxed: it publishes no other data

bool mb_forward_wanted(uintptr_t winner, uintptr_t ours) {
    if (!mb_forward_malloc_is_ours() || !mb_forward_free_is_ours()) return mb_forward_same(winner, ours);
    if (!mb_forward_alone()) atomic_store_explicit(&mb_forward_alone_shared, true, memory_order_relaxed);
    return false;
}

// --- another allocator's malloc --------------------------------------------------------------------------------------

// Where the blocks of the other malloc come from: a heap of its own, or ours, behind a wrapper.
enum heap_kind { UNKNOWN, SEPARATE, WRAPPED, OURS };
static struct {
    _Atomic int kind; // every thread writes the same value; relaxed, since it publishes no other data
} seen_shared;

static enum heap_kind probe(void) {
    void *p = malloc(48);
    if (p == NULL) return UNKNOWN;
    const struct mb_calls *we = mb_calls_serving();
    enum heap_kind kind = !we->owns(p) ? SEPARATE : we->is_block(p) ? OURS : WRAPPED;
    free(p);
    return kind;
}

static enum heap_kind heap_kind(void) {
    enum heap_kind kind = (enum heap_kind)atomic_load_explicit(&seen_shared.kind, memory_order_relaxed);
    if (kind != UNKNOWN) return kind;
    kind = probe();
    atomic_store_explicit(&seen_shared.kind, (int)kind, memory_order_relaxed);
    return kind;
}

// Frees a block by the other malloc, except for a block of ours where that has a heap of its own: the program got such
// a block by calling our function through dlsym.
void mb_forward_free(void *p) {
    if (mb_calls_serving()->owns(p) && heap_kind() == SEPARATE) mb_free(p);
    else free(p);
}

size_t mb_forward_usable_size(void *p) {
    if (p == NULL) return 0;
    const struct mb_calls *we = mb_calls_serving();
    if (we->owns(p)) return we->is_block(p) ? we->usable_size(p) : 0;
    return mb_foreign_is_libc_block(p) ? mb_foreign_usable_size(p) : 0;
}

// --- aligned blocks from a malloc without alignment ------------------------------------------------------------------

// Blocks that turn out unaligned, and the fillers between them, are held until the search ends; freed before, the next
// malloc would return them again.
enum { TRIES = 6 };
struct search {
    size_t align, bytes;
    void *held[2 * TRIES];
    unsigned count;
};

static void hold(struct search *s, void *p) {
    if (p != NULL) s->held[s->count++] = p;
}

// In most allocators with size classes a block whose size is a multiple of the alignment is aligned. In one that places
// blocks one after the other, the distance between two blocks is the filler's size plus a constant, which the second
// try shows.
static void *search_aligned(struct search *s) {
    size_t mask = s->align - 1, filler = 0, extra = 0, last = 0;
    for (unsigned i = 0; i < TRIES; i++) {
        void *p = malloc(s->bytes);
        if (p == NULL || ((uintptr_t)p & mask) == 0) return p;
        hold(s, p);
        size_t offset = (uintptr_t)p & mask;
        if (i > 0) extra = (offset - last - filler) & mask;
        filler = (0 - offset - extra) & mask;
        last = offset;
        if (filler != 0) hold(s, malloc(filler));
    }
    return NULL;
}

static void *aligned_from_theirs(size_t align, size_t bytes) {
    struct search s = {.align = align};
    if (!mb_align_up_checked(bytes, align, &s.bytes) || s.bytes > PTRDIFF_MAX) return NULL;
    if (s.bytes == 0) s.bytes = align;
    void *p = search_aligned(&s);
    while (s.count > 0) free(s.held[--s.count]);
    return p;
}

static void *by_posix_memalign(size_t align, size_t bytes) {
    void *p = NULL;
    return posix_memalign(&p, mb_max(align, sizeof(void *)), bytes) == 0 ? p : NULL;
}

static void *by_aligned_alloc(size_t align, size_t bytes) {
    size_t rounded;
    return mb_align_up_checked(bytes, align, &rounded) ? aligned_alloc(align, rounded) : NULL;
}

// An aligned block by one of the other malloc's aligned functions, else by its malloc. If none of its blocks is aligned
// (a header before each block), the last resort is a block of ours, as without us it would be one of the C library's.
static void *theirs(size_t align, size_t bytes) {
    if (!mb_forward_same((uintptr_t)posix_memalign, (uintptr_t)mb_self_posix_memalign)) return by_posix_memalign(align, bytes);
    if (!mb_forward_same((uintptr_t)memalign, (uintptr_t)mb_self_memalign)) return memalign(align, bytes);
    if (!mb_forward_same((uintptr_t)aligned_alloc, (uintptr_t)mb_self_aligned_alloc)) return by_aligned_alloc(align, bytes);
    if (heap_kind() == OURS) return mb_memalign(align, bytes);
    void *p = aligned_from_theirs(align, bytes);
    return p != NULL ? p : mb_memalign(align, bytes);
}

// Set while this thread is inside a function of the other malloc. If that calls us in turn (a malloc that is made of
// aligned_alloc), the core serves the call.
static MB_THREAD_LOCAL bool inside;

void *mb_forward_memalign(size_t align, size_t bytes) {
    if (inside) return mb_memalign(align, bytes);
    int saved = errno;
    inside = true;
    void *p = theirs(align, bytes);
    inside = false;
    errno = p != NULL ? saved : ENOMEM;
    return p;
}
