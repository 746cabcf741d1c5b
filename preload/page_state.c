// mprotect, madvise, mlock and their kin, replaced so that what a program does to the pages of a block is undone when
// the block is freed (core/region/changed.h), and the next block has normal pages.
//
// What: each function notes a change of memory that is ours, and calls the next definition of its name (the C
// library's, or another wrapper's), which the constructor looked up. Before that, in static programs, and where there
// is no next definition (mbind) it makes the system call itself. For other memory the cost is one comparison. After
// munmap and mremap our addresses stay reserved, so that no other mapping comes to lie inside the heap. Not seen: a
// program's own system calls (syscall(2), assembly), and calls by objects that are bound to the C library's
// definitions.
// Who: any thread, any time, a signal handler included: no lock, errno as the call leaves it. The library itself does
// not call these functions.
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#undef mmap64 // musl: another spelling of mmap

#include "core/base/sealed.h"
#include "core/process/foreign.h"
#include "core/region/changed.h"
#include "platform/compiler.h"
#include "platform/os.h"
#include "platform/page_call.h"

enum name { MMAP, MUNMAP, MREMAP, MPROTECT, PKEY_MPROTECT, MADVISE, POSIX_MADVISE, MLOCK, MLOCK2, MBIND, PRCTL, NAMES };
enum { SET_VMA = 0x53564d41, REMAP_DONTUNMAP = 4 }; // Linux 5.17, 5.7

static struct {
    _Atomic(void *) next[NAMES]; // written once, by the constructor; relaxed, since they publish no other data
} page_state_shared MB_SEALED;

__attribute__((constructor)) static void look_for_next(void) {
    static const char *const names[NAMES] = {"mmap",          "munmap", "mremap", "mprotect", "pkey_mprotect", "madvise",
                                             "posix_madvise", "mlock",  "mlock2", "mbind",    "prctl"};
    void *found[NAMES];
    mb_foreign_next_symbols(names, NAMES, &page_state_shared, found);
    for (unsigned i = 0; i < NAMES; i++) atomic_store_explicit(&page_state_shared.next[i], found[i], memory_order_relaxed);
    mb_sealed_done(MB_SEALED_PAGE_CALLS);
}

static void *next_of(enum name name) { return atomic_load_explicit(&page_state_shared.next[name], memory_order_relaxed); }

static void note(const void *p, size_t bytes, enum mb_page_effect effect) {
    if (MB_LIKELY(!mb_changed_concerns(p, bytes)) || effect == MB_PAGES_STAY) return;
    mb_changed_note(p, bytes, effect == MB_PAGES_HINT ? MB_CHANGE_HINT : MB_CHANGE_STATE);
}

// --- the system's answers --------------------------------------------------------------------------------------------

static long call(enum mb_page_call call, const long arguments[6]) {
    long result = mb_page_call(call, arguments);
    if (result >= 0 || result < -4095) return result;
    errno = (int)-result;
    return -1;
}

static long of(const void *p) { return (long)(uintptr_t)p; }

// --- access, advice, locks -------------------------------------------------------------------------------------------

MB_EXPORT int mprotect(void *p, size_t bytes, int protection) {
    note(p, bytes, mb_page_effect_of_protection(protection));
    int (*next)(void *, size_t, int) = next_of(MPROTECT);
    if (next != NULL) return next(p, bytes, protection);
    return (int)call(MB_CALL_MPROTECT, (long[6]){of(p), (long)bytes, protection});
}

MB_EXPORT int pkey_mprotect(void *p, size_t bytes, int protection, int key) {
    note(p, bytes, key == -1 ? mb_page_effect_of_protection(protection) : MB_PAGES_STATE);
    int (*next)(void *, size_t, int, int) = next_of(PKEY_MPROTECT);
    if (next != NULL) return next(p, bytes, protection, key);
    return (int)call(MB_CALL_PKEY_MPROTECT, (long[6]){of(p), (long)bytes, protection, key});
}

MB_EXPORT int madvise(void *p, size_t bytes, int advice) {
    note(p, bytes, mb_page_effect_of_advice(advice));
    int (*next)(void *, size_t, int) = next_of(MADVISE);
    if (next != NULL) return next(p, bytes, advice);
    return (int)call(MB_CALL_MADVISE, (long[6]){of(p), (long)bytes, advice});
}

// Advice 0 to 3 means the same as for madvise. POSIX_MADV_DONTNEED must keep the contents, so it does nothing, as in
// glibc.
MB_EXPORT int posix_madvise(void *p, size_t bytes, int advice) {
    note(p, bytes, advice == POSIX_MADV_DONTNEED ? MB_PAGES_STAY : mb_page_effect_of_advice(advice));
    int (*next)(void *, size_t, int) = next_of(POSIX_MADVISE);
    if (next != NULL) return next(p, bytes, advice);
    return advice == POSIX_MADV_DONTNEED ? 0 : (int)-mb_page_call(MB_CALL_MADVISE, (long[6]){of(p), (long)bytes, advice});
}

MB_EXPORT int mlock(const void *p, size_t bytes) {
    note(p, bytes, MB_PAGES_STATE);
    int (*next)(const void *, size_t) = next_of(MLOCK);
    if (next != NULL) return next(p, bytes);
    return (int)call(MB_CALL_MLOCK, (long[6]){of(p), (long)bytes});
}

MB_EXPORT int mlock2(const void *p, size_t bytes, unsigned flags) {
    note(p, bytes, MB_PAGES_STATE);
    int (*next)(const void *, size_t, unsigned) = next_of(MLOCK2);
    if (next != NULL) return next(p, bytes, flags);
    return (int)call(MB_CALL_MLOCK2, (long[6]){of(p), (long)bytes, (long)flags});
}

MB_EXPORT long mbind(void *p, unsigned long bytes, int mode, const unsigned long *nodes, unsigned long most, unsigned flags) {
    note(p, bytes, MB_PAGES_STATE);
    long (*next)(void *, unsigned long, int, const unsigned long *, unsigned long, unsigned) = next_of(MBIND);
    if (next != NULL) return next(p, bytes, mode, nodes, most, flags);
    return call(MB_CALL_MBIND, (long[6]){of(p), (long)bytes, mode, of(nodes), (long)most, (long)flags});
}

// Passes on four arguments whatever the option takes, as the C library's prctl does.
MB_EXPORT int prctl(int option, ...) {
    va_list rest;
    va_start(rest, option);
    unsigned long a = va_arg(rest, unsigned long), b = va_arg(rest, unsigned long);
    unsigned long c = va_arg(rest, unsigned long), d = va_arg(rest, unsigned long);
    va_end(rest);
    if (option == SET_VMA) note((const void *)b, c, MB_PAGES_HINT);
    int (*next)(int, ...) = next_of(PRCTL);
    if (next != NULL) return next(option, a, b, c, d);
    return (int)call(MB_CALL_PRCTL, (long[6]){option, (long)a, (long)b, (long)c, (long)d});
}

// --- mappings that replace ours --------------------------------------------------------------------------------------

MB_EXPORT void *mmap(void *p, size_t bytes, int protection, int flags, int fd, off_t offset) {
    note(p, bytes, mb_page_effect_of_mapping(flags));
    void *(*next)(void *, size_t, int, int, int, off_t) = next_of(MMAP);
    if (next != NULL) return next(p, bytes, protection, flags, fd, offset);
    return (void *)call(MB_CALL_MMAP, (long[6]){of(p), (long)bytes, protection, flags, fd, offset});
}

MB_EXPORT int munmap(void *p, size_t bytes) {
    size_t page_bytes = mb_os_page_size();
    if (MB_UNLIKELY(mb_changed_concerns(p, bytes)) && mb_changed_is_inside(p, bytes) && (uintptr_t)p % page_bytes == 0) {
        note(p, bytes, MB_PAGES_STATE);
        int error = mb_os_decommit(p, (bytes + page_bytes - 1) & ~(page_bytes - 1));
        if (error == 0) return 0;
        errno = -error;
        return -1;
    }
    int (*next)(void *, size_t) = next_of(MUNMAP);
    if (next != NULL) return next(p, bytes);
    return (int)call(MB_CALL_MUNMAP, (long[6]){of(p), (long)bytes});
}

static void *remap(void *p, size_t old_bytes, size_t bytes, int flags, void *to) {
    void *(*next)(void *, size_t, size_t, int, ...) = next_of(MREMAP);
    if (next != NULL) return next(p, old_bytes, bytes, flags, to);
    return (void *)call(MB_CALL_MREMAP, (long[6]){of(p), (long)old_bytes, (long)bytes, flags, of(to)});
}

// Reserves the addresses again that mremap has left: all of the old range if it moved, or the end that was cut off.
static void fill_hole(char *p, size_t old_bytes, const char *now_at, size_t bytes, int flags) {
    size_t kept = now_at == p ? bytes : 0;
    void *out;
    if (!mb_changed_is_inside(p, old_bytes) || (flags & REMAP_DONTUNMAP) != 0 || kept >= old_bytes) return;
    mb_os_reserve(p + kept, old_bytes - kept, &out);
}

MB_EXPORT void *mremap(void *p, size_t old_bytes, size_t bytes, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    void *to = (flags & (MREMAP_FIXED | REMAP_DONTUNMAP)) != 0 ? va_arg(rest, void *) : NULL;
    va_end(rest);
    note(p, old_bytes, MB_PAGES_STATE);
    if ((flags & MREMAP_FIXED) != 0) note(to, bytes, MB_PAGES_STATE);
    void *now_at = remap(p, old_bytes, bytes, flags, to);
    if (now_at != MAP_FAILED && MB_UNLIKELY(mb_changed_concerns(p, old_bytes))) fill_hole(p, old_bytes, now_at, bytes, flags);
    return now_at;
}

MB_EXPORT void *mmap64(void *p, size_t bytes, int protection, int flags, int fd, off_t offset) __attribute__((alias("mmap")));
