// What: scenarios in which the owners of slabs and other threads use them (explore_ground.c, explore_blocks.c).
#include "tests/race/explore.h"

const struct scenario scenarios[] = {
    {"full slab, two free", "MMM", {"", "0", "1"}, 64, "12"},
    {"full slab, three free", "mmmmm", {"0", "1", "2"}, 64, "12"},
    {"full slab, all free", "mmmmm", {"03", "1", "2"}, 64, "2"},
    {"home and remote, trim", "MMM", {"0", "1", "t"}, 64, ""},
    {"owner pops, others push", "MM", {"MM", "0", "1"}, 64, ""},
    {"owner frees and pops", "MM", {"0M", "1", "M"}, 64, ""},
    {"owner pops twice", "mmmm", {"mm", "01", "2"}, 64, "1"},
    {"current, trim", "MM", {"M0", "1", "t"}, 64, "1"},
    {"queued, trim", "MMMM", {"0M", "1", "t"}, 64, "1"},
    {"queued, claimed, class changes", "MMMM", {"0", "1", "mf"}, 64, ""},
    {"exchanged, others free", "MMMM", {"0M", "2", "3"}, 64, "12"},
    {"exchanged, freed and trim", "MMMM", {"0M", "2", "t"}, 64, "1"},
    {"exchanged, both freed", "MMMM", {"0M", "12", "3"}, 64, "2"},
    {"exchanged, adopted", "MMMM", {"0M", "2M", "3"}, 64, ""},
    {"exchanged, idle pages", "mmmmmmmm01", {"m", "4", "u"}, 32, "1"},
    {"leaving, class changes", "MM", {"M", "01", "S"}, 64, "1"},
    {"exit, others free", "MM", {"x", "0", "1"}, 64, "12"},
    {"exit, class changes", "MM", {"x", "01", "S"}, 64, "1"},
    {"exit and adoption", "mmm", {"x", "0m", "1"}, 64, ""},
    {"exit and two adoptions", "mm", {"x", "m", "m"}, 64, ""},
    {"two exits", "MMM", {"x", "0x", "1M"}, 64, ""},
    {"frees, exits, adopted", "mm", {"0x", "1", "mm"}, 64, "1"},
    {"pooled, two take", "mmmmm", {"0", "m", "m"}, 64, "0"},
    {"pooled, taken, completed", "MMM", {"2", "0M", "1"}, 64, ""},
    {"home frees, other adopts", "mmmmm", {"01", "2", "m"}, 64, ""},
    {"home frees after adoption", "mmmmm01", {"23", "mm", "t"}, 64, ""},
    {"producer, consumer", "", {"MpMpM", "gg", "t"}, 64, "1"},
    {"both ways", "", {"MpM", "Mpgg"}, 64, ""},
    {"carving in steps", "m", {"mm", "0", "t"}, 32, "1"},
    {"carving, left, adopted", "mmm", {"mx", "0", "1m"}, 32, ""},
    {"idle pages, owner takes", "mmmmm0", {"mm", "1", "u"}, 32, "2"},
    {"idle pages, others free", "mmmmm", {"0", "12", "u"}, 32, ""},
    {"idle pages, adopted", "mmmm", {"x", "0m", "u"}, 32, ""},
    {"idle pages, exit", "mmmmm01", {"x", "2", "u"}, 32, ""},
    {"idle pages, two look", "mmmmm01", {"m", "u", "ut"}, 32, "1"},
    {"short of memory", "MMMMM", {"MM", "01"}, 64, "1"},
    {"short of memory, two ask", "MMMMM", {"M", "0", "M"}, 64, "1"},
    {NULL, NULL, {NULL}, 0, NULL},
};

// Who lets a slab go waits a moment while another looks at its pages (core/small/own.c).
void explore_wait(_Atomic uint32_t *word, uint32_t seen, uint64_t ns);
void explore_wait(_Atomic uint32_t *word, uint32_t seen, uint64_t ns) { (void)word, (void)seen, (void)ns; }

bool blocks_operation(unsigned index, char operation) {
    (void)index, (void)operation;
    return false;
}
void blocks_set_up(void) {}
void blocks_check_end(void) {}
const char *blocks_place_name(const volatile void *p) {
    (void)p;
    return "elsewhere";
}

const struct weakened weakenings[] = {
    {"remote bits", EXPLORE_EXCHANGE, memory_order_relaxed, "queued, claimed, class changes"},
    {"remote bits", EXPLORE_LOAD, memory_order_relaxed, "short of memory"},
    {"state", EXPLORE_EXCHANGE, memory_order_acq_rel, "owner pops, others push"},
    {"state", EXPLORE_EXCHANGE, memory_order_relaxed, "owner pops, others push"},
    {"state", EXPLORE_LOAD, memory_order_acquire, "owner pops, others push"},
    {"state", EXPLORE_LOAD, memory_order_relaxed, "owner pops, others push"},
    {NULL, EXPLORE_LOAD, 0, NULL},
};
