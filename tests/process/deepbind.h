// What deepbind_plugin.c offers to its host.
#ifndef MB_TESTS_PROCESS_DEEPBIND_H
#define MB_TESTS_PROCESS_DEEPBIND_H

#include <stdbool.h>
#include <stddef.h>

// Host and plugin both define this function; each returns its own name.
const char *deepbind_whose(void);

// Blocks from the plugin's malloc, stamped as in blocks.h.
struct deepbind_plugin {
    void *(*new_block)(size_t bytes);
    void *(*new_aligned)(size_t bytes);
    void *(*resize_block)(void *p, size_t bytes);
    void (*free_block)(void *p);
    size_t (*usable)(void *p); // the usable size of the block, which is then freed
    void (*strings)(void);     // frees strings that functions of the C library have returned
    bool (*finds)(const char *library);
    bool (*has_mbmalloc)(void);
    const char *(*whose)(void);
    char *kept_since_constructor;
};

#endif
