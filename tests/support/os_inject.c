// What: makes chosen calls of platform/os.h fail, and counts commit charge: see tests/support/os_inject.h.
// Who: any thread.
#include "tests/support/os_inject.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "platform/os.h"
#include "tests/support/os_pages.h"

// --- which calls fail ------------------------------------------------------------------------------------------------

static _Atomic unsigned armed_kinds; // bit k: calls of kind k are numbered; written by the test, read by every call
static _Atomic unsigned long first_call, call_count, calls, failed;
static _Atomic unsigned last_failed; // kind
static _Atomic unsigned *last_note = &last_failed;

void os_inject_arm(unsigned kinds, unsigned long first, unsigned long count) {
    atomic_store(&armed_kinds, 0);
    atomic_store(&calls, 0);
    atomic_store(&failed, 0);
    atomic_store(&first_call, first);
    atomic_store(&call_count, count);
    atomic_store(&armed_kinds, kinds);
}

void os_inject_disarm(void) { atomic_store(&armed_kinds, 0); }
unsigned long os_inject_calls(void) { return atomic_load(&calls); }
unsigned long os_inject_failed(void) { return atomic_load(&failed); }

void os_inject_note_last(_Atomic unsigned *where) { last_note = where; }

#define OS_INJECT_NAME(name, error) #name,
const char *os_inject_name(unsigned kind) {
    static const char *const names[] = {OS_INJECT_PLAIN(OS_INJECT_NAME) OS_INJECT_OTHER(OS_INJECT_NAME)};
    return kind < OS_CALL_KINDS ? names[kind] : "?";
}

// Numbers the call and says whether it is one that fails.
static bool refuses(enum os_call kind) {
    if (!(atomic_load(&armed_kinds) >> kind & 1)) return false;
    unsigned long number = atomic_fetch_add(&calls, 1) + 1, first = atomic_load(&first_call);
    if (number < first || number - first >= atomic_load(&call_count)) return false;
    atomic_fetch_add(&failed, 1);
    atomic_store(last_note, (unsigned)kind);
    return true;
}

// --- charge ----------------------------------------------------------------------------------------------------------

// The charged ranges, sorted, not touching each other.
enum { MOST_RANGES = 1 << 16 };
static struct range { uintptr_t from, to; } ranges[MOST_RANGES];
static size_t range_count, charged_bytes;
static size_t charge_limit; // 0: charge is not counted
static pthread_mutex_t charge_lock = PTHREAD_MUTEX_INITIALIZER;

void os_inject_limit_charge(size_t limit_bytes) {
    pthread_mutex_lock(&charge_lock);
    charge_limit = limit_bytes;
    pthread_mutex_unlock(&charge_lock);
}

size_t os_inject_charge(void) {
    pthread_mutex_lock(&charge_lock);
    size_t bytes = charged_bytes;
    pthread_mutex_unlock(&charge_lock);
    return bytes;
}

// The first range that ends after `at`.
static size_t range_after(uintptr_t at) {
    size_t low = 0, high = range_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (ranges[middle].to > at) high = middle;
        else low = middle + 1;
    }
    return low;
}

static size_t overlap(uintptr_t from, uintptr_t to) {
    size_t sum = 0;
    for (size_t i = range_after(from); i < range_count && ranges[i].from < to; i++) {
        uintptr_t a = ranges[i].from > from ? ranges[i].from : from, b = ranges[i].to < to ? ranges[i].to : to;
        sum += b - a;
    }
    return sum;
}

// Replaces ranges [first, last) by the `count` given ones.
static void splice(size_t first, size_t last, const struct range *with, size_t count) {
    if (range_count - (last - first) + count > MOST_RANGES) __builtin_trap(); // far more ranges than any test makes
    memmove(&ranges[first + count], &ranges[last], (range_count - last) * sizeof *ranges);
    memcpy(&ranges[first], with, count * sizeof *ranges);
    range_count = range_count - (last - first) + count;
}

static size_t ranges_until(size_t first, uintptr_t to) {
    size_t last = first;
    while (last < range_count && ranges[last].from < to) last++;
    return last;
}

static void uncharge(uintptr_t from, uintptr_t to) {
    size_t first = range_after(from), last = ranges_until(first, to), kept = 0;
    struct range left[2];
    charged_bytes -= overlap(from, to);
    if (last > first && ranges[first].from < from) left[kept++] = (struct range){ranges[first].from, from};
    if (last > first && ranges[last - 1].to > to) left[kept++] = (struct range){to, ranges[last - 1].to};
    splice(first, last, left, kept);
}

static void charge(uintptr_t from, uintptr_t to) {
    size_t grown = to - from - overlap(from, to);
    size_t first = from ? range_after(from - 1) : 0, last = ranges_until(first, to + 1);
    struct range all = {from, to};
    if (last > first && ranges[first].from < from) all.from = ranges[first].from;
    if (last > first && ranges[last - 1].to > to) all.to = ranges[last - 1].to;
    splice(first, last, &all, 1);
    charged_bytes += grown;
}

// Charges for [p, p + bytes) and calls `real`, which makes the range writable. The lock is held meanwhile, so that the
// charge agrees with what the kernel has mapped.
static int with_charge(void *p, size_t bytes, int (*real)(void *, size_t)) {
    uintptr_t from = (uintptr_t)p;
    pthread_mutex_lock(&charge_lock);
    size_t grown = charge_limit ? bytes - overlap(from, from + bytes) : 0;
    int result = charged_bytes + grown > charge_limit && grown ? -ENOMEM : real(p, bytes);
    if (result == 0 && charge_limit) charge(from, from + bytes);
    pthread_mutex_unlock(&charge_lock);
    return result;
}

static int with_uncharge(void *p, size_t bytes, int (*real)(void *, size_t)) {
    pthread_mutex_lock(&charge_lock);
    int result = real(p, bytes);
    if (result == 0 && charge_limit) uncharge((uintptr_t)p, (uintptr_t)p + bytes);
    pthread_mutex_unlock(&charge_lock);
    return result;
}

static int without_charge(void *p, size_t bytes, int (*real)(void *, size_t)) { return real(p, bytes); }

// --- the wrapped functions -------------------------------------------------------------------------------------------

#define charge_of_commit with_charge
#define charge_of_decommit with_uncharge
#define charge_of_unmap with_uncharge
#define charge_of_purge without_charge
#define charge_of_populate without_charge
#define charge_of_guard without_charge
#define charge_of_unguard without_charge
#define charge_of_lock without_charge
#define charge_of_unlock without_charge
#define charge_of_no_dump without_charge
#define charge_of_wipe_on_fork without_charge

#define OS_INJECT_WRAP(name, error)                                                                                   \
    int __real_mb_os_##name(void *p, size_t bytes);                                                                   \
    int __wrap_mb_os_##name(void *p, size_t bytes);                                                                   \
    int __wrap_mb_os_##name(void *p, size_t bytes) {                                                                  \
        os_pages_check(#name, p, bytes);                                                                              \
        return refuses(OS_CALL_##name) ? -error : charge_of_##name(p, bytes, __real_mb_os_##name);                    \
    }
OS_INJECT_PLAIN(OS_INJECT_WRAP)

int __real_mb_os_reserve(void *at, size_t bytes, void **out);
int __wrap_mb_os_reserve(void *at, size_t bytes, void **out);
int __wrap_mb_os_reserve(void *at, size_t bytes, void **out) {
    if (at != NULL && refuses(OS_CALL_reserve_taken)) return -EEXIST;
    if (refuses(at != NULL ? OS_CALL_reserve_at : OS_CALL_reserve)) return -ENOMEM;
    return os_pages_reserve(at, bytes, out);
}

int __real_mb_os_reserve_hugetlb(void *at, size_t bytes, void **out);
int __wrap_mb_os_reserve_hugetlb(void *at, size_t bytes, void **out);
int __wrap_mb_os_reserve_hugetlb(void *at, size_t bytes, void **out) {
    return refuses(OS_CALL_reserve_hugetlb) ? -ENOMEM : __real_mb_os_reserve_hugetlb(at, bytes, out);
}

int __real_mb_os_protect(void *p, size_t bytes, unsigned access);
int __wrap_mb_os_protect(void *p, size_t bytes, unsigned access);

static int protect_writable(void *p, size_t bytes) { return __real_mb_os_protect(p, bytes, MB_OS_READ | MB_OS_WRITE); }

int __wrap_mb_os_protect(void *p, size_t bytes, unsigned access) {
    os_pages_check("protect", p, bytes);
    if (refuses(OS_CALL_protect)) return -ENOMEM;
    if (access == (MB_OS_READ | MB_OS_WRITE)) return with_charge(p, bytes, protect_writable);
    return __real_mb_os_protect(p, bytes, access);
}

static int lose(void *p, size_t bytes) { return with_uncharge(p, bytes, __real_mb_os_decommit) == 0 ? -ENXIO : -ENOMEM; }

int __real_mb_os_renew(void *p, size_t bytes);
int __wrap_mb_os_renew(void *p, size_t bytes);
int __wrap_mb_os_renew(void *p, size_t bytes) {
    os_pages_check("renew", p, bytes);
    if (refuses(OS_CALL_renew_lost)) return lose(p, bytes);
    return refuses(OS_CALL_renew) ? -ENOMEM : with_charge(p, bytes, __real_mb_os_renew);
}

int __real_mb_os_move_pages(void *from, void *to, size_t bytes);
int __wrap_mb_os_move_pages(void *from, void *to, size_t bytes);
int __wrap_mb_os_move_pages(void *from, void *to, size_t bytes) {
    os_pages_check("move_pages", from, bytes);
    os_pages_check("move_pages", to, bytes);
    if (refuses(OS_CALL_move_lost)) return lose(to, bytes);
    return refuses(OS_CALL_move_pages) ? -ENOMEM : __real_mb_os_move_pages(from, to, bytes);
}

int __real_mb_os_advise_huge(void *p, size_t bytes, bool want);
int __wrap_mb_os_advise_huge(void *p, size_t bytes, bool want);
int __wrap_mb_os_advise_huge(void *p, size_t bytes, bool want) {
    os_pages_check("advise_huge", p, bytes);
    return refuses(OS_CALL_advise_huge) ? -EINVAL : __real_mb_os_advise_huge(p, bytes, want);
}

int __real_mb_os_bind_nodes(void *p, size_t bytes, const uint64_t *mask, size_t words);
int __wrap_mb_os_bind_nodes(void *p, size_t bytes, const uint64_t *mask, size_t words);
int __wrap_mb_os_bind_nodes(void *p, size_t bytes, const uint64_t *mask, size_t words) {
    os_pages_check("bind_nodes", p, bytes);
    return refuses(OS_CALL_bind_nodes) ? -EINVAL : __real_mb_os_bind_nodes(p, bytes, mask, words);
}

long __real_mb_os_resident_pages(const void *p, size_t bytes);
long __wrap_mb_os_resident_pages(const void *p, size_t bytes);
long __wrap_mb_os_resident_pages(const void *p, size_t bytes) {
    return refuses(OS_CALL_resident_pages) ? -ENOMEM : os_pages_resident(p, bytes);
}

int __real_mb_os_append_file(const char *path, const void *bytes, size_t count);
int __wrap_mb_os_append_file(const char *path, const void *bytes, size_t count);
int __wrap_mb_os_append_file(const char *path, const void *bytes, size_t count) {
    return refuses(OS_CALL_append_file) ? -EACCES : __real_mb_os_append_file(path, bytes, count);
}
