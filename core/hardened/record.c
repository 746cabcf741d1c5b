#include "core/hardened/record.h"

#include <string.h>

#include "core/base/lock.h"
#include "core/hardened/slab.h"
#include "core/region/arena.h"

static struct {
    struct mb_lock_shared lock;
    void *of_class[MB_HARD_CLASSES]; // linked through the first word; under the lock
} records_shared = {.lock = {.rank = MB_RANK_WAITING}};

void *mb_hard_record_take(unsigned class_index) {
    mb_lock(&records_shared.lock);
    void **record = records_shared.of_class[class_index];
    if (record != NULL) records_shared.of_class[class_index] = *record;
    mb_unlock(&records_shared.lock);
    return record != NULL ? record : mb_arena_metadata(mb_hard_record_bytes(class_index), sizeof(uint64_t));
}

void mb_hard_record_give(unsigned class_index, void *record) {
    mb_lock(&records_shared.lock);
    *(void **)record = records_shared.of_class[class_index];
    records_shared.of_class[class_index] = record;
    mb_unlock(&records_shared.lock);
}

void mb_hard_records_recover(void) {
    mb_lock_reset(&records_shared.lock);
    memset(records_shared.of_class, 0, sizeof records_shared.of_class);
}
