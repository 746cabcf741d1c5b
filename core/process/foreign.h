// Blocks of other allocators in this process: of the C library's own malloc, and of another copy of this library.
//
// What: recognises blocks of glibc's malloc that are passed to our free (from code that noted malloc's address early;
// from a plugin loaded with RTLD_DEEPBIND in a program that links libmbmalloc.a), and passes them to the C library's
// own functions. A pointer has to pass glibc's own tests of a chunk; if it does not, the caller reports it as a
// mistake. Also defines struct mb_calls, by which one copy of this library calls another.
// Who: any thread, slow paths only. errno is kept.
#ifndef MB_CORE_PROCESS_FOREIGN_H
#define MB_CORE_PROCESS_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/compiler.h"
#include "platform/libc.h"

struct mb_stats;

// Whether p, which lies outside our memory, is a block of glibc's malloc. Never faults, whatever p is.
bool mb_foreign_is_libc_block(const void *p);

// Only for a p that mb_foreign_is_libc_block has accepted.
void mb_foreign_free(void *p);
size_t mb_foreign_usable_size(const void *p);

// Calls the visitor for each loaded object, as dl_iterate_phdr does. False: the libc cannot.
struct dl_phdr_info;
bool mb_foreign_visit(int (*visitor)(struct dl_phdr_info *, size_t, void *), void *argument);

// The first definition of a name among the objects that the loader has mapped, in its order, up to the object that
// `end` points into (NULL: all). `files` (ends with NULL) are what their file names start with; NULL: any. NULL where
// there is none. Allocates nothing.
void *mb_foreign_symbol(const char *const *files, const char *name, const void *end);

// The first definition of a name behind the object that `after` points into: what dlsym(RTLD_NEXT) answers there.
// Allocates nothing.
void *mb_foreign_next_symbol(const char *name, const void *after);
// The same for several names at once: found[i] is that of names[i], or NULL.
void mb_foreign_next_symbols(const char *const *names, size_t count, const void *after, void **found);

// From now on the loader binds a name, where it finds it in the first of those files that defines it, to `to`: the
// file's table of symbols is changed in memory, a page of it is no longer shared with other processes. False: no
// definition, or the system refuses. The loader's lock makes it one thread at a time; what is bound already stays.
bool mb_foreign_redirect(const char *const *files, const char *name, const void *to);

// The file of the object that `inside` points into; "" for the program itself. NULL in static programs that cannot
// tell.
const char *mb_foreign_file_of(const void *inside);

// The libc's own malloc, in the form of another copy of this library; NULL where it cannot be found. For the thread
// that runs the start.
const struct mb_calls *mb_foreign_libc_serves(void);
// The malloc of a sanitizer whose runtime is loaded behind us (gcc's are shared libraries), likewise; NULL where there
// is none.
const struct mb_calls *mb_foreign_sanitizer_serves(void);

// The names that we call of the libc, whoever has wrapped them. mb_foreign_own never takes the loader's lock, which a
// forked child may find taken for ever.
// clang-format off
#define MB_OWN_TABLE(NAME) \
    NAME(memcpy) NAME(memset) NAME(__errno_location) NAME(getauxval) NAME(dl_iterate_phdr) \
    NAME(pthread_create) NAME(pthread_join) NAME(pthread_key_create) NAME(pthread_setspecific) NAME(pthread_setcancelstate) \
    NAME(pthread_attr_init) NAME(pthread_attr_destroy) NAME(pthread_attr_setstacksize) NAME(pthread_attr_setsigmask_np) \
    NAME(__register_atfork) NAME(pthread_atfork) \
    NAME(malloc) NAME(calloc) NAME(realloc) NAME(memalign) NAME(free) NAME(malloc_usable_size) NAME(malloc_trim) NAME(mallinfo2)
// clang-format on

enum mb_own {
#define MB_OWN_INDEX(name) MB_OWN_##name,
    MB_OWN_TABLE(MB_OWN_INDEX)
#undef MB_OWN_INDEX
        MB_OWN_COUNT
};
enum { MB_OWN_NAME_BYTES = 28 };

// The libc's own definition; NULL: it has none, or this is a static program. Any thread, before the first constructor
// too.
void *mb_foreign_own(enum mb_own own);

// Notes where they are, if it was not done: once, by the thread that runs the start or by the constructor, and before
// names of the libc are redirected. What is noted is sealed (core/base/sealed.h): a stray write must not redirect a
// call.
void mb_foreign_note_libc(void);

struct mb_foreign_sealed {
    void *own[MB_OWN_COUNT];
    uintptr_t program_end; // the brk heap starts behind the program
    uint32_t pid;          // of the process that noted
};
extern MB_HIDDEN struct mb_foreign_sealed mb_foreign_sealed;

// What has been noted; NULL: nothing (yet).
MB_INLINE void *mb_foreign_noted(enum mb_own own) { return __atomic_load_n(&mb_foreign_sealed.own[own], __ATOMIC_RELAXED); }

// One copy's functions, under the contracts of core/front/malloc.h: what a second copy calls instead of serving memory
// itself. The layout is part of the question by which copies find each other (preload/calls.h): a new layout needs a
// new question.
struct mb_calls {
    void *(*malloc)(size_t bytes);
    void *(*calloc)(size_t count, size_t bytes);
    void *(*realloc)(void *p, size_t bytes);
    void *(*memalign)(size_t align, size_t bytes);
    void (*free)(void *p);
    void (*free_sized)(void *p, size_t bytes);
    void (*free_aligned_sized)(void *p, size_t align, size_t bytes);
    size_t (*usable_size)(const void *p);
    bool (*owns)(const void *p);
    bool (*is_block)(const void *p);
    bool (*trim)(size_t keep_bytes);
    void (*stats_get)(struct mb_stats *out);
};

// The copy that serves this process if it is not this one, else NULL. Absent (address NULL) where nothing interposes,
// as in unit tests. Safe from the first instruction on; makes no system call and does not allocate.
__attribute__((weak)) const struct mb_calls *mb_forward_get(void);

#endif
