// Every name of the malloc family, the functions that change pages, and all 20 operators new and delete resolve to
// mbmalloc, none to the C library or libstdc++; strdup remains the C library's. Needs the preloaded library.
#include "tests/process/expect.h"

static const char *const ours[] = {
    "malloc", "free", "calloc", "realloc", "reallocarray", "posix_memalign", "aligned_alloc", "memalign", "valloc", "pvalloc",
    "cfree", "malloc_usable_size", "malloc_trim", "mallinfo", "mallinfo2", "malloc_info", "malloc_stats", "mallopt",
    "free_sized", "free_aligned_sized",
    "mmap", "mmap64", "munmap", "mremap", "mprotect", "pkey_mprotect", "madvise", "posix_madvise", "mlock", "mlock2", "mbind", "prctl",
    "__libc_malloc", "__libc_free", "__libc_calloc", "__libc_realloc", "__libc_memalign", "__libc_valloc", "__libc_pvalloc",
    "_Znwm", "_Znam", "_ZnwmRKSt9nothrow_t", "_ZnamRKSt9nothrow_t",
    "_ZnwmSt11align_val_t", "_ZnamSt11align_val_t", "_ZnwmSt11align_val_tRKSt9nothrow_t", "_ZnamSt11align_val_tRKSt9nothrow_t",
    "_ZdlPv", "_ZdaPv", "_ZdlPvm", "_ZdaPvm", "_ZdlPvRKSt9nothrow_t", "_ZdaPvRKSt9nothrow_t",
    "_ZdlPvSt11align_val_t", "_ZdaPvSt11align_val_t", "_ZdlPvmSt11align_val_t", "_ZdaPvmSt11align_val_t",
    "_ZdlPvSt11align_val_tRKSt9nothrow_t", "_ZdaPvSt11align_val_tRKSt9nothrow_t",
};
static const char *const theirs[] = {"strdup", "strndup", "munlock", "fork", "pthread_create", "dlsym", "abort", "memcpy"};

static int count_strangers(const char *const *names, size_t count, bool want_ours) {
    int strangers = 0;
    for (size_t i = 0; i < count; i++) {
        void *address = dlsym(RTLD_DEFAULT, names[i]);
        if (address != NULL && from_mbmalloc(address) == want_ours) continue;
        printf("%s: %s\n", names[i], address == NULL ? "missing" : want_ours ? "not from libmbmalloc" : "from libmbmalloc");
        strangers++;
    }
    return strangers;
}

int main(void) {
    test_begin(30);
    if (!under_mbmalloc()) {
        puts("SKIP: libmbmalloc is not preloaded");
        return TEST_SKIPPED;
    }
    int strangers = count_strangers(ours, sizeof ours / sizeof ours[0], true);
    strangers += count_strangers(theirs, sizeof theirs / sizeof theirs[0], false);
    return strangers != 0;
}
