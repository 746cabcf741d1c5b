// operator new and delete: the four basic forms, which all others are made of.
//
// What: blocks of malloc, or of another malloc that serves the process. When memory is gone, the current new-handler is
// called until a block can be had; without a handler std::bad_alloc is thrown. What a handler throws passes through,
// since the library's C code is compiled with unwind tables.
// Who: any thread.
#include "preload/cxx_new.h"

#include "core/base/check.h"
#include "platform/bits.h"
#include "preload/cxx_names.h"
#include "preload/cxx_runtime.h"
#include "preload/forward.h"

static void find_runtime(struct mb_cxx_runtime *runtime, size_t bytes) {
    bool found = mb_cxx_find(runtime);
    MB_REQUIRE(found, "operator new is out of memory, and no C++ runtime is loaded to throw; bytes", (const void *)bytes);
}

static void call_handler_or_throw(const struct mb_cxx_runtime *runtime) {
    mb_new_handler handler = mb_cxx_handler(runtime);
    if (handler == NULL) mb_cxx_throw_bad_alloc(runtime);
    handler();
}

static MB_COLD void *retry(size_t bytes) {
    struct mb_cxx_runtime runtime;
    find_runtime(&runtime, bytes);
    void *p;
    do {
        call_handler_or_throw(&runtime);
        p = mb_new_once(bytes);
    } while (p == NULL);
    return p;
}

static MB_COLD void *retry_aligned(size_t bytes, size_t align) {
    struct mb_cxx_runtime runtime;
    find_runtime(&runtime, bytes);
    if (!mb_is_pow2(align)) mb_cxx_throw_bad_alloc(&runtime); // no handler can help
    void *p;
    do {
        call_handler_or_throw(&runtime);
        p = mb_new_once_aligned(bytes, align);
    } while (p == NULL);
    return p;
}

void *_Znwm(size_t bytes) {
    void *p = mb_new_once(bytes);
    return MB_LIKELY(p != NULL) ? p : retry(bytes);
}

void *_ZnwmSt11align_val_t(size_t bytes, size_t align) {
    void *p = mb_new_once_aligned(bytes, align);
    return MB_LIKELY(p != NULL) ? p : retry_aligned(bytes, align);
}

void _ZdlPv(void *p) {
    mb_delete_one(p);
}

// `align` is not needed: the core finds it out from the block.
void _ZdlPvSt11align_val_t(void *p, size_t align) {
    (void)align;
    mb_delete_one(p);
}

void *mb_self_new(size_t bytes) __attribute__((alias("_Znwm")));
void *mb_self_new_aligned(size_t bytes, size_t align) __attribute__((alias("_ZnwmSt11align_val_t")));
void mb_self_delete(void *p) __attribute__((alias("_ZdlPv")));
void mb_self_delete_aligned(void *p, size_t align) __attribute__((alias("_ZdlPvSt11align_val_t")));
