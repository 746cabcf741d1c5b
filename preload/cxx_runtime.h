// The C++ runtime of the process, asked only when operator new has run out of memory.
//
// What: C cannot throw, and the library must not depend on libstdc++ or libc++. The runtime is found by weak references, or,
// when it came with a plugin, among the loaded objects. What is used is the C++ ABI that both runtimes share.
// Who: any thread; nothing is cached, since runtimes come with plugins.
#ifndef MB_PRELOAD_CXX_RUNTIME_H
#define MB_PRELOAD_CXX_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>

typedef void (*mb_new_handler)(void);

struct mb_cxx_runtime {
    mb_new_handler (*get_new_handler)(void); // NULL: the program has none linked, so no handler can be set
    void *(*allocate_exception)(size_t bytes);
    void (*throw_exception)(void *exception, void *type, void (*destroy)(void *));
    void *bad_alloc_type;
    void **bad_alloc_table;
};

// False: there is none.
bool mb_cxx_find(struct mb_cxx_runtime *out);

// The handler that is installed now, or NULL.
mb_new_handler mb_cxx_handler(const struct mb_cxx_runtime *runtime);

// Throws std::bad_alloc through the C frames of its callers.
_Noreturn void mb_cxx_throw_bad_alloc(const struct mb_cxx_runtime *runtime);

// The runtime's own definition of a name that we define too; NULL if there is none or it is linked into the program.
void *mb_cxx_own_symbol(const char *name);

#endif
