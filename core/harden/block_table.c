#include "core/harden/block_table.h"

#include <string.h>

#include "core/base/check.h"
#include "core/harden/meta.h"
#include "platform/bits.h"

enum {
    FIRST_CAPACITY = 512,
    LAST_CAPACITY = 1 << 30,
    SIZES_LOOKED_AT = 8, // how many blocks of the right size are asked for their alignment
};

static size_t mapped_bytes(uint32_t capacity) {
    return capacity * (sizeof(struct mb_known_block) + MB_BLOCK_KEYS * sizeof(uint32_t));
}

// The head of the chain that a value of a key belongs to. Fibonacci hashing (Knuth, TAOCP 6.4).
static uint32_t *head_of(const struct mb_block_table *table, unsigned key, uint64_t value) {
    uint64_t hash = value * UINT64_C(0x9e3779b97f4a7c15) >> 32;
    return &table->heads[key * (size_t)table->capacity + (hash & (table->capacity - 1))];
}

static uint64_t value_of(const struct mb_known_block *block, unsigned key) {
    return key == MB_BLOCK_BY_ADDRESS ? block->at : block->bytes;
}

static void link(struct mb_block_table *table, uint32_t index) {
    struct mb_known_block *block = &table->blocks[index];
    for (unsigned key = 0; key < table->keys; key++) {
        uint32_t *head = head_of(table, key, value_of(block, key));
        block->prev[key] = 0;
        block->next[key] = *head;
        if (*head != 0) table->blocks[*head - 1].prev[key] = index + 1;
        *head = index + 1;
    }
}

// Lets the neighbours of the block at `index` (whose own links are in *block) point to `to` and `back` instead of to
// it.
static void relink(struct mb_block_table *table, const struct mb_known_block *block, bool out, uint32_t index) {
    for (unsigned key = 0; key < table->keys; key++) {
        uint32_t next = block->next[key], prev = block->prev[key];
        uint32_t forward = out ? next : index + 1, backward = out ? prev : index + 1;
        if (next != 0) table->blocks[next - 1].prev[key] = backward;
        if (prev != 0) table->blocks[prev - 1].next[key] = forward;
        else *head_of(table, key, value_of(block, key)) = forward;
    }
}

void mb_block_table_init(struct mb_block_table *table, bool by_size) {
    memset(table, 0, sizeof *table);
    table->keys = by_size ? MB_BLOCK_KEYS : 1;
}

static enum mb_error grow(struct mb_block_table *table) {
    struct mb_block_table bigger = *table;
    void *p;
    if (table->capacity == LAST_CAPACITY) return MB_FULL;
    bigger.capacity = table->capacity != 0 ? table->capacity * 2 : FIRST_CAPACITY;
    enum mb_error error = mb_meta_map(mapped_bytes(bigger.capacity), &p);
    if (error != MB_OK) return error;
    bigger.blocks = p;
    bigger.heads = (uint32_t *)(bigger.blocks + bigger.capacity);
    for (uint32_t i = 0; i < table->count; i++) {
        bigger.blocks[i] = table->blocks[i];
        link(&bigger, i);
    }
    mb_meta_unmap(table->blocks, mapped_bytes(table->capacity)); // refused: it stays mapped, and nothing else is lost
    table->blocks = bigger.blocks; // not the whole table: `keys` is read without the lock
    table->heads = bigger.heads;
    table->capacity = bigger.capacity;
    return MB_OK;
}

enum mb_error mb_block_table_reserve(struct mb_block_table *table, uint32_t more) {
    enum mb_error error = MB_OK;
    while (MB_UNLIKELY(more > table->capacity - table->count) && error == MB_OK) error = grow(table);
    return error;
}

void mb_block_table_add(struct mb_block_table *table, uintptr_t at, size_t bytes, size_t extra) {
    MB_ASSERT(table->count < table->capacity);
    struct mb_known_block *block = &table->blocks[table->count];
    block->at = at;
    block->bytes = bytes;
    block->extra = extra;
    link(table, table->count++);
    table->bytes += bytes;
}

uint32_t mb_block_table_find(const struct mb_block_table *table, uintptr_t at) {
    if (table->capacity == 0) return MB_BLOCK_NONE;
    uint32_t place = *head_of(table, MB_BLOCK_BY_ADDRESS, at);
    while (place != 0 && table->blocks[place - 1].at != at) place = table->blocks[place - 1].next[MB_BLOCK_BY_ADDRESS];
    return place - 1; // 0 becomes MB_BLOCK_NONE
}

uint32_t mb_block_table_find_size(const struct mb_block_table *table, size_t bytes, size_t align) {
    if (table->capacity == 0) return MB_BLOCK_NONE;
    uint32_t place = *head_of(table, MB_BLOCK_BY_SIZE, bytes);
    for (int looked = 0; place != 0 && looked < SIZES_LOOKED_AT; looked++) {
        const struct mb_known_block *block = &table->blocks[place - 1];
        if (block->bytes == bytes && mb_is_aligned(block->at, align)) return place - 1;
        place = block->next[MB_BLOCK_BY_SIZE];
    }
    return MB_BLOCK_NONE;
}

struct mb_known_block mb_block_table_take(struct mb_block_table *table, uint32_t index) {
    MB_ASSERT(index < table->count);
    struct mb_known_block taken = table->blocks[index];
    uint32_t last = --table->count;
    relink(table, &taken, true, index);
    if (index != last) {
        table->blocks[index] = table->blocks[last];
        relink(table, &table->blocks[index], false, index);
    }
    table->bytes -= taken.bytes;
    return taken;
}

void mb_block_table_clear(struct mb_block_table *table) {
    if (table->capacity != 0) memset(table->heads, 0, MB_BLOCK_KEYS * sizeof(uint32_t) * table->capacity);
    table->count = 0;
    table->bytes = 0;
}

enum mb_error mb_block_table_drop(struct mb_block_table *table) {
    enum mb_error error = mb_meta_unmap(table->blocks, mapped_bytes(table->capacity));
    if (error == MB_OK) mb_block_table_init(table, table->keys == MB_BLOCK_KEYS);
    return error;
}

bool mb_block_table_check(const struct mb_block_table *table) {
    size_t bytes = 0, found = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        bytes += table->blocks[i].bytes;
        found += mb_block_table_find(table, table->blocks[i].at) == i;
    }
    return table->count <= table->capacity && bytes == table->bytes && found == table->count;
}
