// A plugin under RTLD_DEEPBIND allocates with libc's malloc: 32 bytes, 200 KB (a mapping of its own), from a second
// thread (an arena outside the brk heap), aligned. The host frees, reallocs and measures those blocks with the
// process's malloc; the plugin frees and reallocs its own. Nothing crashes, nothing leaks.
#include "tests/process/blocks.h"
#include "tests/process/deepbind.h"
#include <malloc.h>

enum { ROUNDS = 2000 };
static const long growth_limit = 4 * 1024 * 1024;
static const size_t sizes[] = {24, 32, 1000, 5000, 70000, 200000, 3000000};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static struct {
    void *(*makers[4])(size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
    bool (*has_mbmalloc)(void);
} plugin;

#define BIND(field, name) \
    do { \
        void *address = dlsym(library, name); \
        EXPECT(address != NULL); \
        memcpy(&plugin.field, &address, sizeof address); \
    } while (0)

static void bind_all(void *library) {
    BIND(makers[0], "plugin_malloc");
    BIND(makers[1], "plugin_calloc");
    BIND(makers[2], "plugin_aligned");
    BIND(makers[3], "plugin_malloc_in_thread");
    BIND(realloc, "plugin_realloc");
    BIND(free, "plugin_free");
    BIND(has_mbmalloc, "plugin_has_mbmalloc");
}

// Every way a host may treat a block, on a fresh block each.
static void host_treats(void *(*make)(size_t), size_t bytes) {
    void *p = make(bytes);
    EXPECT(malloc_usable_size(p) >= bytes);
    block_free(p);
    block_free(block_resize(make(bytes), bytes * 3));
    block_free(block_resize(make(bytes), bytes / 2 + 16));
    EXPECT(keep(realloc(make(bytes), 0)) == NULL);
    plugin.free(make(bytes));
    plugin.free(plugin.realloc(make(bytes), bytes * 2));
}

static void *free_in_thread(void *p) {
    block_free(p);
    return NULL;
}

// Many blocks at once, freed in another order and by another thread.
static void host_treats_many(void *(*make)(size_t)) {
    enum { MANY = 300 };
    void *many[MANY];
    for (size_t i = 0; i < MANY; i++) many[i] = make(16 + i * 17);
    for (size_t i = 0; i < MANY; i += 2) block_free(many[i]);
    for (size_t i = 1; i < MANY; i += 50) thread_join(thread_start(free_in_thread, many[i]));
    for (size_t i = 1; i < MANY; i += 2)
        if (i % 50 != 1) block_free(many[i]);
}

int main(int argc, char **argv) {
    test_begin(60);
    EXPECT(argc == 2);
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (library == NULL) say(dlerror());
    EXPECT(library != NULL);
    bind_all(library);
    EXPECT(!plugin.has_mbmalloc()); // else this test proves nothing
    for (size_t m = 0; m < 4; m++) {
        for (size_t s = 0; s < SIZES; s++) host_treats(plugin.makers[m], sizes[s]);
        host_treats_many(plugin.makers[m]);
    }
    long before = rss_bytes();
    for (int i = 0; i < ROUNDS; i++) {
        block_free(plugin.makers[0](32));
        block_free(plugin.makers[0](200000));
    }
    expect_growth_below(before, growth_limit, "plugin's blocks freed by the host");
    return 0;
}
