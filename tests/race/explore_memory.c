// What: a model of weakly ordered memory. Each atomic keeps its last values. A load may return any value that its fiber
// does not know to be outdated, from its own reads and writes or from an acquire that read a release: relaxed, acquire
// and release of C11 as real machines implement them. A sequentially consistent load returns nothing older than the
// last sequentially consistent write. This covers loads that are executed early and stores that become visible late.
//
// Not covered: stores that become visible before an earlier load of the same thread (load buffering), values older than
// the last OLDER, more than OLD_READS old values in a run, spurious failures of compare-and-swap, fences, plain
// accesses (explore_script.c checks that these are ordered, block by block).
//
// Invariant: a view counts the older values that may still be read, so 0 knows the newest; each write increments all
// views of its place except the writer's.
#include <string.h>

#include "tests/race/explore.h"

bool weak;
const struct weakened *weakened;

static const volatile void *addresses[PLACES]; // met in this scenario, in any run: a place has one number for all of its states
static size_t places;
static unsigned picked;

void memory_forget(void) { places = 0; }
void memory_pick(unsigned pick) { picked = pick; }

static bool acquires(int order) { return order != memory_order_relaxed && order != memory_order_release; }
static bool releases(int order) { return order >= memory_order_release; }
static uint8_t least(uint8_t a, uint8_t b) { return a < b ? a : b; }

int weaker(const volatile void *address, enum explore_kind kind, int order) {
    if (weakened == NULL || kind != weakened->kind || order < weakened->to) return order;
    return strcmp(place_name(address), weakened->place) == 0 ? weakened->to : order;
}

static size_t known_place(const volatile void *address) {
    for (size_t i = 0; i < places; i++)
        if (addresses[i] == address) return i;
    return PLACES;
}

static size_t place_of(const volatile void *address) {
    size_t at = known_place(address);
    if (at != PLACES) return at;
    if (places == PLACES) fail("more than %d atomics", PLACES);
    addresses[places] = address;
    return places++;
}

// --- before an access ------------------------------------------------------------------------------------------------

// A plain write: all threads see it.
static void meet_value(struct place *place, uint64_t value) {
    if (place->met && place->message[0].value == value) return;
    place->met = true;
    place->message[0].value = value;
    place->older = 0;
}

unsigned memory_picks(unsigned fiber, const struct explore_access *access) {
    if (!weak || world.old_reads == 0 || access->kind == EXPLORE_STORE) return 1;
    if (access->kind == EXPLORE_EXCHANGE && access->expected == NULL) return 1;
    size_t at = known_place(access->address);
    if (at == PLACES) return 1;
    const struct place *place = &world.place[at];
    if (!place->met || place->message[0].value != value_at(access->address, access->bytes)) return 1;
    uint8_t older = least(place->older, world.view[fiber][at]);
    if (access->order == memory_order_seq_cst && access->kind == EXPLORE_LOAD) older = least(older, place->in_order);
    unsigned picks = 1;
    for (unsigned pick = 1; pick <= older; pick++) {
        bool fails = access->expected == NULL || value_at(access->expected, access->bytes) != place->message[pick].value;
        if (fails) picks |= 1u << pick;
    }
    return picks;
}

bool memory_meet(const struct explore_access *access) {
    size_t at = access->kind == EXPLORE_LOAD ? known_place(access->address) : place_of(access->address);
    if (at != PLACES) meet_value(&world.place[at], value_at(access->address, access->bytes));
    if (picked > 0) world.old_reads--;
    return picked > 0;
}

// --- and after it ----------------------------------------------------------------------------------------------------

static void learn(const struct message *message) {
    world.knows[current] |= message->carries;
    for (size_t i = 0; i < PLACES; i++) world.view[current][i] = least(world.view[current][i], message->view[i]);
}

void memory_read(const volatile void *address, void *value, size_t bytes, int order) {
    size_t at = known_place(address);
    if (at == PLACES) return; // nobody has written it
    const struct message *message = &world.place[at].message[picked];
    if (picked > 0) memcpy(value, &message->value, bytes);
    world.view[current][at] = least(world.view[current][at], (uint8_t)picked);
    picked = 0;
    if (acquires(weaker(address, EXPLORE_LOAD, order))) learn(message);
}

static void age(uint8_t *view) { *view = least((uint8_t)(*view + 1), OLDER); }

static void age_place(size_t at) {
    if (!weak) return;
    for (unsigned i = 0; i < FIBERS; i++) age(&world.view[i][at]);
    for (size_t i = 0; i < PLACES; i++)
        for (unsigned m = 0; m < PICKS; m++) age(&world.place[i].message[m].view[at]);
    age(&world.place[at].in_order);
}

// What a thread learns that acquires this write.
static struct message message_of(size_t at, uint64_t value, bool tells) {
    struct message message = {.value = value, .carries = tells ? world.knows[current] : 0};
    memset(message.view, weak ? OLDER : 0, sizeof message.view);
    if (tells) memcpy(message.view, world.view[current], sizeof message.view);
    message.view[at] = 0;
    return message;
}

// An exchange also passes on what the write before it released (a release sequence).
static void join(struct message *message, const struct message *before) {
    message->carries |= before->carries;
    for (size_t i = 0; i < PLACES; i++) message->view[i] = least(message->view[i], before->view[i]);
}

void memory_written(const volatile void *address, size_t bytes, enum explore_kind kind, int order) {
    size_t at = place_of(address);
    struct place *place = &world.place[at];
    order = weaker(address, kind, order);
    if (kind == EXPLORE_EXCHANGE && acquires(order)) learn(&place->message[0]);
    age_place(at);
    world.view[current][at] = 0;
    struct message message = message_of(at, value_at(address, bytes), releases(order));
    if (kind == EXPLORE_EXCHANGE) join(&message, &place->message[0]);
    memmove(&place->message[1], &place->message[0], OLDER * sizeof place->message[0]);
    place->message[0] = message;
    place->met = true;
    if (weak) place->older = least((uint8_t)(place->older + 1), OLDER);
    if (order == memory_order_seq_cst) place->in_order = 0;
}

bool memory_use(uint32_t bits) {
    if (current == NOBODY) return true;
    bool ordered = (world.knows[current] & bits) == bits;
    for (unsigned i = 0; i < FIBERS; i++) world.knows[i] &= ~bits;
    for (size_t i = 0; i < places; i++)
        for (unsigned m = 0; m < PICKS; m++) world.place[i].message[m].carries &= ~bits;
    world.knows[current] |= bits;
    return ordered;
}

void world_begin(void) {
    memset(&world, 0, sizeof world);
    world.old_reads = OLD_READS;
    for (unsigned i = 0; i < FIBERS; i++) world.knows[i] = UINT32_MAX;
}

// --- the state as a number -------------------------------------------------------------------------------------------

static uint64_t mix(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * UINT64_C(0x9fb21c651e98df25);
    return hash ^ hash >> 29;
}

static uint64_t message_hash(uint64_t hash, const struct message *message) {
    uint64_t word;
    hash = mix(hash, message->carries);
    for (size_t i = 0; weak && i < PLACES; i += sizeof word) {
        memcpy(&word, &message->view[i], sizeof word);
        hash = mix(hash, word);
    }
    return hash;
}

// The newest value is in memory, which has a number of its own.
uint64_t memory_hash(void) {
    uint64_t sum = 0;
    for (size_t i = 0; i < places; i++) {
        const struct place *place = &world.place[i];
        if (!place->met) continue;
        uint64_t hash = message_hash(mix(i, place->older), &place->message[0]);
        for (unsigned m = 1; m <= place->older; m++) hash = message_hash(mix(hash, place->message[m].value), &place->message[m]);
        sum += mix(hash, weak ? place->in_order : 0) -
               mix(message_hash(mix(i, 0), &(struct message){0}), 0); // 0 for a place that nobody has written
    }
    return sum;
}
