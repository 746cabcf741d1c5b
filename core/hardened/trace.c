#include "core/hardened/trace.h"

#include <string.h>

#include "core/base/print.h"
#include "core/process/code_file.h"
#include "core/process/stack.h"
#include "core/region/arena.h"

enum { STANDARD_ERROR = 2, BUCKETS = 1 << 14 };

static struct {
    struct mb_trace **buckets; // BUCKETS heads; any thread pushes (release) and reads (acquire)
    struct mb_trace *youngest; // likewise
} trace_shared;

unsigned mb_trace_depth MB_SEALED;

bool mb_trace_init(unsigned depth) {
    trace_shared.buckets = mb_arena_metadata(BUCKETS * sizeof(void *), sizeof(void *));
    mb_trace_depth = trace_shared.buckets == NULL ? 0 : depth < MB_TRACE_DEPTH_MAX ? depth : MB_TRACE_DEPTH_MAX;
    return trace_shared.buckets != NULL;
}

struct mb_trace *mb_trace_youngest(void) {
    return __atomic_load_n(&trace_shared.youngest, __ATOMIC_ACQUIRE);
}

// --- keeping ---------------------------------------------------------------------------------------------------------

static uint32_t hash_of(const uintptr_t *frames, unsigned depth) {
    uint64_t hash = depth;
    for (unsigned i = 0; i < depth; i++) hash = (hash ^ frames[i]) * UINT64_C(0x9e3779b97f4a7c15), hash ^= hash >> 29;
    return (uint32_t)(hash ^ hash >> 32);
}

static bool is(const struct mb_trace *trace, const uintptr_t *frames, unsigned depth, uint32_t hash) {
    return trace->hash == hash && trace->depth == depth && memcmp(trace->frames, frames, depth * sizeof *frames) == 0;
}

static struct mb_trace *find(const uintptr_t *frames, unsigned depth, uint32_t hash) {
    struct mb_trace *trace = __atomic_load_n(&trace_shared.buckets[hash % BUCKETS], __ATOMIC_ACQUIRE);
    while (trace != NULL && !is(trace, frames, depth, hash)) trace = trace->next;
    return trace;
}

static void push(struct mb_trace **head, struct mb_trace **link, struct mb_trace *trace) {
    *link = __atomic_load_n(head, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(head, link, trace, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
    }
}

// Two threads that meet the same stack at once keep it twice, which does no harm.
static struct mb_trace *keep(const uintptr_t *frames, unsigned depth, uint32_t hash) {
    struct mb_trace *trace = mb_arena_metadata(sizeof *trace + depth * sizeof *frames, sizeof(uint64_t));
    if (trace == NULL) return NULL;
    trace->hash = hash;
    trace->depth = depth;
    memcpy(trace->frames, frames, depth * sizeof *frames);
    push(&trace_shared.youngest, &trace->older, trace);
    push(&trace_shared.buckets[hash % BUCKETS], &trace->next, trace);
    return trace;
}

MB_NOINLINE struct mb_trace *mb_trace_capture(void) {
    uintptr_t frames[MB_TRACE_DEPTH_MAX];
    unsigned depth = mb_stack_capture(frames, mb_trace_depth);
    uint32_t hash = hash_of(frames, depth);
    struct mb_trace *trace = find(frames, depth, hash);
    return trace != NULL ? trace : keep(frames, depth, hash);
}

// --- telling ---------------------------------------------------------------------------------------------------------

static void tell_frame(unsigned number, uintptr_t address) {
    struct mb_line line = {0};
    struct mb_code_file object;
    mb_line_text(&line, "mbmalloc:     #");
    mb_line_number(&line, number);
    mb_line_text(&line, " ");
    mb_line_hex(&line, address);
    if (mb_code_file_of(address, &object)) {
        mb_line_text(&line, " ");
        mb_line_text(&line, object.file);
        mb_line_text(&line, "+");
        mb_line_hex(&line, address - object.base);
        if (object.build_id_bytes > 0) mb_line_text(&line, " build-id ");
        for (unsigned i = 0; i < object.build_id_bytes; i++) mb_line_byte(&line, object.build_id[i]);
    }
    mb_line_write(&line, STANDARD_ERROR);
}

static void tell_line(const char *text) {
    struct mb_line line = {0};
    mb_line_text(&line, text);
    mb_line_write(&line, STANDARD_ERROR);
}

static void tell_frames(const uintptr_t *frames, unsigned depth) {
    for (unsigned i = 0; i < depth; i++) tell_frame(i, frames[i]);
    if (depth == 0) tell_line("mbmalloc:     (not known)");
}

void mb_trace_tell(const struct mb_trace *trace) { tell_frames(trace != NULL ? trace->frames : NULL, trace != NULL ? trace->depth : 0); }

void mb_trace_tell_calls(const char *what, int thread, const uintptr_t *frames, unsigned depth) {
    struct mb_line line = {0};
    mb_line_text(&line, "mbmalloc:   ");
    mb_line_text(&line, what);
    mb_line_number(&line, (uint64_t)thread);
    mb_line_text(&line, ":");
    mb_line_write(&line, STANDARD_ERROR);
    tell_frames(frames, depth);
}
