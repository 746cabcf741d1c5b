// What: says in a sentence or two where the memory is, for the text of core/insight/write.h.
#include "core/insight/write.h"

static void percent_of(struct mb_line *line, uint64_t part, uint64_t whole) {
    mb_line_number(line, whole == 0 ? 0 : (part * 200 + whole) / (2 * whole));
    mb_line_text(line, " %");
}

enum reason { PART_FREE, IDLE, KEPT, DIRTY, REASONS };
static const char REASON_TEXT[REASONS][110] = {
    [PART_FREE] = "in free blocks on pages that hold live ones and cannot be given back",
    [IDLE] = "in pages of slabs that hold no live block, and goes back when they stay so or by malloc_trim",
    [KEPT] = "in freed large blocks that wait for the next request of their length",
    [DIRTY] = "in free spans that go back to the system when purge_delay_ms is over",
};

static void say_reason(struct mb_line *line, const struct mb_statistics *all, uint64_t free_bytes) {
    const uint64_t bytes[REASONS] = {all->part_free_bytes, all->idle_page_bytes, all->kept_bytes, all->dirty_bytes};
    unsigned most = 0;
    for (unsigned i = 1; i < REASONS; i++) {
        if (bytes[i] > bytes[most]) most = i;
    }
    mb_line_text(line, " Of the free memory ");
    percent_of(line, bytes[most], free_bytes);
    mb_line_text(line, " is ");
    mb_line_text(line, REASON_TEXT[most]);
    mb_line_text(line, ".");
}

static void say_holders(struct mb_line *line, const struct mb_statistics *all, uint64_t free_bytes) {
    if (all->top_class_free_bytes * 4 >= free_bytes) {
        mb_line_text(line, " ");
        percent_of(line, all->top_class_free_bytes, free_bytes);
        mb_line_text(line, " of it is in slabs of blocks of ");
        mb_line_number(line, all->top_class_block_bytes);
        mb_line_text(line, " bytes.");
    }
    if (all->sleeping_free_bytes * 10 >= free_bytes && all->sleeping_threads != 0) {
        mb_line_text(line, " ");
        mb_line_number(line, all->sleeping_threads);
        mb_line_text(line, all->sleeping_threads == 1 ? " thread sleeps on " : " threads sleep on ");
        mb_line_size(line, all->sleeping_free_bytes);
        mb_line_text(line, ".");
    }
}

static void say_live(struct mb_line *line, const struct mb_count *count) {
    const struct mb_class_statistics *most = &count->of_class[0];
    for (unsigned c = 1; c < MB_CLASSES; c++) {
        if (count->of_class[c].live_resident_bytes > most->live_resident_bytes) most = &count->of_class[c];
    }
    const struct mb_statistics *all = &count->all;
    uint64_t in_slabs = all->live_bytes - all->large_live_bytes;
    mb_line_text(line, " The largest part of the live bytes is in ");
    if (all->large_live_bytes >= in_slabs) {
        mb_line_number(line, all->large_live_blocks);
        mb_line_text(line, " large blocks.");
        return;
    }
    mb_line_number(line, most->live_blocks);
    mb_line_text(line, " blocks of ");
    mb_line_number(line, most->block_bytes);
    mb_line_text(line, " bytes.");
}

static void say_blocks(struct mb_line *line, const struct mb_statistics *all) {
    if (all->allocations == 0) return mb_line_text(line, "no block has been allocated.");
    mb_line_number(line, all->live_blocks);
    mb_line_text(line, " live blocks of ");
    mb_line_size(line, all->live_bytes);
    mb_line_text(line, "; which pages are there is not counted in this mode.");
}

void mb_count_in_words(struct mb_line *line, const struct mb_count *count) {
    const struct mb_statistics *all = &count->all;
    if (all->resident_bytes == 0) {
        say_blocks(line, all);
        return;
    }
    uint64_t free_bytes = all->part_free_bytes + all->idle_page_bytes + all->kept_bytes + all->dirty_bytes + all->tail_bytes;
    mb_line_size(line, all->resident_bytes);
    mb_line_text(line, " resident: ");
    percent_of(line, all->live_resident_bytes, all->resident_bytes);
    mb_line_text(line, " live, ");
    percent_of(line, free_bytes, all->resident_bytes);
    mb_line_text(line, " free, ");
    percent_of(line, all->metadata_bytes, all->resident_bytes);
    mb_line_text(line, " for the library itself.");
    if (all->live_resident_bytes >= free_bytes) say_live(line, count);
    if (free_bytes * 20 < all->resident_bytes) return;
    say_reason(line, all, free_bytes);
    say_holders(line, all, free_bytes);
}
