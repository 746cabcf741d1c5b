// What: what an attack must never reach. Every block that comes out is entered in a shadow set and filled with a
// pattern of its own; a block that comes out twice, overlaps another or lies in forbidden memory ends the case as a
// failure.
//
// Who: one thread at a time. Invariant: the set's own memory is static, so the allocator under test cannot damage it.
#ifndef MB_TESTS_MISUSE_SHADOW_H
#define MB_TESTS_MISUSE_SHADOW_H

#include <stdbool.h>
#include <stddef.h>

// Memory that malloc must never return (decoys, live blocks of the case).
void shadow_forbid(const void *p, size_t bytes);

void *shadow_malloc(size_t bytes);
void shadow_free(void *p); // of shadow_malloc; finds damage to the pattern first
bool shadow_has(const void *p);
void shadow_verify(void); // every live block's pattern

// A few thousand blocks of this and other sizes come and go; everything is verified at the end.
void shadow_churn(size_t bytes);

#endif
