// clock_gettime from the vDSO: reads pages that the kernel keeps up to date, without a system call and without a libc
// function that another preloaded library could interpose.
#ifndef MB_PLATFORM_VDSO_LINUX_H
#define MB_PLATFORM_VDSO_LINUX_H

#include <time.h>

// Returns 0 or a negative errno value. A system call where the kernel maps no vDSO. Any thread.
int mb_vdso_clock_gettime(int clock, struct timespec *out);

#endif
