// Finds the C++ runtime of the process and what operator new needs of it when memory is gone: the new-handler and the
// throwing of std::bad_alloc.
//
// What: C cannot throw, and the library must not depend on libstdc++ or libc++. The runtime is found by weak
// references, or, if a plugin brought it, among the loaded objects. Only the C++ ABI is used, which both runtimes
// share.
// Who: any thread. Nothing is cached, since plugins can be unloaded with their runtime.
#ifndef MB_PRELOAD_CXX_RUNTIME_H
#define MB_PRELOAD_CXX_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>

typedef void (*mb_new_handler)(void);

struct mb_cxx_runtime {
    mb_new_handler (*get_new_handler)(void); // NULL: the program is not linked with it, so no handler can be set
    void *(*allocate_exception)(size_t bytes);
    void (*throw_exception)(void *exception, void *type, void (*destroy)(void *));
    void *bad_alloc_type;
    void **bad_alloc_table;
};

// Fills *out. False: there is no C++ runtime in the process.
bool mb_cxx_find(struct mb_cxx_runtime *out);

// The new-handler that is installed now, or NULL.
mb_new_handler mb_cxx_handler(const struct mb_cxx_runtime *runtime);

// Throws std::bad_alloc through the C frames of its callers.
_Noreturn void mb_cxx_throw_bad_alloc(const struct mb_cxx_runtime *runtime);

// The runtime's own definition of a function that we define too. NULL: there is none, or the runtime is linked
// statically.
void *mb_cxx_own_symbol(const char *name);

#endif
