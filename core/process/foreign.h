// Whoever else serves memory in this process: the libc's own malloc, and another copy of this library.
//
// What: recognises blocks of glibc's malloc that reach our free (of who noted its address early; of a plugin loaded with RTLD_DEEPBIND
// in a program that links libmbmalloc.a), hands them to the libc's own functions, and describes how a second copy of this library reaches
// the first. It refuses every pointer that glibc's own chunk tests do not explain; what is refused is the caller's to report.
// Who: any thread, cold paths only. errno is kept.
#ifndef MB_CORE_PROCESS_FOREIGN_H
#define MB_CORE_PROCESS_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>

#include "platform/compiler.h"
#include "platform/libc.h"

struct mb_stats;

// Whether p, which lies outside our memory, is a block of glibc's malloc. Never faults, whatever p is.
bool mb_foreign_is_libc_block(const void *p);

// Only for a p that mb_foreign_is_libc_block has accepted.
void mb_foreign_free(void *p);
size_t mb_foreign_usable_size(const void *p);

// The first definition of a name among the objects that the loader has mapped, in its order, up to the object that `end` points
// into (NULL: all). `files` (ends with NULL) are what their file names start with; NULL: any. NULL where there is none.
// Allocates nothing.
void *mb_foreign_symbol(const char *const *files, const char *name, const void *end);

// The first definition of a name behind the object that `after` points into: what dlsym(RTLD_NEXT) answers there. Allocates nothing.
void *mb_foreign_next_symbol(const char *name, const void *after);
// The same for several names at once: found[i] is that of names[i], or NULL.
void mb_foreign_next_symbols(const char *const *names, size_t count, const void *after, void **found);

// From now on the loader binds a name, where it finds it in the first of those files that defines it, to `to`: the file's table of symbols is
// changed in memory, a page of it is no longer shared with other processes. False: no definition, or the system refuses. The loader's
// lock makes it one thread at a time; what is bound already stays.
bool mb_foreign_redirect(const char *const *files, const char *name, const void *to);

// The file of the object that `inside` points into; "" for the program itself. NULL in static programs that cannot tell.
const char *mb_foreign_file_of(const void *inside);

// The libc's own malloc, in the form of another copy of this library; NULL where it cannot be found. For the thread that runs the start.
const struct mb_calls *mb_foreign_libc_serves(void);

// Notes where the libc's own functions are, if it was not done: before its names are redirected.
void mb_foreign_note_libc(void);

// The libc's own functions, whoever has wrapped them. NULL before the constructor has noted them, and in static programs. Nothing is looked up: that
// takes the loader's lock, which a forked child may find taken for ever.
struct mb_foreign_threads {
    mb_libc_create *create;
    mb_libc_join *join;
};
const struct mb_foreign_threads *mb_foreign_threads(void);

// One copy's functions, under the contracts of core/front/malloc.h: what a second copy calls instead of serving memory itself.
// The layout is part of the question by which copies find each other (preload/calls.h): a new layout needs a new question.
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

// The copy that serves this process if it is not this one, else NULL. Absent (address NULL) where nothing interposes, as in
// unit tests. Safe from the first instruction on; makes no system call and does not allocate.
__attribute__((weak)) const struct mb_calls *mb_forward_get(void);

#endif
