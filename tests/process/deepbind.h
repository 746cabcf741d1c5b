// What deepbind_plugin.c offers to its host.
#ifndef MB_TESTS_PROCESS_DEEPBIND_H
#define MB_TESTS_PROCESS_DEEPBIND_H

#include <stdbool.h>
#include <stddef.h>

// Host and plugin both define it, and answer with who they are.
const char *deepbind_whose(void);

// Blocks are stamped (blocks.h), by the plugin's malloc.
struct deepbind_plugin {
    void *(*new_block)(size_t bytes);
    void *(*new_aligned)(size_t bytes);
    void *(*resize_block)(void *p, size_t bytes);
    void (*free_block)(void *p);
    size_t (*usable)(void *p); // and frees it
    void (*strings)(void);     // frees what the libc's functions return
    bool (*finds)(const char *library);
    bool (*has_mbmalloc)(void);
    const char *(*whose)(void);
    char *kept_since_constructor;
};

#endif
