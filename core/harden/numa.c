#include "core/harden/numa.h"

#include "platform/os.h"

static const size_t LOOKED_AT_BYTES = (size_t)64 << 20;

static bool names_a_node(const uint64_t *nodes, size_t words) {
    uint64_t any = 0;
    for (size_t i = 0; nodes != NULL && i < words; i++) any |= nodes[i];
    return any != 0;
}

enum mb_error mb_numa_start(struct mb_allocator *base, const uint64_t *nodes, size_t words) {
    if (!mb_allocator_can(base, MB_TRAIT_RANGE) || !names_a_node(nodes, words)) return MB_BAD_CONFIG;
    size_t page = mb_os_page_size(), bytes = base->table->range->size(base);
    void *p = base->table->range->base(base);
    if (bytes == 0 || !mb_is_aligned((uintptr_t)p, page) || !mb_is_aligned(bytes, page)) return MB_BAD_CONFIG;
    if (mb_os_resident_pages(p, mb_min(bytes, LOOKED_AT_BYTES)) != 0) return MB_BAD_CONFIG;
    return mb_os_bind_nodes(p, bytes, nodes, words) == 0 ? MB_OK : MB_REFUSED;
}
