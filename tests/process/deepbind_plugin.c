// The plugin that deepbind.c loads with RTLD_DEEPBIND: its lookups find its own definitions and those of its
// dependencies (the C library) before the process's.
#include "tests/process/blocks.h"
#include <malloc.h>

#include "tests/process/deepbind.h"

const char *deepbind_whose(void) { return "plugin"; }

static void *new_aligned(size_t bytes) {
    void *p = NULL;
    EXPECT(posix_memalign(&p, 256, bytes) == 0);
    block_stamp(p, bytes);
    return p;
}

static size_t usable(void *p) {
    size_t bytes = malloc_usable_size(p);
    block_free(p);
    return bytes;
}

static void strings(void) {
    char *line = NULL, *text = NULL;
    size_t room = 0;
    free(strdup("a string"));
    EXPECT(asprintf(&text, "%d %s", 42, "and a longer text that needs a block of its own") > 0);
    free(realloc(text, 4000));
    FILE *file = fopen("/proc/self/status", "r");
    EXPECT(file != NULL && getline(&line, &room, file) > 0);
    fclose(file);
    free(line);
    free(realpath("/proc/..", NULL));
    free(reallocarray(NULL, 10, 10));
    free(calloc(3, 5));
    free(aligned_alloc(64, 640));
}

static bool finds(const char *library) {
    void *found = dlopen(library, RTLD_NOW);
    return found != NULL && dlclose(found) == 0;
}

static bool has_mbmalloc(void) { return from_mbmalloc((const void *)(uintptr_t)&malloc); }

static const char *whose(void) { return deepbind_whose(); }

struct deepbind_plugin deepbind_plugin = {
    .new_block = block_new,
    .new_aligned = new_aligned,
    .resize_block = block_resize,
    .free_block = block_free,
    .usable = usable,
    .strings = strings,
    .finds = finds,
    .has_mbmalloc = has_mbmalloc,
    .whose = whose,
};

__attribute__((constructor)) static void keep_something(void) {
    free(strdup("freed at once"));
    deepbind_plugin.kept_since_constructor = strdup("from the constructor");
}
