// The version of the library: mb_version_string tells it, and CMakeLists.txt reads it here.
#ifndef MB_CORE_BASE_VERSION_H
#define MB_CORE_BASE_VERSION_H

#define MBMALLOC_VERSION "1.0.0-rc1"

#endif
