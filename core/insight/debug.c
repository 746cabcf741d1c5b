// Where a debugger finds what it needs, in a process or a core file, without the library's debug information:
// `mb_debug`, an exported constant (preload/mbmalloc-gdb.py reads it).
//
// What: addresses of the roots, and offsets of fields, in the order that the script knows. A later version appends.
#include <stddef.h>
#include <stdint.h>

#include "core/heap/heaps.h"
#include "core/profile/table.h"
#include "core/region/large_record.h"
#include "core/region/limit.h"
#include "core/region/purge.h"
#include "core/region/space.h"
#include "core/region/unit.h"
#include "platform/compiler.h"

enum { DEBUG_VERSION = 2 };

#define UNIT(field) offsetof(struct mb_unit, field)
#define HEAP(field) offsetof(struct mb_heap, field)
#define SAMPLE(field) offsetof(struct mb_sample_shared, field)
#define TABLE(field) offsetof(struct mb_profile_table_shared, field)

extern const struct mb_debug_record {
    char magic[8];
    uint32_t version, unit_shift;
    const void *space, *heaps;
    uint32_t unit_bytes, classes;
    uint32_t owner, carved, capacity, block_bytes, kind, class_index, large_flags, large_bytes, large_pieces;
    uint32_t bits, remote, home;
    uint32_t token, next_heap, blocks_served, large_served, masks;
    uint32_t large_kept, upper;
    uint32_t long_first_unit, long_units, long_in_part;
    const void *long_records;
    // From version 2 on: the heap profile's samples.
    const void *profile;
    uint32_t samples, probes, sample_record, sample_address, sample_asked, sample_stack;
    uint32_t frames_at, stacks_at, stack_count, stack_frames;
} mb_debug;

MB_EXPORT const struct mb_debug_record mb_debug = {
    .magic = "mbdebug",
    .version = DEBUG_VERSION,
    .unit_shift = MB_UNIT_SHIFT,
    .space = &mb_space,
    .heaps = &mb_heaps_root_shared,
    .unit_bytes = sizeof(struct mb_unit),
    .classes = MB_CLASSES,
    .owner = UNIT(slab.owner),
    .carved = UNIT(slab.carved),
    .capacity = UNIT(slab.capacity),
    .block_bytes = UNIT(slab.block_bytes),
    .kind = UNIT(slab.kind),
    .class_index = UNIT(slab.class_index),
    .large_flags = UNIT(slab.large_flags),
    .large_bytes = UNIT(slab.large_bytes),
    .large_pieces = UNIT(slab.large_pieces),
    .bits = UNIT(shared.bits),
    .remote = UNIT(shared.remote),
    .home = UNIT(shared.home),
    .token = HEAP(token),
    .next_heap = HEAP(shared.next_registered),
    .blocks_served = HEAP(shared.blocks_served),
    .large_served = HEAP(shared.large_served),
    .masks = HEAP(front.mask),
    .large_kept = MB_LARGE_KEPT,
    .upper = UNIT(upper),
    .long_first_unit = MB_LONG_FIRST_UNIT,
    .long_units = MB_LONG_UNITS,
    .long_in_part = MB_LONG_IN_PART,
    .long_records = &mb_long_records_shared,
    .profile = &mb_profile_root_shared,
    .samples = MB_SAMPLES,
    .probes = MB_PROBES,
    .sample_record = sizeof(struct mb_sample_shared),
    .sample_address = SAMPLE(address),
    .sample_asked = SAMPLE(bytes),
    .sample_stack = SAMPLE(stack),
    .frames_at = TABLE(frame),
    .stacks_at = TABLE(stack),
    .stack_count = offsetof(struct mb_profile_stack, frames),
    .stack_frames = offsetof(struct mb_profile_stack, frame),
};
