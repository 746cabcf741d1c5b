// What: the slots of guarded samples under the explorer. Fibers take slots, hand them out, free them, free one twice,
// and examine one as the handler for memory faults does.
//
// Checks at each step: no slot has two owners, each use of a slot is ordered after the previous one, of several frees
// of one block exactly one succeeds. At the end of each run: every slot without an owner is free.
#include "tests/race/explore.h"

#include <string.h>

#include "core/guarded/slot.h"

// Scripts, a character an operation:
//   t    take a free slot and hand it out     g    free the newest own block
//   0 1  free the block in that slot, whoever has it, if it lives (a second free, when somebody else frees it, too)
//   l    look at both slots
const struct scenario scenarios[] = {
    {"two take", "", {"t", "t"}, 64, ""},
    {"three take two", "", {"t", "t", "t"}, 64, ""},
    {"take and give in turn", "", {"tgtg", "tgtg"}, 64, ""},
    {"three in turn", "", {"tg", "tg", "tg"}, 64, ""},
    {"one is freed twice", "t", {"0", "0"}, 64, ""},
    {"one is freed three times", "t", {"0", "0", "0"}, 64, ""},
    {"freed twice while others take", "tt", {"0t", "0", "tg"}, 64, ""},
    {"freed twice and taken again", "t", {"0t", "0t"}, 64, ""},
    {"looked at while it is freed and taken", "t", {"0", "tg", "l"}, 64, ""},
    {"both freed by another", "tt", {"01", "t", "t"}, 64, ""},
    {NULL, NULL, {NULL}, 0, NULL},
};

enum { SLOTS = 2 };

static struct { struct mb_guarded_word_shared words[SLOTS]; } ground_shared;

// --- who has what: world.live says for each slot whether somebody may write it, world.own who has which blocks -------

enum { NOBODYS, SOMEBODYS, ALIVE };

// Only the owner of the slot writes to its page and its record.
static void enter(size_t slot, uint8_t was) {
    if (world.live[slot] != was) fail("slot %zu in two hands", slot);
    world.live[slot] = SOMEBODYS;
    if (!memory_use(1u << slot)) fail("slot %zu: not ordered after its last use", slot);
}

static void take(unsigned index) {
    for (size_t slot = 0; slot < SLOTS; slot++) {
        if (mb_guarded_state(&ground_shared.words[slot]) != MB_GUARDED_FREE || !mb_guarded_take(&ground_shared.words[slot])) continue;
        enter(slot, NOBODYS);
        world.live[slot] = ALIVE;
        world.own[index][world.owned[index]++] = (unsigned char *)(slot + 1);
        mb_guarded_hand_out(&ground_shared.words[slot]);
        return;
    }
}

static void give(size_t slot) {
    if (!mb_guarded_claim(&ground_shared.words[slot])) return; // a second free, which is reported
    enter(slot, ALIVE);
    world.live[slot] = NOBODYS;
    mb_guarded_give(&ground_shared.words[slot]);
}

void script_operation(unsigned index, char operation) {
    switch (operation) {
    case 't': take(index); break;
    case 'g':
        if (world.owned[index] > 0) give((size_t)(uintptr_t)world.own[index][--world.owned[index]] - 1);
        break;
    case '0':
    case '1': give((size_t)(operation - '0')); break;
    case 'l':
        for (size_t slot = 0; slot < SLOTS; slot++) mb_guarded_state(&ground_shared.words[slot]);
        break;
    default: fail("no operation %c", operation);
    }
}

void script_set_up(void) {
    world_begin();
    memset(&ground_shared, 0, sizeof ground_shared);
    for (const char *at = scenario->setup; *at != '\0'; at++) script_operation(0, *at);
}

bool script_is_constant(const volatile void *p) {
    (void)p;
    return false;
}

const char *place_name(const volatile void *p) { return within(p, &ground_shared, sizeof ground_shared) ? "slot" : "elsewhere"; }

const struct weakened weakenings[] = {
    {"slot", EXPLORE_EXCHANGE, memory_order_relaxed, "take and give in turn"},
    {"slot", EXPLORE_STORE, memory_order_relaxed, "take and give in turn"},
    {NULL, EXPLORE_LOAD, 0, NULL},
};

// --- the end of a run ------------------------------------------------------------------------------------------------

void script_check_end(void) {
    for (size_t slot = 0; slot < SLOTS; slot++) {
        enum mb_guarded_state state = mb_guarded_state(&ground_shared.words[slot]);
        if (state != (world.live[slot] == ALIVE ? MB_GUARDED_LIVE : MB_GUARDED_FREE)) fail("slot %zu is lost", slot);
    }
}
