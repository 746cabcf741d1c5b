// dlopen and dlmopen, replaced so that objects loaded with RTLD_DEEPBIND, and lookups in the C library's own handle,
// find our malloc and free.
//
// What: an object that is loaded with RTLD_DEEPBIND looks up symbols in itself and its dependencies first, so it finds
// the C library's malloc and free before ours. It then passes blocks of ours (from strdup, getline or the program) to
// the C library's free, which ends the process (seen with PHP's extensions under every preloaded malloc). The same
// happens with dlsym on a handle of the C library (Python's ctypes, Ruby's Fiddle). So before the first such load the C
// library's symbol table entries for functions that take or return blocks are pointed to ours; all other symbols bind
// as the caller wants. If the system refuses to make the table writable, the object is loaded without the flag. Limits:
// blocks that such an object has from the C library's malloc all the same are recognised by core/process/foreign.h.
// dlmopen's other namespaces have a C library of their own and are left alone. Not in libmbmalloc.a: a static program
// has no next dlopen.
// Who: any thread. The loader must see our caller's return address (platform/jump.h), which decides run path and
// namespace.
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/process/foreign.h"
#include "platform/jump.h"
#include "platform/libc.h"
#include "preload/forward.h"

static struct {
    _Atomic(void *) next_dlopen, next_dlmopen; // the next definitions; every thread writes the same values, relaxed
    _Atomic int libc;                          // enum libc_names; likewise
} dlopen_shared;

enum libc_names { NOT_ASKED, REDIRECTED, NOT_OURS, REFUSED };

// Called where no next definition exists. dlerror has no message for this case.
static void *load_nothing(void) { return NULL; }

static void *next(_Atomic(void *) *known, const char *name) {
    void *function = atomic_load_explicit(known, memory_order_relaxed);
    if (function != NULL) return function;
    function = mb_foreign_next_symbol(name, &dlopen_shared);
    if (function == NULL) function = (void *)load_nothing;
    atomic_store_explicit(known, function, memory_order_relaxed);
    return function;
}

// Points the C library's entry for `name` to the definition that the process uses. False: refused.
static bool redirect(const char *name) {
    return mb_foreign_redirect(mb_libc_files, name, mb_foreign_symbol(NULL, name, NULL));
}

// Whether the process uses our definition of `name`. If the program has a malloc of its own, nothing is redirected.
static bool is_ours(const char *name, const void *ours) { return mb_foreign_symbol(NULL, name, NULL) == ours; }

// Functions that this version of the C library lacks are left out: nothing can bind to them.
static enum libc_names redirect_libc(void) {
    static const char others[][20] = {"calloc",   "realloc", "reallocarray", "posix_memalign", "aligned_alloc",
                                      "memalign", "valloc",  "pvalloc",      "cfree",          "malloc_usable_size"};
    if (!is_ours("malloc", (void *)mb_self_malloc) || !is_ours("free", (void *)mb_self_free)) return NOT_OURS;
    mb_foreign_note_libc();
    if (!redirect("free") || !redirect("malloc")) return REFUSED;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) redirect(others[i]);
    return REDIRECTED;
}

static enum libc_names libc_names(void) {
    enum libc_names names = (enum libc_names)atomic_load_explicit(&dlopen_shared.libc, memory_order_relaxed);
    if (names != NOT_ASKED) return names;
    names = redirect_libc();
    atomic_store_explicit(&dlopen_shared.libc, (int)names, memory_order_relaxed);
    return names;
}

static uintptr_t prepared(const char *file, int mode) {
    bool names_count = (mode & RTLD_DEEPBIND) != 0 || mb_libc_is_named(file);
    if (names_count && libc_names() == REFUSED) mode &= ~RTLD_DEEPBIND;
    return (uintptr_t)(unsigned)mode;
}

MB_HIDDEN struct mb_jump mb_dlopen_choose(const char *file, int mode);
MB_HIDDEN struct mb_jump mb_dlmopen_choose(Lmid_t namespace, const char *file, int mode);

struct mb_jump mb_dlopen_choose(const char *file, int mode) {
    return (struct mb_jump){next(&dlopen_shared.next_dlopen, "dlopen"), prepared(file, mode)};
}

struct mb_jump mb_dlmopen_choose(Lmid_t namespace, const char *file, int mode) {
    uintptr_t last = namespace == LM_ID_BASE ? prepared(file, mode) : (uintptr_t)(unsigned)mode;
    return (struct mb_jump){next(&dlopen_shared.next_dlmopen, "dlmopen"), last};
}

MB_JUMP_BY(dlopen, mb_dlopen_choose, MB_JUMP_SECOND);
MB_JUMP_BY(dlmopen, mb_dlmopen_choose, MB_JUMP_THIRD);
