// Access rights of pages, for platform/os.h and the public API of the region family. The values are a set of bits.
#ifndef MB_PLATFORM_ACCESS_H
#define MB_PLATFORM_ACCESS_H

enum mb_os_access { MB_OS_NONE = 0, MB_OS_READ = 1, MB_OS_WRITE = 2, MB_OS_EXEC = 4 };

#endif
