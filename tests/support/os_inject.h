// Fault injection for tests: chosen calls of platform/os.h fail, or commit charge is limited as under
// vm.overcommit_memory=2.
//
// What: the linker puts these functions in front of the ones named below (--wrap). A call that is made to fail returns
// an errno value that Linux documents for it, and changes nothing. Nothing fails until a test calls os_inject_arm.
// Who: any thread. Tests may arm it and read the counts while other threads make calls; the counts are then those of
// some moment in between.
#ifndef MB_TESTS_SUPPORT_OS_INJECT_H
#define MB_TESTS_SUPPORT_OS_INJECT_H

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

// X(function, errno value): the functions of the form int f(void *p, size_t bytes).
#define OS_INJECT_PLAIN(X)                                                                                            \
    X(unmap, ENOMEM)                                                                                                  \
    X(commit, ENOMEM)                                                                                                 \
    X(decommit, ENOMEM)                                                                                               \
    X(purge, EINVAL)                                                                                                  \
    X(populate, ENOMEM)                                                                                               \
    X(guard, EINVAL)                                                                                                  \
    X(unguard, EINVAL)                                                                                                \
    X(lock, ENOMEM)                                                                                                   \
    X(unlock, ENOMEM)                                                                                                 \
    X(no_dump, EINVAL)                                                                                                \
    X(wipe_on_fork, EINVAL)
#define OS_INJECT_OTHER(X)                                                                                            \
    X(reserve, ENOMEM) /* anywhere */                                                                                 \
    X(reserve_at, ENOMEM) /* at a given address */                                                                    \
    X(reserve_taken, EEXIST) /* the same, of which the mapping of somebody else stands in the way */                  \
    X(reserve_hugetlb, ENOMEM)                                                                                        \
    X(protect, ENOMEM)                                                                                                \
    X(renew, ENOMEM)                                                                                                  \
    X(renew_lost, ENXIO) /* the same, and the range is not committed any more */                                      \
    X(move_pages, ENOMEM)                                                                                             \
    X(move_lost, ENXIO) /* the same, and the target is not committed any more */                                      \
    X(advise_huge, EINVAL)                                                                                            \
    X(bind_nodes, EINVAL)                                                                                             \
    X(resident_pages, ENOMEM)                                                                                         \
    X(append_file, EACCES)

#define OS_INJECT_KIND(name, error) OS_CALL_##name,
enum os_call { OS_INJECT_PLAIN(OS_INJECT_KIND) OS_INJECT_OTHER(OS_INJECT_KIND) OS_CALL_KINDS };

static const unsigned long OS_INJECT_FOR_EVER = ~0ul;
// Failures after which a range is lost (-ESTALE, -ENXIO). A test that only simulates a lack of memory leaves them out.
static const unsigned OS_INJECT_LOST = 1u << OS_CALL_renew_lost | 1u << OS_CALL_move_lost;
static const unsigned OS_INJECT_ALL = ((1u << OS_CALL_KINDS) - 1) & ~(1u << OS_CALL_reserve_taken) & ~OS_INJECT_LOST;

// From now on, calls of the kinds in `kinds` (bit k: kind k) are numbered from 1, and the calls number `first` to
// `first` + `count` - 1 fail.
void os_inject_arm(unsigned kinds, unsigned long first, unsigned long count);
void os_inject_disarm(void); // from now on nothing fails; the counts remain

unsigned long os_inject_calls(void);  // numbered calls since the last arming
unsigned long os_inject_failed(void); // how many of them were made to fail
// Sets the variable that receives the kind of the last failed call, for example in memory shared with a parent process.
void os_inject_note_last(_Atomic unsigned *where);
const char *os_inject_name(unsigned kind);

// From now on commit, renew and protect are charged for pages that carry no charge yet, and refused beyond
// `limit_bytes`; only decommit and unmap return charge (purging does not). Call it before the allocator is first used.
void os_inject_limit_charge(size_t limit_bytes);
size_t os_inject_charge(void); // bytes

#endif
