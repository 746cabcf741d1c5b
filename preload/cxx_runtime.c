#include "preload/cxx_runtime.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include "platform/compiler.h"
#include "platform/os.h"

// Absent in a fully static program.
__attribute__((weak)) void *dlopen(const char *, int);
__attribute__((weak)) void *dlsym(void *restrict, const char *restrict);
__attribute__((weak)) int dl_iterate_phdr(int (*)(struct dl_phdr_info *, size_t, void *), void *);

// Bound by the loader where the runtime is part of the program, by the linker in a static one.
__attribute__((weak)) mb_new_handler _ZSt15get_new_handlerv(void);
__attribute__((weak)) void *__cxa_allocate_exception(size_t bytes);
__attribute__((weak)) void __cxa_throw(void *exception, void *type, void (*destroy)(void *));
extern __attribute__((weak)) char _ZTISt9bad_alloc[];
extern __attribute__((weak)) void *_ZTVSt9bad_alloc[];

enum { RUNTIMES_MAX = 4 };
struct runtimes {
    const char *path[RUNTIMES_MAX];
    unsigned count;
};

static bool is_runtime(const char *path) {
    static const char *const names[] = {"libstdc++.so", "libc++.so", "libc++abi.so"};
    const char *slash = strrchr(path, '/'), *file = slash != NULL ? slash + 1 : path;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strncmp(file, names[i], strlen(names[i])) == 0) return true;
    }
    return false;
}

// The loader's string outlives the search: the caller's code needs its runtime.
static int note_runtime(struct dl_phdr_info *info, size_t bytes, void *out) {
    (void)bytes;
    struct runtimes *found = out;
    if (info->dlpi_name != NULL && is_runtime(info->dlpi_name)) found->path[found->count++] = info->dlpi_name;
    return found->count == RUNTIMES_MAX;
}

// A handle of the first runtime that can throw. It is never closed: exceptions of this runtime may be under way. Taking one
// of a loaded object allocates nothing, so it works when memory is gone.
static void *loaded_runtime(void) {
    if (dlopen == NULL || dlsym == NULL || dl_iterate_phdr == NULL) return NULL;
    struct runtimes found = {.count = 0};
    dl_iterate_phdr(note_runtime, &found);
    for (unsigned i = 0; i < found.count; i++) {
        void *handle = dlopen(found.path[i], RTLD_LAZY | RTLD_NOLOAD);
        if (handle != NULL && dlsym(handle, "__cxa_throw") != NULL) return handle;
    }
    return NULL;
}

static bool can_throw(const struct mb_cxx_runtime *runtime) {
    return runtime->allocate_exception != NULL && runtime->throw_exception != NULL && runtime->bad_alloc_type != NULL &&
           runtime->bad_alloc_table != NULL;
}

bool mb_cxx_find(struct mb_cxx_runtime *out) {
    *out = (struct mb_cxx_runtime){_ZSt15get_new_handlerv, __cxa_allocate_exception, __cxa_throw, _ZTISt9bad_alloc, _ZTVSt9bad_alloc};
    if (can_throw(out)) return true;
    void *handle = loaded_runtime();
    if (handle == NULL) return false;
    out->get_new_handler = (mb_new_handler(*)(void))dlsym(handle, "_ZSt15get_new_handlerv");
    out->allocate_exception = (void *(*)(size_t))dlsym(handle, "__cxa_allocate_exception");
    out->throw_exception = (void (*)(void *, void *, void (*)(void *)))dlsym(handle, "__cxa_throw");
    out->bad_alloc_type = dlsym(handle, "_ZTISt9bad_alloc");
    out->bad_alloc_table = dlsym(handle, "_ZTVSt9bad_alloc");
    return can_throw(out);
}

mb_new_handler mb_cxx_handler(const struct mb_cxx_runtime *runtime) {
    return runtime->get_new_handler != NULL ? runtime->get_new_handler() : NULL;
}

// A bad_alloc is its virtual table pointer and nothing else; the ABI puts two words before the table's address point, and
// lets an object without work to do go without destructor.
_Noreturn void mb_cxx_throw_bad_alloc(const struct mb_cxx_runtime *runtime) {
    void **exception = runtime->allocate_exception(sizeof(void *));
    *exception = runtime->bad_alloc_table + 2;
    runtime->throw_exception(exception, runtime->bad_alloc_type, NULL);
    mb_os_abort();
}

void *mb_cxx_own_symbol(const char *name) {
    void *handle = loaded_runtime();
    return handle != NULL ? dlsym(handle, name) : NULL;
}
