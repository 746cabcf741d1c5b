// What: the part of platform/os.h about address space and contents, on Linux.
// Who: any thread; nothing here has state.
// Invariant: a call that fails has changed nothing. mremap and mlock do not promise that, so their effects are undone.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE // MREMAP_MAYMOVE under -std=c11
#endif
#include <errno.h>
#include <sys/mman.h>

#include "platform/auxv_linux.h"
#include "platform/bits.h"
#include "platform/kernel_linux.h"
#include "platform/os.h"
#include "platform/os_hook.h"
#include "platform/syscall_linux.h"

// No MAP_NORESERVE: a mapping without access rights is not charged anyway, and committed memory has to be charged, so
// that the kernel refuses what it would refuse any program (in its default mode: more than RAM and swap together).
enum { ANONYMOUS = MAP_PRIVATE | MAP_ANONYMOUS };

_Atomic(mb_os_hook_function *) mb_os_hook MB_SEALED;

// The hook's error, or, if it has none, the result of `system`.
#define MB_ASK_HOOK(call, bytes, system) (mb_os_hook_ask(MB_OS_CALL_##call, (bytes)) ?: (system))

static long map(void *at, size_t bytes, int protection, int flags) {
    return mb_syscall6(__NR_mmap, mb_arg(at), mb_arg_size(bytes), protection, flags, -1, 0);
}

static int advise(void *p, size_t bytes, int advice) {
    return mb_syscall_error(mb_syscall3(__NR_madvise, mb_arg(p), mb_arg_size(bytes), advice));
}

static int protect(void *p, size_t bytes, int protection) {
    return mb_syscall_error(mb_syscall3(__NR_mprotect, mb_arg(p), mb_arg_size(bytes), protection));
}

// --- address space --------------------------------------------------------------------------------------------------

static int unmap(void *p, size_t bytes) {
    return mb_syscall_error(mb_syscall2(__NR_munmap, mb_arg(p), mb_arg_size(bytes)));
}

static int reserve(void *at, size_t bytes, int flags, void **out) {
    if (at != NULL) flags |= MB_MAP_FIXED_NOREPLACE;
    long result = map(at, bytes, PROT_NONE, flags);
    int error = mb_syscall_error(result);
    if (error != 0) return error;
    void *p = (void *)(uintptr_t)result;
    if (at != NULL && p != at) { // before Linux 4.17 the address is a hint
        unmap(p, bytes);
        return -EEXIST;
    }
    *out = p;
    return 0;
}

int mb_os_reserve(void *at, size_t bytes, void **out) {
    return MB_ASK_HOOK(RESERVE, bytes, reserve(at, bytes, ANONYMOUS, out));
}

int mb_os_reserve_hugetlb(void *at, size_t bytes, void **out) {
    return MB_ASK_HOOK(RESERVE_HUGETLB, bytes, reserve(at, bytes, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, out));
}

int mb_os_unmap(void *p, size_t bytes) { return MB_ASK_HOOK(UNMAP, bytes, unmap(p, bytes)); }

int mb_os_commit(void *p, size_t bytes) {
    return MB_ASK_HOOK(COMMIT, bytes, protect(p, bytes, PROT_READ | PROT_WRITE));
}

int mb_os_decommit(void *p, size_t bytes) {
    return MB_ASK_HOOK(DECOMMIT, bytes, mb_syscall_error(map(p, bytes, PROT_NONE, ANONYMOUS | MAP_FIXED)));
}

int mb_os_protect(void *p, size_t bytes, unsigned access) {
    int protection = PROT_NONE;
    if (access & MB_OS_READ) protection |= PROT_READ;
    if (access & MB_OS_WRITE) protection |= PROT_WRITE;
    if (access & MB_OS_EXEC) protection |= PROT_EXEC;
    return MB_ASK_HOOK(PROTECT, bytes, protect(p, bytes, protection));
}

// Before Linux 4.17 the address is only a hint.
static bool fill_hole(void *p, size_t bytes, int protection) {
    long result = map(p, bytes, protection, ANONYMOUS | MB_MAP_FIXED_NOREPLACE);
    if (result == (long)(uintptr_t)p) return true;
    if (mb_syscall_error(result) == 0) unmap((void *)(uintptr_t)result, bytes);
    return false;
}

// A call that failed to map over a range may have unmapped it already. mincore tells (ENOMEM: not mapped), and the hole
// is mapped again at once, before another mapping is placed there. The commit charge may be taken by then: -ENXIO.
static int mend(void *p, size_t bytes, int error) {
    if (error == 0 || mb_os_resident_pages(p, bytes) != -ENOMEM || fill_hole(p, bytes, PROT_READ | PROT_WRITE)) return error;
    return fill_hole(p, bytes, PROT_NONE) ? -ENXIO : -ESTALE;
}

int mb_os_renew(void *p, size_t bytes) {
    return MB_ASK_HOOK(RENEW, bytes, mend(p, bytes, mb_syscall_error(map(p, bytes, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_FIXED))));
}

static long remap(void *from, size_t old_bytes, size_t new_bytes, int flags, void *to) {
    return mb_syscall5(__NR_mremap, mb_arg(from), mb_arg_size(old_bytes), mb_arg_size(new_bytes), flags, mb_arg(to));
}

// Moving several mappings can stop half-way (Linux 6.17; earlier kernels refuse it, with the target unmapped). So this
// asks before: mremap to a larger size in place, which can never succeed, returns -EFAULT if the range is not one
// mapping.
static int check_one_mapping(void *p, size_t bytes) {
    size_t page = mb_os_page_size();
    int error = mb_syscall_error(remap(p, bytes, (size_t)0 - page, 0, NULL));
    if (error == -EINVAL) { // Linux 6.17 checks the new length first: choose one that ends in the main thread's stack
        uintptr_t stack_end = mb_align_down(mb_auxv(AT_EXECFN), page) + page;
        if (stack_end < (uintptr_t)p + 2 * bytes) return -EINVAL;
        error = mb_syscall_error(remap(p, bytes, stack_end - (uintptr_t)p, 0, NULL));
    }
    return error == -ENOMEM || error == -EAGAIN ? 0 : error;
}

int mb_os_move_pages(void *from, void *to, size_t bytes) {
    int error = MB_ASK_HOOK(MOVE_PAGES, bytes, check_one_mapping(from, bytes));
    if (error != 0) return error;
    error = mb_syscall_error(remap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED | MB_MREMAP_DONTUNMAP, to));
    return mend(to, bytes, error);
}

// --- contents -------------------------------------------------------------------------------------------------------

int mb_os_purge(void *p, size_t bytes) {
    int error = MB_ASK_HOOK(PURGE, bytes, advise(p, bytes, MADV_DONTNEED));
    return error == -EINVAL ? advise(p, bytes, MB_MADV_DONTNEED_LOCKED) : error;
}

static void touch_every_page(void *p, size_t bytes) {
    size_t page = mb_os_page_size();
    for (size_t offset = 0; offset < bytes; offset += page)
        atomic_fetch_or_explicit((_Atomic unsigned char *)p + offset, 0, memory_order_relaxed);
}

int mb_os_populate(void *p, size_t bytes) {
    int error = MB_ASK_HOOK(POPULATE, bytes, advise(p, bytes, MB_MADV_POPULATE_WRITE));
    if (error != -EINVAL) return error;
    touch_every_page(p, bytes); // before Linux 5.14
    return 0;
}

int mb_os_advise_huge(void *p, size_t bytes, bool want) {
    return MB_ASK_HOOK(ADVISE_HUGE, bytes, advise(p, bytes, want ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
}

int mb_os_guard(void *p, size_t bytes) { return MB_ASK_HOOK(GUARD, bytes, advise(p, bytes, MB_MADV_GUARD_INSTALL)); }
int mb_os_unguard(void *p, size_t bytes) { return MB_ASK_HOOK(UNGUARD, bytes, advise(p, bytes, MB_MADV_GUARD_REMOVE)); }

static int unlock(void *p, size_t bytes) {
    return mb_syscall_error(mb_syscall2(__NR_munlock, mb_arg(p), mb_arg_size(bytes)));
}

int mb_os_lock(void *p, size_t bytes) {
    int error = MB_ASK_HOOK(LOCK, bytes, mb_syscall_error(mb_syscall2(__NR_mlock, mb_arg(p), mb_arg_size(bytes))));
    if (error != 0) unlock(p, bytes); // a part may have been locked
    return error;
}

int mb_os_unlock(void *p, size_t bytes) { return MB_ASK_HOOK(UNLOCK, bytes, unlock(p, bytes)); }

int mb_os_no_dump(void *p, size_t bytes) { return MB_ASK_HOOK(NO_DUMP, bytes, advise(p, bytes, MADV_DONTDUMP)); }
int mb_os_wipe_on_fork(void *p, size_t bytes) {
    return MB_ASK_HOOK(WIPE_ON_FORK, bytes, advise(p, bytes, MB_MADV_WIPEONFORK));
}

int mb_os_bind_nodes(void *p, size_t bytes, const uint64_t *mask, size_t words) {
    long bits = (long)(words * 64 + 1); // the kernel uses one bit less than this number
    return MB_ASK_HOOK(BIND_NODES, bytes,
                       mb_syscall_error(mb_syscall6(__NR_mbind, mb_arg(p), mb_arg_size(bytes), MB_MPOL_BIND, mb_arg(mask), bits, 0)));
}

void mb_os_name(void *p, size_t bytes, const char *name) {
    enum { SET_VMA = 0x53564d41, ANONYMOUS_NAME = 0 };
    mb_syscall5(__NR_prctl, SET_VMA, ANONYMOUS_NAME, mb_arg(p), mb_arg_size(bytes), mb_arg(name));
}

int mb_os_residency(const void *p, size_t bytes, unsigned char *out) {
    return mb_syscall_error(mb_syscall3(__NR_mincore, mb_arg(p), mb_arg_size(bytes), mb_arg(out)));
}

long mb_os_clear_zero_pages(const void *p, size_t bytes, unsigned char *state) {
    enum { CHUNK_PAGES = 64 };
    const void *pages[CHUNK_PAGES];
    int node[CHUNK_PAGES];
    size_t page = mb_os_page_size(), count = bytes / page;
    long asked = 0;
    for (size_t next = 0; next < count;) {
        unsigned char *of[CHUNK_PAGES];
        size_t filled = 0;
        for (; next < count && filled < CHUNK_PAGES; next++) {
            if ((state[next] & 1) == 0) continue;
            of[filled] = &state[next];
            pages[filled++] = (const char *)p + next * page;
        }
        if (filled == 0) break;
        int error = mb_syscall_error(mb_syscall6(__NR_move_pages, 0, (long)filled, mb_arg(pages), 0, mb_arg(node), 0));
        if (error != 0) return error;
        for (size_t i = 0; i < filled; i++) *of[i] = node[i] != -EFAULT;
        asked += (long)filled;
    }
    return asked;
}

long mb_os_resident_pages(const void *p, size_t bytes) {
    enum { CHUNK_PAGES = 2048 }; // of stack
    unsigned char state[CHUNK_PAGES];
    size_t page = mb_os_page_size();
    long resident = 0;
    for (size_t offset = 0; offset < bytes; offset += CHUNK_PAGES * page) {
        size_t length = mb_min(bytes - offset, CHUNK_PAGES * page);
        int error = mb_os_residency((const char *)p + offset, length, state);
        if (error != 0) return error;
        // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): the kernel has written it
        for (size_t i = 0; i < length / page; i++) resident += state[i] & 1;
    }
    return resident;
}
