// What the kernel told the program at its start. Any thread, any time.
#ifndef MB_PLATFORM_AUXV_LINUX_H
#define MB_PLATFORM_AUXV_LINUX_H

#include <errno.h>
#include <sys/auxv.h>

#include "platform/compiler.h"

// The entry's value, 0 when there is none. Keeps errno, which getauxval sets for a missing entry.
MB_INLINE unsigned long mb_auxv(unsigned long type) {
    int saved = errno;
    unsigned long value = getauxval(type);
    errno = saved;
    return value;
}

#endif
