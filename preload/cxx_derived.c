// The 16 forms of operator new and delete that the C++ standard defines by other forms (new[], nothrow, sized, and so
// on).
//
// What: a program may replace a basic form and expects the derived ones to follow, so a derived form calls the basic
// one by its exported name. If that is our own definition, sized deletes also check the size, and nothrow news take a
// short way. After a failed first attempt a nothrow new calls the C++ runtime's own nothrow new, which calls the plain
// form (ours) in a try block and so catches what a new-handler throws. In a static program, where that definition is
// not reachable, platform/catch_all.h does the same.
// Who: any thread.
#include <stdbool.h>
#include <stdint.h>

#include "core/front/malloc.h"
#include "platform/catch_all.h"
#include "preload/cxx_names.h"
#include "preload/cxx_new.h"
#include "preload/cxx_runtime.h"
#include "preload/forward.h"

#define MB_OWNED(name, ours) mb_forward_same((uintptr_t)(name), (uintptr_t)(ours))

// --- arrays ----------------------------------------------------------------------------------------------------------

void *_Znam(size_t bytes) { return _Znwm(bytes); }
void *_ZnamSt11align_val_t(size_t bytes, size_t align) { return _ZnwmSt11align_val_t(bytes, align); }
void _ZdaPv(void *p) { _ZdlPv(p); }
void _ZdaPvSt11align_val_t(void *p, size_t align) { _ZdlPvSt11align_val_t(p, align); }

void *mb_self_new_array(size_t bytes) __attribute__((alias("_Znam")));
void *mb_self_new_array_aligned(size_t bytes, size_t align) __attribute__((alias("_ZnamSt11align_val_t")));
void mb_self_delete_array(void *p) __attribute__((alias("_ZdaPv")));
void mb_self_delete_array_aligned(void *p, size_t align) __attribute__((alias("_ZdaPvSt11align_val_t")));

// --- nothrow new -----------------------------------------------------------------------------------------------------

// Without a new-handler there is no use in a second attempt: the result is NULL.
static bool has_handler(void) {
    struct mb_cxx_runtime runtime;
    return mb_cxx_find(&runtime) && mb_cxx_handler(&runtime) != NULL;
}

typedef void *(*nothrow_new)(size_t bytes, const struct mb_nothrow *tag);
typedef void *(*nothrow_new_aligned)(size_t bytes, size_t align, const struct mb_nothrow *tag);

static void *plain_new(size_t bytes, size_t unused) {
    (void)unused;
    return _Znwm(bytes);
}

static void *caught(mb_catchable *basic, size_t bytes, size_t align) {
    return mb_can_catch_all() ? mb_call_caught(basic, bytes, align) : NULL;
}

static MB_COLD void *by_runtime(const char *name, size_t bytes, const struct mb_nothrow *tag) {
    if (!has_handler()) return NULL;
    nothrow_new function = (nothrow_new)mb_cxx_own_symbol(name);
    return function != NULL ? function(bytes, tag) : caught(plain_new, bytes, 0);
}

static MB_COLD void *by_runtime_aligned(const char *name, size_t bytes, size_t align, const struct mb_nothrow *tag) {
    if (!has_handler()) return NULL;
    nothrow_new_aligned function = (nothrow_new_aligned)mb_cxx_own_symbol(name);
    return function != NULL ? function(bytes, align, tag) : caught(_ZnwmSt11align_val_t, bytes, align);
}

// The program has replaced the basic form: call it inside the runtime's try block, or without one if there is none.
static MB_COLD void *by_replacement(const char *name, void *(*basic)(size_t), size_t bytes, const struct mb_nothrow *tag) {
    nothrow_new function = (nothrow_new)mb_cxx_own_symbol(name);
    return function != NULL ? function(bytes, tag) : basic(bytes);
}

static MB_COLD void *by_replacement_aligned(const char *name, void *(*basic)(size_t, size_t), size_t bytes, size_t align,
                                            const struct mb_nothrow *tag) {
    nothrow_new_aligned function = (nothrow_new_aligned)mb_cxx_own_symbol(name);
    return function != NULL ? function(bytes, align, tag) : basic(bytes, align);
}

void *_ZnwmRKSt9nothrow_t(size_t bytes, const struct mb_nothrow *tag) {
    if (!MB_OWNED(_Znwm, mb_self_new)) return by_replacement("_ZnwmRKSt9nothrow_t", _Znwm, bytes, tag);
    void *p = mb_new_once(bytes);
    return MB_LIKELY(p != NULL) ? p : by_runtime("_ZnwmRKSt9nothrow_t", bytes, tag);
}

void *_ZnamRKSt9nothrow_t(size_t bytes, const struct mb_nothrow *tag) {
    bool ours = MB_OWNED(_Znam, mb_self_new_array) && MB_OWNED(_Znwm, mb_self_new);
    if (!ours) return by_replacement("_ZnamRKSt9nothrow_t", _Znam, bytes, tag);
    void *p = mb_new_once(bytes);
    return MB_LIKELY(p != NULL) ? p : by_runtime("_ZnamRKSt9nothrow_t", bytes, tag);
}

void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t align, const struct mb_nothrow *tag) {
    static const char name[] = "_ZnwmSt11align_val_tRKSt9nothrow_t";
    bool ours = MB_OWNED(_ZnwmSt11align_val_t, mb_self_new_aligned);
    if (!ours) return by_replacement_aligned(name, _ZnwmSt11align_val_t, bytes, align, tag);
    void *p = mb_new_once_aligned(bytes, align);
    return MB_LIKELY(p != NULL) ? p : by_runtime_aligned(name, bytes, align, tag);
}

void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t align, const struct mb_nothrow *tag) {
    static const char name[] = "_ZnamSt11align_val_tRKSt9nothrow_t";
    bool ours = MB_OWNED(_ZnamSt11align_val_t, mb_self_new_array_aligned) && MB_OWNED(_ZnwmSt11align_val_t, mb_self_new_aligned);
    if (!ours) return by_replacement_aligned(name, _ZnamSt11align_val_t, bytes, align, tag);
    void *p = mb_new_once_aligned(bytes, align);
    return MB_LIKELY(p != NULL) ? p : by_runtime_aligned(name, bytes, align, tag);
}

// --- sized delete ----------------------------------------------------------------------------------------------------

MB_INLINE bool delete_is_ours(void) { return mb_forward_free_is_ours() && MB_OWNED(_ZdlPv, mb_self_delete); }
MB_INLINE bool delete_aligned_is_ours(void) {
    return mb_forward_free_is_ours() && MB_OWNED(_ZdlPvSt11align_val_t, mb_self_delete_aligned);
}

void _ZdlPvm(void *p, size_t bytes) {
    if (delete_is_ours()) mb_free_sized(p, bytes);
    else _ZdlPv(p);
}

void _ZdaPvm(void *p, size_t bytes) {
    if (delete_is_ours() && MB_OWNED(_ZdaPv, mb_self_delete_array)) mb_free_sized(p, bytes);
    else _ZdaPv(p);
}

void _ZdlPvmSt11align_val_t(void *p, size_t bytes, size_t align) {
    if (delete_aligned_is_ours()) mb_free_aligned_sized(p, align, bytes);
    else _ZdlPvSt11align_val_t(p, align);
}

void _ZdaPvmSt11align_val_t(void *p, size_t bytes, size_t align) {
    if (delete_aligned_is_ours() && MB_OWNED(_ZdaPvSt11align_val_t, mb_self_delete_array_aligned)) mb_free_aligned_sized(p, align, bytes);
    else _ZdaPvSt11align_val_t(p, align);
}

// --- nothrow delete --------------------------------------------------------------------------------------------------

void _ZdlPvRKSt9nothrow_t(void *p, const struct mb_nothrow *tag) {
    (void)tag;
    _ZdlPv(p);
}

void _ZdaPvRKSt9nothrow_t(void *p, const struct mb_nothrow *tag) {
    (void)tag;
    _ZdaPv(p);
}

void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *p, size_t align, const struct mb_nothrow *tag) {
    (void)tag;
    _ZdlPvSt11align_val_t(p, align);
}

void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *p, size_t align, const struct mb_nothrow *tag) {
    (void)tag;
    _ZdaPvSt11align_val_t(p, align);
}
