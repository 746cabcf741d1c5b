// The kinds of system calls that can be made to fail (platform/os_hook.h), named after the functions of platform/os.h.
#ifndef MB_PLATFORM_OS_CALL_H
#define MB_PLATFORM_OS_CALL_H

enum mb_os_call {
    MB_OS_CALL_RESERVE, MB_OS_CALL_RESERVE_HUGETLB, MB_OS_CALL_UNMAP, MB_OS_CALL_COMMIT, MB_OS_CALL_DECOMMIT,
    MB_OS_CALL_RENEW, MB_OS_CALL_PROTECT, MB_OS_CALL_MOVE_PAGES, MB_OS_CALL_PURGE, MB_OS_CALL_POPULATE,
    MB_OS_CALL_ADVISE_HUGE, MB_OS_CALL_GUARD, MB_OS_CALL_UNGUARD, MB_OS_CALL_LOCK, MB_OS_CALL_BIND_NODES,
    MB_OS_CALLS
};

#endif
