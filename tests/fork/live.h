// What: the table of live blocks that a fork at any instant can trust. A block is entered after it was handed out and
// marked, and leaves the table before it is given back; so every entry that a child finds is a live block with its
// marks.
//
// Who: each worker has its own part of the table (by index); a forked child reads all of it.
// Invariant: `p` of an entry is stored last and cleared first.
#ifndef MB_TESTS_FORK_LIVE_H
#define MB_TESTS_FORK_LIVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum { LIVE_MAX = 8192, LIVE_PARTS = 8, LIVE_PART = LIVE_MAX / LIVE_PARTS };

struct live {
    unsigned char *_Atomic p;
    size_t bytes;
};
extern struct live live_table[LIVE_MAX];

// Marks a block of at least 16 bytes: its first and last eight bytes and one word on every page (of large ones: here
// and there).
void live_mark(unsigned char *p, size_t bytes);
bool live_is_marked(const unsigned char *p, size_t bytes);

// Allocates, marks, enters; ends the process when malloc returns NULL. Returns the block's index.
int live_take(int part, size_t bytes);
int live_take_aligned(int part, size_t align, size_t bytes);
int live_take_zeroed(int part, size_t bytes);

// Checks the marks, leaves, frees. A negative or empty index does nothing.
void live_give(int index);

// Leaves, reallocates, enters again under the same index.
void live_resize(int index, size_t bytes);

// Leaves, and hands the block to the caller.
unsigned char *live_steal(int index, size_t *bytes);

void live_give_part(int part);

// A fault in the test's own blocks: one line by write, then SIGABRT.
_Noreturn void live_damaged(const char *what);

#endif
