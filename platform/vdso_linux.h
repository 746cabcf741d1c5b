// The kernel's clock, read from the pages that it maps into every process (vDSO): no system call, and no libc function that
// another preloaded library could interpose.
#ifndef MB_PLATFORM_VDSO_LINUX_H
#define MB_PLATFORM_VDSO_LINUX_H

#include <time.h>

// As clock_gettime: 0 or a negative errno. A system call where the kernel maps no clock. Any thread.
int mb_vdso_clock_gettime(int clock, struct timespec *out);

#endif
