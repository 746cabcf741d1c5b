// dlopen and dlmopen, so that what is loaded with RTLD_DEEPBIND allocates as the process does, and who opens the libc itself finds our free in it.
//
// What: an object loaded with that flag looks for its symbols in itself and in what it needs first, so it finds the libc's malloc and free before
// ours, while what the libc's own functions return (strdup, getline) and what the program hands over are blocks of ours: the libc's free would
// end the process (PHP with extensions, under every preloaded malloc). So does dlsym with a handle of the libc (Python's ctypes, Ruby's Fiddle). Before
// the first such load the libc's entries for the names that take or return blocks are changed to ours; all other names bind as deep as
// the caller wants. Where the system refuses that, the object is loaded without the flag.
// Blocks that such objects have of the libc's malloc all the same, by an address that somebody noted before, core/process/foreign.h recognises.
// A namespace of its own (dlmopen) has a libc of its own, and is left alone. Not in libmbmalloc.a: in a static program there is no next dlopen.
// Who: any thread. The loader sees the caller, not us: by the return address dlopen tells whose run path and namespace count.
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/process/foreign.h"
#include "platform/jump.h"
#include "platform/libc.h"
#include "preload/forward.h"

static struct {
    _Atomic(void *) next_dlopen, next_dlmopen; // those behind us; any thread writes the same ones, relaxed
    _Atomic int libc;                          // enum libc_names; likewise
} dlopen_shared;

enum libc_names { NOT_ASKED, REDIRECTED, NOT_OURS, REFUSED };

// Where there is none behind us. (It has no way to say why.)
static void *load_nothing(void) { return NULL; }

static void *next(_Atomic(void *) *known, const char *name) {
    void *function = atomic_load_explicit(known, memory_order_relaxed);
    if (function != NULL) return function;
    function = mb_foreign_next_symbol(name, &dlopen_shared);
    if (function == NULL) function = (void *)load_nothing;
    atomic_store_explicit(known, function, memory_order_relaxed);
    return function;
}

// To the definition that all others in the process are bound to.
static bool redirect(const char *name) {
    return mb_foreign_redirect(mb_libc_files, name, mb_foreign_symbol(NULL, name, NULL));
}

// A program with its own malloc has its own rules.
static bool is_ours(const char *name, const void *ours) { return mb_foreign_symbol(NULL, name, NULL) == ours; }

// What a libc of some version lacks nobody can bind to.
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
