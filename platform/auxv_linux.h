// The auxiliary vector: what the kernel passes to a program at its start (page size, addresses, secure execution). Any
// thread, any time.
#ifndef MB_PLATFORM_AUXV_LINUX_H
#define MB_PLATFORM_AUXV_LINUX_H

#include <errno.h>
#include <sys/auxv.h>

#include "platform/compiler.h"

// The value of an entry (AT_PAGESZ and the like, getauxval(3)); 0: there is none. Keeps errno.
MB_INLINE unsigned long mb_auxv(unsigned long type) {
    int saved = errno;
    unsigned long value = getauxval(type);
    errno = saved;
    return value;
}

#endif
