// A process that may contain several copies of the library (linked and preloaded, or preloaded twice under two names):
// each copy's functions can free, resize and measure the blocks of any other, because later copies forward to the first
// one. usage: twin COPIES mixed|apart CXX_LIBRARY   (started by twins.sh; COPIES must be there)
//
// Apart: a statically linked copy exports only the C library's names, so another copy takes it for a program with its
// own malloc. Then only what the process itself can do is tested, including opening a C++ library.
#include "tests/process/exercise.h"
#include <link.h>

#pragma weak malloc_trim // musl has none: the preloaded library does

enum { MOST = 4 };

struct provider {
    void *(*malloc)(size_t);
    void *(*realloc)(void *, size_t);
    void *(*memalign)(size_t, size_t);
    size_t (*usable_size)(void *);
    void (*free)(void *);
};

static struct provider providers[MOST];
static int provider_count;
static void *provider_address[MOST];

static void bind_one(void *library, const char *name, void *target) {
    void *address = dlsym(library, name);
    EXPECT(address != NULL);
    memcpy(target, &address, sizeof address);
}

static bool known(const void *address) {
    for (int i = 0; i < provider_count; i++)
        if (provider_address[i] == address) return true;
    return false;
}

// Every loaded object that defines malloc itself, libc left out.
static void add_provider(void *library) {
    Dl_info info;
    void *address = dlsym(library, "malloc");
    if (address == NULL || known(address) || dladdr(address, &info) == 0) return;
    if (strstr(info.dli_fname, "/libc.so") != NULL || strstr(info.dli_fname, "/libc-") != NULL) return;
    if (strstr(info.dli_fname, "/ld-musl-") != NULL) return;
    EXPECT(provider_count < MOST);
    struct provider *provider = &providers[provider_count];
    provider_address[provider_count++] = address;
    bind_one(library, "malloc", &provider->malloc);
    bind_one(library, "realloc", &provider->realloc);
    bind_one(library, "memalign", &provider->memalign);
    bind_one(library, "malloc_usable_size", &provider->usable_size);
    bind_one(library, "free", &provider->free);
    printf("copy %d: %s\n", provider_count, info.dli_fname);
}

static int visit_object(struct dl_phdr_info *info, size_t bytes, void *unused) {
    (void)bytes;
    (void)unused;
    void *library = dlopen(info->dlpi_name[0] == 0 ? NULL : info->dlpi_name, RTLD_NOW | RTLD_NOLOAD);
    if (library != NULL) add_provider(library);
    return 0;
}

static void mix(const struct provider *from, const struct provider *to) {
    for (size_t bytes = BLOCK_MIN; bytes < 2000000; bytes += bytes / 3 + 1) {
        void *p = from->malloc(bytes);
        EXPECT(p != NULL && to->usable_size(p) >= bytes);
        block_stamp(p, bytes);
        block_check(p);
        p = to->realloc(p, 3 * bytes);
        EXPECT(p != NULL);
        block_stamp(p, 3 * bytes);
        block_check(p);
        from->free(p);
        void *aligned = from->memalign(4096, bytes);
        EXPECT(aligned != NULL && (uintptr_t)aligned % 4096 == 0);
        to->free(aligned);
    }
}

static void *mix_all(void *apart) {
    for (int i = 0; i < provider_count; i++)
        for (int j = 0; j < provider_count; j++)
            if (apart == NULL || i == j) mix(&providers[i], &providers[j]);
    return NULL;
}

// The operators new and delete may come from another copy of the library than malloc.
static void run_cxx_library(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) say(dlerror());
    EXPECT(library != NULL);
    void (*run)(void);
    bind_one(library, "cxx_suite_run", &run);
    run();
    EXPECT(dlclose(library) == 0);
}

int main(int argc, char **argv) {
    alarm(300); // not test_begin: malloc may be the program's own copy
    EXPECT(argc == 4);
    void *apart = strcmp(argv[2], "apart") == 0 ? argv[2] : NULL;
    dl_iterate_phdr(visit_object, NULL);
    EXPECT(provider_count == atoi(argv[1]));
    exercise_all();
    mix_all(apart);
    thread_join(thread_start(mix_all, apart));
    run_cxx_library(argv[3]);
    exercise_all();
    puts("twins clean");
    return 0;
}
