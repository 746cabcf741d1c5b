#include "core/family/zone.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/check.h"
#include "core/base/lock.h"
#include "core/layout/size_classed.h"
#include "core/region/region.h"
#include "platform/bits.h"
#include "platform/libc.h"

// Lies in a mapping of its own, `home`.
struct mb_zone {
    struct mb_region home;
    struct mb_lock_shared lock; // guards all below
    struct mb_size_classed classed;
    struct mb_zone_statistics told;
    bool busy;            // somebody is inside
    bool broken;          // somebody was, who stayed behind in the parent
    struct mb_zone *next; // on the list of all zones, under its lock
};

static struct {
    struct mb_lock_shared lock; // guards the list
    struct mb_zone *first;
    bool at_fork; // the handler is registered
} zones_shared = {.lock = {.rank = MB_RANK_LAYER}};

// --- using one -------------------------------------------------------------------------------------------------------

static bool enter(struct mb_zone *zone) {
    mb_lock(&zone->lock);
    if (MB_UNLIKELY(zone->broken)) {
        mb_unlock(&zone->lock);
        return false;
    }
    zone->busy = true;
    return true;
}

static void leave(struct mb_zone *zone) {
    mb_size_classed_hand_over(&zone->classed);
    zone->busy = false;
    mb_unlock(&zone->lock);
}

// After a fork, in the child, alone.
static void recover(void) {
    mb_lock_reset(&zones_shared.lock);
    for (struct mb_zone *zone = zones_shared.first; zone != NULL; zone = zone->next) {
        zone->broken |= zone->busy;
        zone->busy = false;
        mb_lock_reset(&zone->lock);
    }
}

// --- making and giving up --------------------------------------------------------------------------------------------

static void enlist(struct mb_zone *zone) {
    mb_lock(&zones_shared.lock);
    if (!zones_shared.at_fork) zones_shared.at_fork = mb_libc_at_fork(recover);
    zone->next = zones_shared.first;
    zones_shared.first = zone;
    mb_unlock(&zones_shared.lock);
}

static void strike(const struct mb_zone *zone) {
    mb_lock(&zones_shared.lock);
    struct mb_zone **link = &zones_shared.first;
    while (*link != NULL && *link != zone) link = &(*link)->next;
    if (*link != NULL) *link = zone->next;
    mb_unlock(&zones_shared.lock);
}

static void set_name(char out[sizeof(((struct mb_zone_statistics *)0)->name)], const char *name) {
    size_t length = name != NULL ? strnlen(name, sizeof(((struct mb_zone_statistics *)0)->name) - 1) : 0;
    memcpy(out, name != NULL ? name : "", length);
    out[length] = '\0';
}

struct mb_zone *mb_zone_create(const char *name, size_t max_bytes) {
    struct mb_region home;
    if (mb_region_new(&home, sizeof(struct mb_zone)) != MB_OK) {
        errno = ENOMEM;
        return NULL;
    }
    struct mb_zone *zone = mb_region_base(&home);
    enum mb_error error = mb_size_classed_new(&zone->classed, max_bytes);
    if (error != MB_OK) {
        mb_region_drop(&home);
        errno = error == MB_REFUSED ? ENOMEM : EINVAL;
        return NULL;
    }
    zone->home = home;
    zone->lock.rank = MB_RANK_MEMBER;
    zone->told.limit_bytes = max_bytes;
    set_name(zone->told.name, name);
    mb_size_classed_hand_over(&zone->classed);
    enlist(zone);
    return zone;
}

void mb_zone_destroy(struct mb_zone *zone) {
    if (zone == NULL) return;
    strike(zone);
    mb_size_classed_drop(&zone->classed);
    struct mb_region home = zone->home;
    mb_region_drop(&home);
}

// --- blocks ----------------------------------------------------------------------------------------------------------

static void note(struct mb_zone *zone, const void *p) {
    if (p == NULL) {
        zone->told.failures++;
        return;
    }
    zone->told.allocations++;
    zone->told.live_blocks++;
    zone->told.live_bytes += mb_size_classed_usable_size(&zone->classed, p);
}

static void note_gone(struct mb_zone *zone, const void *p) {
    zone->told.frees++;
    zone->told.live_blocks--;
    zone->told.live_bytes -= mb_size_classed_usable_size(&zone->classed, p);
}

void *mb_zone_aligned_alloc(struct mb_zone *zone, size_t align, size_t bytes) {
    if (!mb_is_pow2(align)) {
        errno = EINVAL;
        return NULL;
    }
    void *p = NULL;
    if (bytes <= PTRDIFF_MAX && enter(zone)) {
        p = mb_size_classed_allocate(&zone->classed, mb_max(bytes, 1), align);
        note(zone, p);
        leave(zone);
    }
    if (p == NULL) errno = ENOMEM;
    return p;
}

void *mb_zone_malloc(struct mb_zone *zone, size_t bytes) { return mb_zone_aligned_alloc(zone, MB_GRANULE, bytes); }

void *mb_zone_calloc(struct mb_zone *zone, size_t count, size_t bytes) {
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total)) total = SIZE_MAX;
    void *p = mb_zone_malloc(zone, total);
    if (p != NULL) memset(p, 0, total);
    return p;
}

void mb_zone_free(struct mb_zone *zone, void *p) {
    if (p == NULL || !enter(zone)) return;
    if (mb_size_classed_usable_size(&zone->classed, p) != 0) note_gone(zone, p);
    mb_size_classed_deallocate(&zone->classed, p); // ends the process if it is no live block
    leave(zone);
}

size_t mb_zone_usable_size(struct mb_zone *zone, const void *p) {
    if (p == NULL || !enter(zone)) return 0;
    size_t bytes = mb_size_classed_usable_size(&zone->classed, p);
    leave(zone);
    return bytes;
}

void *mb_zone_realloc(struct mb_zone *zone, void *p, size_t bytes) {
    if (p == NULL) return mb_zone_malloc(zone, bytes);
    if (bytes == 0) {
        mb_zone_free(zone, p);
        return NULL;
    }
    size_t old = mb_zone_usable_size(zone, p);
    MB_REQUIRE(old != 0 || zone->broken, "invalid realloc in a zone", p);
    if (bytes <= old && bytes > old / 2) return p;
    void *fresh = mb_zone_malloc(zone, bytes);
    if (fresh == NULL) return NULL;
    memcpy(fresh, p, mb_min(old, bytes));
    mb_zone_free(zone, p);
    return fresh;
}

// --- asking ----------------------------------------------------------------------------------------------------------

int mb_zone_statistics_get(struct mb_zone *zone, struct mb_zone_statistics *out) {
    size_t size = out->size;
    if (size < sizeof size || !enter(zone)) return 0;
    struct mb_zone_statistics told = zone->told;
    leave(zone);
    memset(out, 0, size);
    memcpy(out, &told, mb_min(size, sizeof told));
    out->size = size;
    return 1;
}

size_t mb_zone_trim(struct mb_zone *zone) {
    if (!enter(zone)) return 0;
    size_t bytes = mb_size_classed_trim(&zone->classed);
    leave(zone);
    return bytes;
}
