#include "preload/cxx_runtime.h"

#include "core/process/foreign.h"
#include "platform/os.h"

// Bound by the loader if the program or one of its libraries needs the runtime, by the linker in a static program.
__attribute__((weak)) mb_new_handler _ZSt15get_new_handlerv(void);
__attribute__((weak)) void *__cxa_allocate_exception(size_t bytes);
__attribute__((weak)) void __cxa_throw(void *exception, void *type, void (*destroy)(void *));
extern __attribute__((weak)) char _ZTISt9bad_alloc[];
extern __attribute__((weak)) void *_ZTVSt9bad_alloc[];

// All symbols are taken from one runtime, the first in this order: libstdc++, libc++abi, a libc++ that contains it.
void *mb_cxx_own_symbol(const char *name) {
    static const char *const runtimes[] = {"libstdc++.so", "libc++abi.so", "libc++.so", NULL};
    return mb_foreign_symbol(runtimes, name, NULL);
}

static bool can_throw(const struct mb_cxx_runtime *runtime) {
    return runtime->allocate_exception != NULL && runtime->throw_exception != NULL && runtime->bad_alloc_type != NULL &&
           runtime->bad_alloc_table != NULL;
}

bool mb_cxx_find(struct mb_cxx_runtime *out) {
    *out = (struct mb_cxx_runtime){_ZSt15get_new_handlerv, __cxa_allocate_exception, __cxa_throw, _ZTISt9bad_alloc, _ZTVSt9bad_alloc};
    if (can_throw(out)) return true;
    out->get_new_handler = (mb_new_handler(*)(void))mb_cxx_own_symbol("_ZSt15get_new_handlerv");
    out->allocate_exception = (void *(*)(size_t))mb_cxx_own_symbol("__cxa_allocate_exception");
    out->throw_exception = (void (*)(void *, void *, void (*)(void *)))mb_cxx_own_symbol("__cxa_throw");
    out->bad_alloc_type = mb_cxx_own_symbol("_ZTISt9bad_alloc");
    out->bad_alloc_table = mb_cxx_own_symbol("_ZTVSt9bad_alloc");
    return can_throw(out);
}

mb_new_handler mb_cxx_handler(const struct mb_cxx_runtime *runtime) {
    return runtime->get_new_handler != NULL ? runtime->get_new_handler() : NULL;
}

// A bad_alloc object is only its virtual table pointer. By the ABI that points two words behind the table's start, and
// an object with a trivial destructor is thrown without one.
_Noreturn void mb_cxx_throw_bad_alloc(const struct mb_cxx_runtime *runtime) {
    void **exception = runtime->allocate_exception(sizeof(void *));
    *exception = runtime->bad_alloc_table + 2;
    runtime->throw_exception(exception, runtime->bad_alloc_type, NULL);
    mb_os_abort();
}
