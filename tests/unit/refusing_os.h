// An operating system that refuses calls on command. The linker puts it between the core and platform/os.h
// (-Wl,--wrap=mb_os_reserve and so on, see CMakeLists.txt).
#ifndef MB_TESTS_UNIT_REFUSING_OS_H
#define MB_TESTS_UNIT_REFUSING_OS_H

#include <stddef.h>
#include <stdint.h>

enum os_call {
    OS_RESERVE, OS_RESERVE_HUGETLB, OS_UNMAP, OS_COMMIT, OS_PROTECT, OS_PURGE, OS_POPULATE, OS_ADVISE_HUGE, OS_BIND_NODES,
    OS_LOCK, OS_NO_DUMP, OS_WIPE_ON_FORK,
    OS_CALLS
};

struct refusing_os {
    unsigned made[OS_CALLS];     // the number of calls of each kind, including those refused
    unsigned total;              //   and together
    unsigned kinds;              // the kinds that may be refused, a set of 1 << enum os_call
    unsigned skip;               // let so many of them pass,
    unsigned count;              //   then refuse so many with -ENOMEM (OS_LOCK: -EPERM)
    unsigned refused;            // the number of refused calls
    uint64_t nodes[2];           // the mask of the last OS_BIND_NODES
    void (*before_unmap)(const void *p, size_t bytes); // called with the range that is about to be unmapped
};
extern struct refusing_os os;

void os_allow_all(void); // and reset the counts
void os_refuse(unsigned kinds, unsigned skip, unsigned count);

#endif
