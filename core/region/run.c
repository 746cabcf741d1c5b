#include "core/region/run.h"

static uint64_t number(size_t units) { return mb_min(units, MB_RUN_NUMBER); }

static uint64_t pack(size_t start, size_t longest, size_t end) {
    return number(end) << MB_RUN_END_SHIFT | number(start) << MB_RUN_START_SHIFT | number(longest);
}

// Doubles the length while there is a run of it, then adds what is left in halves.
static size_t longest_in(uint64_t bits) {
    uint64_t starts[6]; // of runs of 1, 2, 4 ... 32
    unsigned order = 0;
    starts[0] = bits;
    while (order < 5) {
        uint64_t next = starts[order] & starts[order] >> (1u << order);
        if (next == 0) break;
        starts[++order] = next;
    }
    uint64_t best = starts[order];
    size_t longest = (size_t)1 << order;
    while (order-- > 0) {
        uint64_t longer = best & starts[order] >> longest;
        if (longer == 0) continue;
        best = longer;
        longest += (size_t)1 << order;
    }
    return longest;
}

uint64_t mb_run_of_bits(uint64_t bits) {
    if (bits == 0) return 0;
    if (~bits == 0) return MB_RUN_FULL;
    return pack(mb_ctz64(~bits), longest_in(bits), 63 - mb_log2(~bits));
}

uint64_t mb_run_join(const uint64_t parts[MB_RUN_PARTS], size_t part_units) {
    size_t start = 0, longest = 0, run = 0;
    bool all = true;
    for (unsigned i = 0; i < MB_RUN_PARTS; i++) {
        uint64_t part = parts[i];
        if ((part | run) == 0) { // most parts
            all = false;
            continue;
        }
        if (mb_run_is_full(part)) {
            run += part_units;
            continue;
        }
        run += mb_run_start(part, 0);
        if (all) start = run;
        all = false;
        if (run > longest) longest = run;
        if ((run = part) == 0) continue;
        if (mb_run_longest(part, 0) > longest) longest = mb_run_longest(part, 0);
        run = mb_run_end(part, 0);
    }
    return all ? MB_RUN_FULL : pack(start, mb_max(longest, run), run);
}
