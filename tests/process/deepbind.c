// A library loaded with RTLD_DEEPBIND allocates from the same heap as the process, while its other names bind as deep
// as the caller wants: blocks can be passed between host and plugin in both directions, including those that the C
// library's own functions return, from the plugin's constructor on. dlopen still sees who calls it: a plugin's run path
// finds the plugin's files. The C library's own malloc, called by an address taken earlier, still works.
//   process_deepbind dlopen|dlmopen PLUGIN NAME-OF-A-LIBRARY-BESIDE-IT
#include "tests/process/deepbind.h"
#include "tests/process/blocks.h"

static const size_t sizes[] = {24, 32, 1000, 5000, 70000, 200000, 3000000};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

const char *deepbind_whose(void) { return "host"; }

static const struct deepbind_plugin *load(const char *how, const char *path) {
    int mode = RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND;
    void *library = strcmp(how, "dlopen") == 0 ? dlopen(path, mode) : dlmopen(LM_ID_BASE, path, mode);
    if (library == NULL) say(dlerror());
    EXPECT(library != NULL);
    const struct deepbind_plugin *plugin = dlsym(library, "deepbind_plugin");
    EXPECT(plugin != NULL);
    return plugin;
}

static void blocks_go_either_way(const struct deepbind_plugin *plugin) {
    for (size_t s = 0; s < SIZES; s++) {
        block_free(plugin->new_block(sizes[s]));
        plugin->free_block(block_new(sizes[s]));
        plugin->free_block(block_resize(plugin->new_block(sizes[s]), sizes[s] * 2));
        block_free(plugin->resize_block(block_new(sizes[s]), sizes[s] + 5000));
        EXPECT(plugin->usable(block_new(sizes[s])) >= sizes[s]);
        block_free(plugin->new_aligned(sizes[s]));
    }
}

static void *thread_main(void *plugin) {
    blocks_go_either_way((const struct deepbind_plugin *)plugin);
    return NULL;
}

static void libc_stays_what_it_was(void *(*libc_malloc)(size_t), void (*libc_free)(void *)) {
    for (size_t s = 0; s < SIZES; s++) {
        void *p = libc_malloc(sizes[s]);
        EXPECT(p != NULL);
        block_stamp(p, sizes[s]);
        block_free(p);
        libc_free(libc_malloc(sizes[s]));
    }
}

int main(int argc, char **argv) {
    test_begin(60);
    EXPECT(argc == 4);
    void *(*libc_malloc)(size_t);
    void (*libc_free)(void *);
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD), *address = dlsym(libc, "__libc_malloc");
    memcpy(&libc_malloc, &address, sizeof address);
    address = dlsym(libc, "__libc_free");
    memcpy(&libc_free, &address, sizeof address);
    EXPECT(!from_mbmalloc((const void *)(uintptr_t)libc_malloc) && !from_mbmalloc((const void *)(uintptr_t)libc_free));

    const struct deepbind_plugin *plugin = load(argv[1], argv[2]);
    EXPECT(strcmp(plugin->whose(), "plugin") == 0); // bound deep
    if (under_mbmalloc()) EXPECT(plugin->has_mbmalloc());
    EXPECT(strcmp(plugin->kept_since_constructor, "from the constructor") == 0);
    free(plugin->kept_since_constructor);
    blocks_go_either_way(plugin);
    plugin->strings();
    thread_join(thread_start(thread_main, (void *)(uintptr_t)plugin));
    EXPECT(dlopen(argv[3], RTLD_NOW) == NULL); // beside the plugin, where the host's run path does not lead
    EXPECT(plugin->finds(argv[3]));
    libc_stays_what_it_was(libc_malloc, libc_free);
    EXPECT(dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW) != NULL); // not our business
    return 0;
}
