#include "core/front/sample.h"

#include "core/front/slow.h"
#include "core/heap/sampler.h"
#include "core/profile/profile.h"
#include "core/small/commons.h"

const char mb_sample_owner;

static void *take_apart(unsigned class_index) {
    struct mb_heap *samples = mb_commons_enter_samples();
    if (samples == NULL) return NULL;
    void *p = mb_heap_take_block(samples, class_index); // as long as any other: realloc must do what it does else
    if (p != NULL) atomic_store_explicit(&mb_unit_of(p)->shared.sampled, 1, memory_order_relaxed);
    mb_commons_leave(samples);
    return p;
}

MB_NOINLINE void *mb_sample_take(struct mb_heap *heap, unsigned class_index, size_t bytes) {
    if (heap->front.mask[class_index] != 0 || !mb_sampler_is_due(heap, class_index)) return NULL;
    void *p = take_apart(class_index);
    if (p == NULL)
        mb_sampling_note_lost();
    else
        mb_profile_add(p, bytes, mb_class_bytes(class_index));
    if (p != NULL && mb_perturb_byte() != 0) mb_perturb_handed_out(p, bytes);
    return p;
}

MB_NOINLINE void mb_sample_large(struct mb_heap *heap, void *p, size_t bytes) {
    struct mb_slab *large = mb_space_contains(p) ? mb_large_of_piece(mb_piece_of(p)) : NULL;
    uint64_t counted = large != NULL ? large->large_bytes : bytes;
    if (!mb_sampler_is_due_large(heap, counted)) return;
    if (large == NULL) return mb_sampling_note_lost(); // outside the window
    MB_POKE(large->owner, &mb_sample_owner);
    mb_profile_add(p, bytes, counted);
}

MB_COLD void mb_sample_freed(const struct mb_unit *unit, const void *p) {
    if (atomic_load_explicit(&unit->shared.sampled, memory_order_relaxed) != 0) mb_profile_remove(p);
}

static bool is_sampled(const void *p) {
    if (mb_sampling_session() == 0 || !mb_space_contains(p)) return false;
    const struct mb_unit *unit = mb_unit_of(p);
    if (mb_unit_kind(unit) == MB_UNIT_SLAB) return atomic_load_explicit(&unit->shared.sampled, memory_order_relaxed) != 0;
    return mb_sample_is_large(mb_large_of_piece(mb_piece_of(p)));
}

MB_COLD void mb_sample_resized(const void *p, size_t bytes) {
    if (is_sampled(p)) mb_profile_resize(p, bytes);
}

MB_COLD void mb_sample_asked(const void *p, size_t bytes) {
    if (is_sampled(p)) mb_profile_correct(p, bytes);
}
