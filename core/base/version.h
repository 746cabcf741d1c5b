// The version of the library, as mb_version_string tells it and as CMakeLists.txt has it.
#ifndef MB_CORE_BASE_VERSION_H
#define MB_CORE_BASE_VERSION_H

#define MBMALLOC_VERSION "0.1.0"

#endif
