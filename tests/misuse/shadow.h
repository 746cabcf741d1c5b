// What: checks that an attack had no effect. Every block that malloc returns is entered in a shadow set and filled with
// a pattern of its own; a block that is returned twice, overlaps another one or lies in forbidden memory ends the case
// as a failure.
//
// Who: one thread at a time. Invariant: the set's own memory is static, so the allocator under test cannot damage it.
#ifndef MB_TESTS_MISUSE_SHADOW_H
#define MB_TESTS_MISUSE_SHADOW_H

#include <stdbool.h>
#include <stddef.h>

// Declares memory that malloc must never return (decoys, live blocks of the case).
void shadow_forbid(const void *p, size_t bytes);

void *shadow_malloc(size_t bytes);
void shadow_free(void *p); // frees a block of shadow_malloc, after checking its pattern
bool shadow_has(const void *p);
void shadow_verify(void); // checks every live block's pattern

// Allocates and frees a few thousand blocks of this and other sizes; everything is verified at the end.
void shadow_churn(size_t bytes);

#endif
