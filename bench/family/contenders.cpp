// What: loads jemalloc, the contender that this program is not linked with.
#include <cstdio>
#include <dlfcn.h>

#include "bench/family/family.h"

namespace family {

void *(*jemalloc::malloc_)(size_t);
void (*jemalloc::free_)(void *);

// RTLD_DEEPBIND: jemalloc's calls of its own functions reach jemalloc.
bool jemalloc::load() {
    void *library = dlopen("libjemalloc.so.2", RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (library == nullptr) return false;
    malloc_ = reinterpret_cast<void *(*)(size_t)>(dlsym(library, "malloc"));
    free_ = reinterpret_cast<void (*)(void *)>(dlsym(library, "free"));
    return malloc_ != nullptr && free_ != nullptr && reinterpret_cast<void *>(malloc_) != reinterpret_cast<void *>(std::malloc);
}

void fail(const char *what) {
    std::fprintf(stderr, "bench_family: no %s\n", what);
    std::exit(1);
}

} // namespace family
