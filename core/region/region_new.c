// What: how a region comes to be: wishes checked, a place found, each wish tried and noted.
// Who: the thread that becomes the owner; probes: any thread.
// Invariant: what fails has returned everything to the system.
#include <errno.h>
#include <string.h>

#include "core/base/config.h"
#include "core/region/region.h"
#include "platform/os.h"

enum { ANY_HUGE = MB_REGION_HUGE_PAGES | MB_REGION_HUGETLB };

// --- the config -----------------------------------------------------------------------------------------------------

// A caller's struct may be shorter than ours (an older one) or longer (then what we do not know must be zero).
static bool read_config(const struct mb_region_config *given, struct mb_region_config *out) {
    size_t known = sizeof *out, least = offsetof(struct mb_region_config, nodes);
    if (given->size < least) return false;
    memset(out, 0, known);
    memcpy(out, given, mb_min(given->size, known));
    for (size_t i = known; i < given->size; i++) {
        if (((const char *)given)[i] != 0) return false;
    }
    return true;
}

static bool names_a_node(const struct mb_region_config *config) {
    uint64_t any = 0;
    for (size_t i = 0; config->nodes != NULL && i < config->node_words; i++) any |= config->nodes[i];
    return any != 0;
}

static bool config_is_valid(const struct mb_region_config *config) {
    uint32_t wanted = config->prefer | config->require;
    if ((wanted & ~(uint32_t)MB_REGION_FLAGS) != 0) return false;
    return (wanted & MB_REGION_NUMA) == 0 || names_a_node(config);
}

// --- a place --------------------------------------------------------------------------------------------------------

struct place {
    uintptr_t base;
    size_t capacity;
    size_t guard; // bytes behind the capacity, part of the mapping
};

static void trim(uintptr_t from, uintptr_t to) {
    if (from < to) mb_os_unmap((void *)from, to - from);
}

static int reserve_aligned(size_t bytes, size_t align, uintptr_t *base) {
    size_t page = mb_os_page_size(), slack = align - page;
    void *p;
    int error = mb_os_reserve(NULL, bytes + slack, &p);
    if (error != 0) return error;
    *base = mb_align_up((uintptr_t)p, align);
    trim((uintptr_t)p, *base);
    trim(*base + bytes, (uintptr_t)p + bytes + slack);
    return 0;
}

// Set-aside pages take the place of a reservation. Another thread's mapping may come in between: then they are not to
// be had this time, and only the guard is still ours.
static int put_hugetlb(const struct place *place) {
    void *p = (void *)place->base;
    int error = mb_os_unmap(p, place->capacity);
    if (error != 0) {
        mb_os_unmap(p, place->capacity + place->guard);
        return error;
    }
    error = mb_os_reserve_hugetlb(p, place->capacity, &p);
    if (error != 0) trim(place->base + place->capacity, place->base + place->capacity + place->guard);
    return error;
}

// The capacity as a multiple of `unit` (a page or a huge page), and the guard. False when it is beyond all address
// space.
static bool measure(size_t bytes, size_t unit, uint32_t wanted, struct place *out) {
    out->guard = (wanted & MB_REGION_GUARD_AT_END) != 0 ? mb_os_page_size() : 0;
    return mb_align_up_checked(bytes, unit, &out->capacity) && out->capacity <= PTRDIFF_MAX - unit - out->guard;
}

static void settle(struct mb_region *region, const struct place *place, size_t unit) {
    mb_bump_init(&region->bump, (void *)place->base, place->capacity);
    mb_lazy_init(&region->lazy, place->base, place->capacity, place->capacity);
    region->mapped = place->capacity + place->guard;
    region->commit_step = unit > mb_os_page_size() ? mb_max(unit, MB_COMMIT_STEP_MAX) : mb_os_page_size();
    region->release_step = mb_os_page_size();
}

// One attempt, by kind: 0 (plain pages), MB_REGION_HUGE_PAGES or MB_REGION_HUGETLB.
static enum mb_error map_kind(struct mb_region *region, size_t bytes, uint32_t wanted, uint32_t kind) {
    size_t unit = kind != 0 ? mb_os_huge_page_size() : mb_os_page_size();
    struct place place;
    if (!measure(bytes, unit, wanted, &place)) return MB_BAD_SIZE;
    int error = reserve_aligned(place.capacity + place.guard, unit, &place.base);
    if (error == 0 && kind == MB_REGION_HUGETLB) error = put_hugetlb(&place);
    if (error != 0) {
        region->os_error = error;
        return MB_REFUSED;
    }
    settle(region, &place, unit);
    if (kind == MB_REGION_HUGETLB) {
        region->release_step = unit;
        region->honoured |= MB_REGION_HUGETLB;
    }
    return MB_OK;
}

// The best kind first. Each further attempt is made only because the one before was refused.
static enum mb_error map(struct mb_region *region, size_t bytes, uint32_t wanted) {
    enum mb_error error = MB_REFUSED;
    if ((wanted & MB_REGION_HUGETLB) != 0) error = map_kind(region, bytes, wanted, MB_REGION_HUGETLB);
    if (error == MB_REFUSED && (wanted & ANY_HUGE) != 0 && mb_os_huge_pages_enabled())
        error = map_kind(region, bytes, wanted, MB_REGION_HUGE_PAGES);
    if (error == MB_REFUSED) error = map_kind(region, bytes, wanted, 0);
    return error;
}

// --- the wishes -----------------------------------------------------------------------------------------------------

// The reason that counts is that of a requirement, else the first.
static void note(struct mb_region *region, enum mb_region_flag flag, int error) {
    if (error == 0) region->honoured |= flag;
    else if ((region->require & flag) != 0 || region->os_error == 0) region->os_error = error;
}

static void ask_for_huge_pages(struct mb_region *region) {
    bool enabled = region->commit_step > mb_os_page_size(); // the place was chosen for them
    int error = -EOPNOTSUPP;
    if ((region->honoured & MB_REGION_HUGETLB) != 0) error = 0; // better ones are there
    else if (enabled) error = mb_os_advise_huge(mb_region_base(region), mb_region_capacity(region), true);
    note(region, MB_REGION_HUGE_PAGES, error);
}

static void bind(struct mb_region *region, const struct mb_region_config *config) {
    void *base = mb_region_base(region);
    size_t capacity = mb_region_capacity(region);
    note(region, MB_REGION_NUMA, mb_os_bind_nodes(base, capacity, config->nodes, config->node_words));
}

static void fulfil(struct mb_region *region, const struct mb_region_config *config, uint32_t wanted) {
    region->honoured |= wanted & (MB_REGION_LAZY | MB_REGION_POPULATE | MB_REGION_GUARD_AT_END);
    if ((wanted & ANY_HUGE) != 0) ask_for_huge_pages(region);
    if ((wanted & MB_REGION_NUMA) != 0) bind(region, config);
}

// Ends a failed start: only the error, its reason and what was honoured remain.
static enum mb_error give_up(struct mb_region *region, enum mb_error error) {
    uint32_t honoured = region->honoured;
    int os_error = region->os_error;
    if (region->mapped != 0) mb_os_unmap(mb_region_base(region), region->mapped);
    memset(region, 0, sizeof *region);
    region->error = error;
    region->os_error = os_error;
    region->honoured = honoured;
    return error;
}

enum mb_error mb_region_new_with(struct mb_region *region, const struct mb_region_config *given) {
    struct mb_region_config config;
    memset(region, 0, sizeof *region);
    if (!read_config(given, &config) || !config_is_valid(&config)) return give_up(region, MB_BAD_CONFIG);
    if (config.bytes == 0) return give_up(region, MB_BAD_SIZE);
    uint32_t wanted = config.prefer | config.require;
    region->require = config.require;
    enum mb_error error = map(region, config.bytes, wanted);
    if (error != MB_OK) return give_up(region, error);
    fulfil(region, &config, wanted);
    if ((config.require & ~region->honoured) != 0) return give_up(region, MB_UNSUPPORTED);
    if ((wanted & MB_REGION_LAZY) == 0) error = mb_region_commit(region, 0, mb_region_capacity(region));
    return error == MB_OK ? MB_OK : give_up(region, error);
}

// --- ready-made -----------------------------------------------------------------------------------------------------

static enum mb_error new_preferring(struct mb_region *region, size_t bytes, uint32_t flags) {
    struct mb_region_config config = MB_REGION_CONFIG(bytes);
    config.prefer = flags;
    return mb_region_new_with(region, &config);
}

enum mb_error mb_region_new(struct mb_region *region, size_t bytes) { return new_preferring(region, bytes, 0); }

enum mb_error mb_region_new_lazy(struct mb_region *region, size_t bytes) {
    return new_preferring(region, bytes, MB_REGION_LAZY);
}

enum mb_error mb_region_new_huge(struct mb_region *region, size_t bytes) {
    return new_preferring(region, bytes, MB_REGION_LAZY | MB_REGION_HUGE_PAGES);
}

// --- probes ---------------------------------------------------------------------------------------------------------

static uint32_t probe(enum mb_region_flag flag, const uint64_t *nodes) {
    struct mb_region region;
    struct mb_region_config config = MB_REGION_CONFIG(1);
    config.require = flag;
    config.prefer = MB_REGION_LAZY;
    config.nodes = nodes;
    config.node_words = 1;
    if (mb_region_new_with(&region, &config) != MB_OK) return 0;
    mb_region_drop(&region);
    return flag;
}

// One node that we may use is enough: which it is depends on the machine and on the process's cpuset.
static uint32_t probe_numa(void) {
    uint32_t found = 0;
    for (unsigned n = 0; n < 64 && found == 0; n++) {
        uint64_t node = UINT64_C(1) << n;
        found = probe(MB_REGION_NUMA, &node);
    }
    return found;
}

uint32_t mb_region_supported(uint32_t flags) {
    uint32_t supported = 0;
    for (uint32_t flag = 1; flag <= MB_REGION_GUARD_AT_END; flag <<= 1) {
        if ((flags & flag) == 0) continue;
        supported |= flag == MB_REGION_NUMA ? probe_numa() : probe((enum mb_region_flag)flag, NULL);
    }
    return supported;
}
