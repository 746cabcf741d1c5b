// The wrapping layers around one allocator, put together by one function in one order.
//
//   caller
//     | statistics, watermark   see what the caller sees, injected failures included
//     | fault                   says no before anything below has changed
//     | guard                   has the user's exact size, for an overflow by one byte to fault
//     | canary                  for blocks without a guard; looked at before a block waits anywhere
//     | quarantine              delays reuse; gives up its blocks when what is below has nothing left
//     | poison                  looks at each block as it is used again, so it is next to the base
//   base                        coloured, bound to nodes, on huge pages: done once, nothing per operation
//
// What: each layer is optional. One that could not act over the base, or beside another (canary, colour, huge pages
// where every block is guarded), is MB_BAD_CONFIG, never inert. The family owns the base; a refused compose has dropped
// nothing.
// Who: as the base; the functions here, unless they say otherwise, with no other call under way (in a forked child,
// too).
#ifndef MB_CORE_FAMILY_FAMILY_H
#define MB_CORE_FAMILY_FAMILY_H

#include "core/base/allocator.h"
#include "core/harden/configs.h"

// Initialise with MB_FAMILY_OPTIONS, then point to the configs of the layers that are wanted (they are copied). May
// grow at its end.
struct mb_family_options {
    size_t size;           // bytes of this struct as the caller knows it
    enum mb_policy policy; // what canary, poison, quarantine and guard do about what they find
    uint32_t wishes;       // set of enum mb_family_wish
    const struct mb_statistics_config *statistics; // NULL: without; the same below
    const struct mb_watermark_config *watermark;
    const struct mb_fault_config *fault;
    const struct mb_guard_config *guard;
    const struct mb_canary_config *canary;
    const struct mb_quarantine_config *quarantine;
    const struct mb_poison_config *poison;
    const struct mb_colour_config *colour;
    const uint64_t *nodes; // bind to these NUMA nodes (bit n is node n); NULL: do not
    size_t node_words;     //   in so many words of 64 bits
};
#define MB_FAMILY_OPTIONS {sizeof(struct mb_family_options), MB_POLICY_ABORT, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

enum mb_family_wish {
    MB_FAMILY_HUGE_PAGES = 1, // the base's range on huge pages, purged by whole ones only
};

struct mb_family;

MB_PUBLIC_BEGIN

// Wraps `base`. Fails with MB_BAD_CONFIG, MB_UNSUPPORTED or MB_REFUSED; *out is then untouched and the base as it was,
// except that pages of its range may have been bound or advised already.
enum mb_error mb_family_compose(const struct mb_family_options *options, struct mb_allocator *base, struct mb_family **out);

// What the caller allocates from: the outermost layer. Any thread.
struct mb_allocator *mb_family_allocator(struct mb_family *family);

// Gives back the base and everything of the layers; so does mb_allocator_drop of the composed allocator. Blocks that
// wait are looked at, and live ones (where there is a canary). The family is gone then, unless the system refused.
enum mb_error mb_family_drop(struct mb_family *family);

// Which flags (enum mb_region_flag) a region should be made with (`require`) so that the options can act on it. Any
// thread.
uint32_t mb_family_region_flags(const struct mb_family_options *options);

// --- looking --------------------------------------------------------------------------------------------------------

// MB_UNSUPPORTED without the layer. Any thread, at any time.
enum mb_error mb_family_statistics(const struct mb_family *family, struct mb_statistics_numbers *out);

// Gives the fault layer another plan; its counts begin anew. MB_UNSUPPORTED without the layer. Any thread.
enum mb_error mb_family_arm(struct mb_family *family, const struct mb_fault_config *config);
// How many calls failed since then; 0 without the layer. Any thread.
uint64_t mb_family_struck(const struct mb_family *family);

// How many damaged places there are now: canaries and guarded blocks of live blocks, poison of waiting ones. Nothing is
// reported. Any thread, over a shared base.
size_t mb_family_check(struct mb_family *family);

// Visits every live block (in no order; it must not allocate or free here, and ends the walk by false). MB_UNSUPPORTED
// without a canary.
enum mb_error mb_family_walk(struct mb_family *family, mb_block_visitor *visit, void *context);

// Looks at all waiting blocks and gives them to the base.
void mb_family_flush(struct mb_family *family);

MB_PUBLIC_END

#endif
