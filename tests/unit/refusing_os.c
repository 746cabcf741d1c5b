#include "tests/unit/refusing_os.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "platform/os.h"

struct refusing_os os;

void os_allow_all(void) { memset(&os, 0, sizeof os); }

void os_refuse(unsigned kinds, unsigned skip, unsigned count) {
    os_allow_all();
    os.kinds = kinds;
    os.skip = skip;
    os.count = count;
}

static bool refuses(enum os_call call) {
    os.made[call]++;
    os.total++;
    if ((os.kinds >> call & 1) == 0) return false;
    if (os.skip > 0) {
        os.skip--;
        return false;
    }
    if (os.count == 0) return false;
    os.count--;
    os.refused++;
    return true;
}

int __real_mb_os_reserve(void *at, size_t bytes, void **out);
int __wrap_mb_os_reserve(void *at, size_t bytes, void **out);
int __wrap_mb_os_reserve(void *at, size_t bytes, void **out) {
    return refuses(OS_RESERVE) ? -ENOMEM : __real_mb_os_reserve(at, bytes, out);
}

int __real_mb_os_reserve_hugetlb(void *at, size_t bytes, void **out);
int __wrap_mb_os_reserve_hugetlb(void *at, size_t bytes, void **out);
int __wrap_mb_os_reserve_hugetlb(void *at, size_t bytes, void **out) {
    return refuses(OS_RESERVE_HUGETLB) ? -ENOMEM : __real_mb_os_reserve_hugetlb(at, bytes, out);
}

int __real_mb_os_unmap(void *p, size_t bytes);
int __wrap_mb_os_unmap(void *p, size_t bytes);
int __wrap_mb_os_unmap(void *p, size_t bytes) {
    if (refuses(OS_UNMAP)) return -ENOMEM;
    if (os.before_unmap != NULL) os.before_unmap(p, bytes);
    return __real_mb_os_unmap(p, bytes);
}

int __real_mb_os_commit(void *p, size_t bytes);
int __wrap_mb_os_commit(void *p, size_t bytes);
int __wrap_mb_os_commit(void *p, size_t bytes) { return refuses(OS_COMMIT) ? -ENOMEM : __real_mb_os_commit(p, bytes); }

int __real_mb_os_protect(void *p, size_t bytes, unsigned access);
int __wrap_mb_os_protect(void *p, size_t bytes, unsigned access);
int __wrap_mb_os_protect(void *p, size_t bytes, unsigned access) {
    return refuses(OS_PROTECT) ? -ENOMEM : __real_mb_os_protect(p, bytes, access);
}

int __real_mb_os_purge(void *p, size_t bytes);
int __wrap_mb_os_purge(void *p, size_t bytes);
int __wrap_mb_os_purge(void *p, size_t bytes) { return refuses(OS_PURGE) ? -ENOMEM : __real_mb_os_purge(p, bytes); }

int __real_mb_os_populate(void *p, size_t bytes);
int __wrap_mb_os_populate(void *p, size_t bytes);
int __wrap_mb_os_populate(void *p, size_t bytes) {
    return refuses(OS_POPULATE) ? -ENOMEM : __real_mb_os_populate(p, bytes);
}

int __real_mb_os_advise_huge(void *p, size_t bytes, bool want);
int __wrap_mb_os_advise_huge(void *p, size_t bytes, bool want);
int __wrap_mb_os_advise_huge(void *p, size_t bytes, bool want) {
    return refuses(OS_ADVISE_HUGE) ? -ENOMEM : __real_mb_os_advise_huge(p, bytes, want);
}

int __real_mb_os_lock(void *p, size_t bytes);
int __wrap_mb_os_lock(void *p, size_t bytes);
int __wrap_mb_os_lock(void *p, size_t bytes) { return refuses(OS_LOCK) ? -EPERM : __real_mb_os_lock(p, bytes); }

int __real_mb_os_no_dump(void *p, size_t bytes);
int __wrap_mb_os_no_dump(void *p, size_t bytes);
int __wrap_mb_os_no_dump(void *p, size_t bytes) { return refuses(OS_NO_DUMP) ? -ENOMEM : __real_mb_os_no_dump(p, bytes); }

int __real_mb_os_wipe_on_fork(void *p, size_t bytes);
int __wrap_mb_os_wipe_on_fork(void *p, size_t bytes);
int __wrap_mb_os_wipe_on_fork(void *p, size_t bytes) {
    return refuses(OS_WIPE_ON_FORK) ? -ENOMEM : __real_mb_os_wipe_on_fork(p, bytes);
}

// Accepts nodes that this machine does not have, so that masks of several words can be seen.
int __wrap_mb_os_bind_nodes(void *p, size_t bytes, const uint64_t *mask, size_t words);
int __wrap_mb_os_bind_nodes(void *p, size_t bytes, const uint64_t *mask, size_t words) {
    (void)p;
    (void)bytes;
    for (size_t i = 0; i < 2; i++) os.nodes[i] = i < words ? mask[i] : 0;
    return refuses(OS_BIND_NODES) ? -ENOMEM : 0;
}
