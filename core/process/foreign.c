#include "core/process/foreign.h"

#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>

#include "platform/bits.h"
#include "platform/compiler.h"
#include "platform/malloc_names.h"
#include "platform/os.h"

// --- the libc's functions --------------------------------------------------------------------------------------------

static struct {
    _Atomic bool noting;  // who sets it notes; relaxed
    _Atomic bool used;    // set once by any thread, relaxed
} libc_shared;

struct mb_foreign_sealed mb_foreign_sealed MB_SEALED;

// The first object reported is the program itself.
static int note_program_end(struct dl_phdr_info *info, size_t bytes, void *out) {
    (void)bytes;
    uintptr_t end = 0;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_LOAD) end = mb_max(end, info->dlpi_addr + header->p_vaddr + header->p_memsz);
    }
    *(uintptr_t *)out = end;
    return 1;
}

static uintptr_t program_end(void) {
    if (mb_foreign_sealed.program_end != 0) return mb_foreign_sealed.program_end;
    uintptr_t end = 0;
    mb_foreign_visit(note_program_end, &end);
    return end;
}

__attribute__((constructor)) void mb_foreign_note_libc(void) {
    if (atomic_exchange_explicit(&libc_shared.noting, true, memory_order_relaxed)) return;
    for (unsigned i = 0; i < MB_OWN_COUNT; i++) __atomic_store_n(&mb_foreign_sealed.own[i], mb_foreign_own((enum mb_own)i), __ATOMIC_RELAXED);
    mb_foreign_sealed.program_end = program_end();
    mb_foreign_sealed.pid = (uint32_t)mb_os_pid();
}

// --- glibc's chunks --------------------------------------------------------------------------------------------------

// The header before a block: the chunk's address is 16 less than the block's.
struct chunk {
    size_t prev_size; // of an mmapped chunk: bytes between the mapping's start and the chunk
    size_t size_word; // bytes of the whole chunk, and three flags
};

enum { PREV_IN_USE = 1, IS_MAPPED = 2, NON_MAIN = 4, FLAGS = 7, CHUNK_MIN = 32, CHUNK_ALIGN = 16 };

// glibc's header at the start of each 64 MiB slice of an arena other than the main one.
static const size_t SLICE_BYTES = (size_t)64 << 20;
struct slice {
    void *arena;
    struct slice *previous;
    size_t bytes;
    size_t writable_bytes;
};

static bool readable_chunk(uintptr_t at) { return mb_os_readable((const void *)at, sizeof(struct chunk)); }
static size_t chunk_bytes(const struct chunk *c) { return c->size_word & ~(size_t)FLAGS; }

// A chunk is in use when the next one's header says so. That header stays in place as long as the chunk is in use, but
// other threads may change the size in it, even beyond a limit that was read before: nothing behind it may be looked
// at.
static bool is_in_use_before(uintptr_t at, uintptr_t limit) {
    size_t bytes = chunk_bytes((const struct chunk *)at);
    if (bytes > limit - at || limit - at - bytes < sizeof(struct chunk)) return false;
    if (!readable_chunk(at + bytes)) return false;
    const struct chunk *next = (const struct chunk *)(at + bytes);
    size_t next_bytes = chunk_bytes(next);
    return (next->size_word & PREV_IN_USE) != 0 && next_bytes >= sizeof(struct chunk) && mb_is_aligned(next_bytes, CHUNK_ALIGN);
}

// The main arena's chunks lie in the brk heap, behind the program. Where the loader was started as a program of its
// own, the brk heap is behind the loader instead and the program is far above.
static bool is_main_chunk(uintptr_t at) {
    uintptr_t end = (uintptr_t)mb_os_brk();
    if (at >= end) return false;
    if (program_end() <= end && at < program_end()) return false;
    return is_in_use_before(at, end);
}

// An arena's own record lies right behind the slice record of its first slice, which names it.
static bool is_arena(uintptr_t arena) {
    uintptr_t first = mb_align_down(arena, SLICE_BYTES);
    if (first == 0 || arena - first < sizeof(struct slice) || arena - first > 256) return false;
    if (!mb_os_readable((const void *)first, sizeof(struct slice))) return false;
    const struct slice *slice = (const struct slice *)first;
    return (uintptr_t)slice->arena == arena && slice->previous == NULL;
}

static bool is_arena_chunk(uintptr_t at) {
    uintptr_t start = mb_align_down(at, SLICE_BYTES);
    if (at - start < sizeof(struct slice) || !mb_os_readable((const void *)start, sizeof(struct slice))) return false;
    const struct slice *slice = (const struct slice *)start;
    if (slice->bytes > SLICE_BYTES || slice->writable_bytes < slice->bytes || slice->writable_bytes > SLICE_BYTES) return false;
    if (at - start >= slice->bytes || !is_arena((uintptr_t)slice->arena)) return false;
    return is_in_use_before(at, start + slice->bytes);
}

// A mapping of its own, which the chunk fills from somewhere on to the end.
static bool is_mapped_chunk(uintptr_t at) {
    const struct chunk *c = (const struct chunk *)at;
    size_t page = mb_os_page_size(), bytes = chunk_bytes(c), offset = (at + sizeof(struct chunk)) & (page - 1);
    if (c->prev_size > at || bytes > UINTPTR_MAX - at) return false;
    if (!mb_is_aligned(at - c->prev_size, page) || !mb_is_aligned(at + bytes, page)) return false;
    if (offset != 0 && !mb_is_pow2(offset)) return false;
    return readable_chunk(at - c->prev_size) && readable_chunk(at + bytes - sizeof(struct chunk));
}

// Whether the libc's malloc has ever had memory. In most processes it has not: then no pointer is its block, whatever
// is written before it.
static bool is_in_use(void) {
    struct mallinfo2 (*info_function)(void) = (struct mallinfo2 (*)(void))mb_foreign_own(MB_OWN_mallinfo2);
    if (info_function == NULL || atomic_load_explicit(&libc_shared.used, memory_order_relaxed)) return true;
    struct mallinfo2 info = info_function();
    bool used = info.arena != 0 || info.hblks != 0;
    if (used) atomic_store_explicit(&libc_shared.used, true, memory_order_relaxed);
    return used;
}

static bool is_chunk(uintptr_t at) {
    if (!readable_chunk(at)) return false;
    const struct chunk *c = (const struct chunk *)at;
    if (chunk_bytes(c) < CHUNK_MIN || !mb_is_aligned(chunk_bytes(c), CHUNK_ALIGN)) return false;
    switch (c->size_word & (IS_MAPPED | NON_MAIN)) {
    case 0: return is_main_chunk(at);
    case NON_MAIN: return is_arena_chunk(at);
    case IS_MAPPED: return is_mapped_chunk(at);
    default: return false;
    }
}

bool mb_foreign_is_libc_block(const void *p) {
    int saved = errno;
    uintptr_t at = (uintptr_t)p - sizeof(struct chunk);
    bool found = false;
    if (mb_is_aligned((uintptr_t)p, CHUNK_ALIGN) && (uintptr_t)p > sizeof(struct chunk)) {
        bool callable = mb_foreign_own(MB_OWN_free) != NULL && mb_foreign_own(MB_OWN_malloc_usable_size) != NULL;
        found = mb_libc_is_glibc() && callable && is_chunk(at) && is_in_use();
    }
    errno = saved;
    return found;
}

// --- what is done to them --------------------------------------------------------------------------------------------

void mb_foreign_free(void *p) {
    int saved = errno;
    ((void (*)(void *))mb_foreign_own(MB_OWN_free))(p);
    errno = saved;
}

size_t mb_foreign_usable_size(const void *p) {
    return ((size_t (*)(void *))mb_foreign_own(MB_OWN_malloc_usable_size))((void *)(uintptr_t)p);
}
