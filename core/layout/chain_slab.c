#include "core/layout/chain_slab.h"

#include "platform/bits.h"
#include "platform/os.h"

const struct mb_free_block mb_sentinel = {0, 0};

static uintptr_t start_of(const struct mb_chain_slab *slab) { return mb_chain_slab_start(mb_chain_slab_unit(slab)); }

static uintptr_t block_address(const struct mb_chain_slab *slab, uint32_t index) {
    return start_of(slab) + (uintptr_t)index * slab->block_bytes;
}

static bool is_link_target(const struct mb_chain_unit *first, uintptr_t address) {
    uintptr_t offset = address - mb_chain_slab_start(first);
    uint32_t block_bytes = MB_PEEK(first->slab.block_bytes);
    return block_bytes != 0 && offset < (uintptr_t)MB_PEEK(first->slab.units) * MB_UNIT_BYTES && offset % block_bytes == 0 &&
           offset / block_bytes < MB_PEEK(first->slab.carved);
}

// Slabs of one unit have the product that free uses; the others are rare enough for a division.
bool mb_chain_slab_is_block(const struct mb_chain_unit *first, const void *p) {
    if (MB_PEEK(first->slab.units) > 1) return is_link_target(first, (uintptr_t)p);
    return (uint32_t)((uintptr_t)p & MB_UNIT_MASK) * MB_PEEK(first->slab.multiplier) < MB_PEEK(first->slab.bound);
}

uint32_t mb_chain_slab_count(const struct mb_link_key *key, const struct mb_chain_unit *first, uintptr_t head, uint32_t limit) {
    uint32_t count = 0;
    while (count < limit && is_link_target(first, head)) {
        head = mb_link_next(key, (const struct mb_free_block *)head);
        count++;
    }
    return count;
}

bool mb_chain_slab_holds(const struct mb_link_key *key, const struct mb_chain_unit *first, uintptr_t head, uintptr_t p) {
    for (uint32_t steps = 0; steps < MB_PEEK(first->slab.capacity) && is_link_target(first, head); steps++) {
        if (head == p) return true;
        head = mb_link_next(key, (const struct mb_free_block *)head);
    }
    return false;
}

// --- shapes ---------------------------------------------------------------------------------------------------------

enum { MEDIUM_UNITS = 4, UNITS_MAX = UINT8_MAX };

struct mb_chain_shape mb_chain_shape_for(size_t bytes) {
    struct mb_chain_shape none = {0, 0, 0};
    if (bytes > (size_t)UNITS_MAX * MB_UNIT_BYTES) return none;
    bytes = mb_align_up(bytes, MB_GRANULE);
    size_t units = (bytes + MB_UNIT_MASK) >> MB_UNIT_SHIFT;
    if (bytes > MB_SMALL_MAX && bytes <= MB_MEDIUM_MAX) units = MEDIUM_UNITS;
    return (struct mb_chain_shape){(uint32_t)bytes, (uint8_t)units, 0};
}

enum mb_error mb_chain_shape_judge(size_t bytes, size_t *align) {
    enum mb_error error = mb_allocator_judge(bytes, *align);
    if (error != MB_OK) return error;
    if (*align > MB_UNIT_BYTES) return MB_BAD_ALIGN;
    *align = mb_max(*align, MB_GRANULE);
    return mb_chain_shape_for(mb_align_up(bytes, *align)).block_bytes != 0 ? MB_OK : MB_BAD_SIZE;
}

// --- set up and take down -------------------------------------------------------------------------------------------

// Exactly the starts of carved blocks satisfy (uint32_t)(offset * multiplier) < carved * bound_step(bytes).
static uint32_t multiplier_of(uint32_t bytes) { return (uint32_t)((UINT64_C(1) << 32) / bytes) + 1; }
static uint32_t bound_step(const struct mb_chain_slab *slab) {
    return slab->units > 1 ? 0 : slab->block_bytes * slab->multiplier;
}

static void setup_parts(struct mb_chain_unit *first, unsigned units) {
    for (unsigned i = 1; i < units; i++) {
        MB_POKE(first[i].slab.back, (uint8_t)i);
        mb_chain_set_kind(&first[i], MB_CHAIN_PART);
    }
}

struct mb_chain_slab *mb_chain_slab_setup(const struct mb_link_key *key, struct mb_chain_unit *unit, uintptr_t start,
                                          struct mb_chain_shape shape, const void *owner) {
    struct mb_chain_slab *slab = &unit->slab;
    unsigned units = shape.units;
    uint32_t bytes = shape.block_bytes;
    MB_POKE(unit->shared.start, start);
    MB_POKE(slab->block_bytes, bytes);
    MB_POKE(slab->multiplier, multiplier_of(bytes));
    MB_POKE(slab->bound, 0);
    MB_POKE(slab->carved, 0);
    MB_POKE(slab->capacity, units * MB_UNIT_BYTES / bytes);
    MB_POKE(slab->class_index, shape.class_index);
    MB_POKE(slab->units, (uint8_t)units);
    MB_POKE(slab->local, mb_link_encode(key, mb_list_end(start)));
    mb_chain_slab_set_used(slab, 1, 1); // the bias of a current slab
    setup_parts(unit, units);
    slab->owner = owner;
    atomic_store_explicit(&unit->shared.remote, MB_CHAIN_REMOTE_EMPTY, memory_order_relaxed);
    mb_chain_set_kind(unit, MB_CHAIN_SLAB);
    return slab;
}

void mb_chain_slab_takedown(struct mb_chain_unit *first) {
    unsigned units = first->slab.units;
    mb_chain_set_kind(first, MB_CHAIN_NONE);
    first->slab.owner = NULL;
    first->slab.flags = 0;
    MB_POKE(first->slab.bound, 0);
    MB_POKE(first->slab.carved, 0);
    mb_chain_slab_set_used(&first->slab, 0, 0);
    for (unsigned i = 1; i < units; i++) {
        mb_chain_set_kind(&first[i], MB_CHAIN_NONE);
        MB_POKE(first[i].slab.back, 0);
    }
}

// --- lists ----------------------------------------------------------------------------------------------------------

struct mb_chain mb_chain_slab_take_local(const struct mb_link_key *key, struct mb_chain_slab *slab) {
    uint64_t end = mb_link_encode(key, mb_list_end(start_of(slab)));
    uintptr_t head = mb_link_decode(key, slab->local);
    uint32_t listed = slab->carved + 1 - mb_chain_slab_used(slab);
    MB_POKE(slab->local, end);
    mb_chain_slab_set_used(slab, slab->carved + 1, slab->carved + 1);
    return (struct mb_chain){head, listed};
}

static uint32_t blocks_to_carve(const struct mb_chain_slab *slab) {
    uint32_t left = slab->capacity - slab->carved;
    if (left == 0) return 0;
    uintptr_t cursor = block_address(slab, slab->carved);
    uintptr_t page_end = mb_align_up(cursor + 1, mb_os_page_size());
    uint32_t fit = (uint32_t)((page_end - cursor) / slab->block_bytes);
    return fit == 0 ? 1 : (fit < left ? fit : left);
}

struct mb_chain mb_chain_slab_carve(const struct mb_link_key *key, struct mb_chain_slab *slab) {
    uint32_t count = blocks_to_carve(slab);
    uintptr_t first = block_address(slab, slab->carved);
    uintptr_t address = first + (uintptr_t)count * slab->block_bytes;
    uint64_t next_code = mb_link_encode(key, mb_list_end(start_of(slab)));
    for (uint32_t i = 0; i < count; i++) {
        address -= slab->block_bytes;
        struct mb_free_block *block = (struct mb_free_block *)address;
        mb_link_store(block, next_code);
        next_code = mb_link_encode(key, address);
        mb_tag_store(block, next_code);
    }
    MB_POKE(slab->carved, slab->carved + count);
    MB_POKE(slab->bound, slab->bound + count * bound_step(slab));
    uint32_t used = mb_chain_slab_used(slab) + count;
    mb_chain_slab_set_used(slab, used, used);
    return (struct mb_chain){first, count};
}

struct mb_free_block *mb_chain_slab_pop(const struct mb_link_key *key, const struct mb_chain_slab *slab, uintptr_t *head) {
    struct mb_free_block *block = (struct mb_free_block *)*head;
    uintptr_t start = start_of(slab), next = mb_link_next(key, block);
    if (next == mb_list_end(start)) next = (uintptr_t)&mb_sentinel;
    else if (next - start >= (uintptr_t)slab->units * MB_UNIT_BYTES || next % MB_GRANULE != 0) return NULL;
    MB_POKE(*head, next);
    mb_tag_clear(block);
    return block;
}

bool mb_chain_slab_push(const struct mb_link_key *key, struct mb_chain_slab *slab, struct mb_free_block *block) {
    return mb_chain_slab_put(slab, block, mb_link_encode(key, (uintptr_t)block));
}

bool mb_chain_slab_return(const struct mb_link_key *key, struct mb_chain_slab *slab, uintptr_t head) {
    const struct mb_chain_unit *unit = mb_chain_slab_unit(slab);
    uintptr_t end = mb_list_end(start_of(slab));
    for (uint32_t steps = 0; head != end; steps++) {
        if (!is_link_target(unit, head) || steps >= slab->capacity) return false;
        uintptr_t next = mb_link_next(key, (const struct mb_free_block *)head);
        mb_chain_slab_push(key, slab, (struct mb_free_block *)head);
        head = next;
    }
    return true;
}

// --- rebuilding -----------------------------------------------------------------------------------------------------

struct block_set {
    uint64_t bits[MB_SLAB_BLOCKS_MAX / 64];
};

static void gather(const struct mb_link_key *key, const struct mb_chain_slab *slab, uintptr_t head, struct block_set *set) {
    const struct mb_chain_unit *unit = mb_chain_slab_unit(slab);
    for (uint32_t steps = 0; steps < slab->carved && is_link_target(unit, head); steps++) {
        uint32_t index = (uint32_t)((head - start_of(slab)) / slab->block_bytes);
        set->bits[index / 64] |= UINT64_C(1) << (index % 64);
        head = mb_link_next(key, (const struct mb_free_block *)head);
    }
}

static void relist(const struct mb_link_key *key, struct mb_chain_slab *slab, const struct block_set *set) {
    MB_POKE(slab->bound, slab->carved * bound_step(slab));
    MB_POKE(slab->local, mb_link_encode(key, mb_list_end(start_of(slab))));
    mb_chain_slab_set_used(slab, slab->carved, slab->carved);
    for (uint32_t index = slab->carved; index > 0; index--) {
        if ((set->bits[(index - 1) / 64] >> ((index - 1) % 64) & 1) == 0) continue;
        mb_chain_slab_push(key, slab, (struct mb_free_block *)block_address(slab, index - 1));
    }
}

void mb_chain_slab_rebuild(const struct mb_link_key *key, struct mb_chain_slab *slab, uintptr_t head) {
    struct block_set set = {{0}};
    gather(key, slab, mb_link_decode(key, slab->local), &set);
    gather(key, slab, head, &set);
    relist(key, slab, &set);
}

void mb_chain_slab_rebuild_by_tags(const struct mb_link_key *key, struct mb_chain_slab *slab) {
    struct block_set set = {{0}};
    for (uint32_t index = 0; index < slab->carved; index++) {
        bool tagged = mb_tag_present(key, (const struct mb_free_block *)block_address(slab, index));
        set.bits[index / 64] |= (uint64_t)tagged << (index % 64);
    }
    relist(key, slab, &set);
}
