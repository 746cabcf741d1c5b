// Constants of the Linux system call interface that are newer than the headers of the oldest system that we build on,
// or missing in musl's headers. The kernel's own headers (linux/*.h) are not needed for a build.
#ifndef MB_PLATFORM_KERNEL_LINUX_H
#define MB_PLATFORM_KERNEL_LINUX_H

enum {
    MB_FUTEX_WAIT_PRIVATE = 128,
    MB_FUTEX_WAKE_PRIVATE = 129,
    MB_FUTEX_CMP_REQUEUE_PRIVATE = 132,
    MB_MPOL_BIND = 2,
    MB_PR_GET_THP_DISABLE = 42,
    MB_MADV_WIPEONFORK = 18,           // Linux 4.14
    MB_MAP_FIXED_NOREPLACE = 0x100000, // Linux 4.17
    MB_MREMAP_DONTUNMAP = 4,           // Linux 5.7
    MB_MADV_POPULATE_WRITE = 23,       // Linux 5.14
    MB_MADV_DONTNEED_LOCKED = 24,      // Linux 5.18
    MB_MADV_GUARD_INSTALL = 102,       // Linux 6.13
    MB_MADV_GUARD_REMOVE = 103,
};

#endif
