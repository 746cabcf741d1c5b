#include <stddef.h>
#include <sys/mman.h>

#include "platform/compiler.h"
#include "platform/page_call.h"
#include "platform/syscall_linux.h"

// Constants that are newer than the headers of the oldest system that we build on.
enum {
    MAPS_FIXED_NOREPLACE = 0x100000, // Linux 4.17: never over another mapping
    ADVICE_KEEPONFORK = 19,          // 4.14
    ADVICE_COLD = 20,                // 5.4
    ADVICE_PAGEOUT = 21,
    ADVICE_POPULATE_READ = 22, // 5.14
    ADVICE_POPULATE_WRITE = 23,
    ADVICE_DONTNEED_LOCKED = 24, // 5.18
    ADVICE_COLLAPSE = 25,        // 6.1
    ADVICE_GUARD_REMOVE = 103,   // 6.13
};

enum mb_page_effect mb_page_effect_of_advice(int advice) {
    switch (advice) {
    case MADV_WILLNEED:
    case MADV_DONTNEED:
    case MADV_FREE:
    case ADVICE_COLD:
    case ADVICE_PAGEOUT:
    case ADVICE_POPULATE_READ:
    case ADVICE_POPULATE_WRITE:
    case ADVICE_DONTNEED_LOCKED:
    case ADVICE_COLLAPSE:
    case ADVICE_GUARD_REMOVE:
    case MADV_DOFORK: // they undo a change that was noted when it was made
    case ADVICE_KEEPONFORK: return MB_PAGES_STAY;
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
    case MADV_MERGEABLE:
    case MADV_UNMERGEABLE:
    case MADV_DONTDUMP:
    case MADV_DODUMP: return MB_PAGES_HINT;
    default: return MB_PAGES_STATE;
    }
}

// Read and write access is what fresh memory has; a call that took it away was noted before.
enum mb_page_effect mb_page_effect_of_protection(int protection) {
    return protection == (PROT_READ | PROT_WRITE) ? MB_PAGES_STAY : MB_PAGES_STATE;
}

enum mb_page_effect mb_page_effect_of_mapping(int flags) {
    return (flags & (MAP_FIXED | MAPS_FIXED_NOREPLACE)) == MAP_FIXED ? MB_PAGES_STATE : MB_PAGES_STAY;
}

static const int numbers[] = {
    [MB_CALL_MMAP] = __NR_mmap,
    [MB_CALL_MUNMAP] = __NR_munmap,
    [MB_CALL_MREMAP] = __NR_mremap,
    [MB_CALL_MPROTECT] = __NR_mprotect,
    [MB_CALL_PKEY_MPROTECT] = __NR_pkey_mprotect,
    [MB_CALL_MADVISE] = __NR_madvise,
    [MB_CALL_MLOCK] = __NR_mlock,
    [MB_CALL_MLOCK2] = __NR_mlock2,
    [MB_CALL_MBIND] = __NR_mbind,
    [MB_CALL_PRCTL] = __NR_prctl,
};

long mb_page_call(enum mb_page_call call, const long a[6]) { return mb_syscall6(numbers[call], a[0], a[1], a[2], a[3], a[4], a[5]); }
