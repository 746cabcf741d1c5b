// What: a table of live blocks that stays consistent if the process forks at any instant. A block is entered after it
// was allocated and marked, and removed before it is freed; so every entry that a child finds is a live block with its
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

// Marks a block of at least 16 bytes: its first and last eight bytes and one word on every page (on some pages of large
// blocks).
void live_mark(unsigned char *p, size_t bytes);
bool live_is_marked(const unsigned char *p, size_t bytes);

// Allocates a block, marks it and enters it; ends the process if malloc returns NULL. Returns the block's index.
int live_take(int part, size_t bytes);
int live_take_aligned(int part, size_t align, size_t bytes);
int live_take_zeroed(int part, size_t bytes);

// Checks the marks, removes the entry and frees the block. Does nothing for a negative or empty index.
void live_give(int index);

// Removes the entry, reallocates the block and enters it again under the same index.
void live_resize(int index, size_t bytes);

// Removes the entry and returns the block to the caller.
unsigned char *live_steal(int index, size_t *bytes);

void live_give_part(int part);

// Reports a fault in the test's own blocks: one line by write, then SIGABRT.
_Noreturn void live_damaged(const char *what);

#endif
