// Simple allocators around which tests put the layers of core/harden and core/family.
#ifndef MB_TESTS_SUPPORT_BASES_H
#define MB_TESTS_SUPPORT_BASES_H

#include <stdatomic.h>

#include "core/base/allocator.h"
#include "core/region/region.h"

// The C library's malloc. It has no address range. A test may remove traits (enum mb_trait) and limit the bytes, to see
// how a layer handles that. Any thread.
struct libc_base {
    struct mb_allocator api;
    struct mb_allocator_table table;
    _Atomic size_t live_bytes, live_blocks, limit_bytes; // limit 0: none
    _Atomic unsigned allocations;
    bool dropped;
};
void libc_base_init(struct libc_base *base, uint32_t traits_missing);

// A bump allocator over a region: can be reset, cannot free single blocks. Owner thread.
struct region_base {
    struct mb_allocator api;
    struct mb_region region;
    struct mb_range_table range;
    struct mb_allocator_table table;
};
enum mb_error region_base_init(struct region_base *base, size_t bytes, uint32_t require);

// The same with a free list: a freed block serves the next request of exactly its size. It writes a link into the first
// 16 bytes of free blocks, as real allocators do. Knows sizes and has an address range. Owner thread.
enum { LIST_BASE_BLOCKS = 8192 };
struct list_base {
    struct region_base under; // its api is the list's own
    struct list_block { char *p; size_t bytes; bool live; } blocks[LIST_BASE_BLOCKS];
    size_t count, live;
};
enum mb_error list_base_init(struct list_base *base, size_t bytes);

#endif
