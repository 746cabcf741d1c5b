// What deepbind_plugin.c offers to its host.
#ifndef MB_TESTS_PROCESS_DEEPBIND_H
#define MB_TESTS_PROCESS_DEEPBIND_H

#include <stdbool.h>
#include <stddef.h>

// Stamped blocks (blocks.h) of the plugin's malloc.
void *plugin_malloc(size_t bytes);
void *plugin_calloc(size_t bytes);
void *plugin_aligned(size_t bytes);
void *plugin_malloc_in_thread(size_t bytes);
void *plugin_realloc(void *p, size_t bytes);
void plugin_free(void *p);
bool plugin_has_mbmalloc(void);

#endif
