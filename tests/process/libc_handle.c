// A program that opens the C library and looks up functions by name (ctypes, Fiddle, JNA) gets functions that all use
// one heap: free accepts what strdup returns, and blocks can be exchanged with the rest of the program.
//   process_libc_handle dlopen|dlmopen|path
#include "tests/process/blocks.h"
#include <dlfcn.h>
#include <link.h>

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
    char *(*strdup)(const char *);
    char *(*realpath)(const char *, char *);
    size_t (*malloc_usable_size)(void *);
} libc;

#define BIND(field) \
    do { \
        void *address = dlsym(library, #field); \
        EXPECT(address != NULL); \
        memcpy(&libc.field, &address, sizeof address); \
    } while (0)

static void *open_libc(const char *how) {
    if (strcmp(how, "dlopen") == 0) return dlopen("libc.so.6", RTLD_NOW);
    if (strcmp(how, "dlmopen") == 0) return dlmopen(LM_ID_BASE, "libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    Dl_info info;
    EXPECT(dladdr((const void *)(uintptr_t)&getpid, &info) != 0 && info.dli_fname[0] == '/');
    return dlopen(info.dli_fname, RTLD_LAZY);
}

int main(int argc, char **argv) {
    test_begin(60);
    EXPECT(argc == 2);
    void *library = open_libc(argv[1]);
    EXPECT(library != NULL);
    BIND(malloc);
    BIND(calloc);
    BIND(realloc);
    BIND(free);
    BIND(strdup);
    BIND(realpath);
    BIND(malloc_usable_size);
    for (size_t bytes = BLOCK_MIN; bytes < 3000000; bytes *= 3) {
        void *p = block_new(bytes);
        EXPECT(libc.malloc_usable_size(p) >= bytes);
        libc.free(p);
        libc.free(libc.realloc(block_new(bytes), 2 * bytes));
        free(libc.malloc(bytes));
        free(realloc(libc.calloc(1, bytes), bytes + 100));
    }
    libc.free(libc.strdup("a string"));
    free(libc.strdup("a string"));
    libc.free(strdup("a string"));
    libc.free(libc.realpath("/proc/..", NULL));
    return 0;
}
