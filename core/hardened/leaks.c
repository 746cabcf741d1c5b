#include "core/hardened/leaks.h"

#include "core/base/print.h"
#include "core/hardened/large.h"
#include "core/hardened/small.h"
#include "core/hardened/trace.h"

enum { STANDARD_ERROR = 2 };

static void add(struct mb_trace *made, size_t bytes) {
    if (made == NULL) return;
    made->blocks++;
    made->bytes += bytes;
}

static struct mb_trace *largest(void) {
    struct mb_trace *largest = NULL;
    for (struct mb_trace *trace = mb_trace_youngest(); trace != NULL; trace = trace->older)
        if (trace->blocks > 0 && (largest == NULL || trace->bytes > largest->bytes)) largest = trace;
    return largest;
}

static void tell(uint64_t bytes, uint64_t blocks, const char *rest) {
    struct mb_line line = {0};
    mb_line_text(&line, "mbmalloc: live at exit: ");
    mb_line_number(&line, bytes);
    mb_line_text(&line, " bytes in ");
    mb_line_number(&line, blocks);
    mb_line_text(&line, rest);
    mb_line_write(&line, STANDARD_ERROR);
}

void mb_hard_leaks_tell(unsigned most) {
    uint64_t bytes = 0, blocks = 0;
    for (struct mb_trace *trace = mb_trace_youngest(); trace != NULL; trace = trace->older) trace->blocks = trace->bytes = 0;
    mb_hard_small_visit(add);
    mb_hard_large_visit(add);
    for (struct mb_trace *trace = mb_trace_youngest(); trace != NULL; trace = trace->older) {
        bytes += trace->bytes;
        blocks += trace->blocks;
    }
    tell(bytes, blocks, " blocks");
    for (unsigned i = 0; i < most; i++) {
        struct mb_trace *trace = largest();
        if (trace == NULL) return;
        tell(trace->bytes, trace->blocks, " blocks, allocated at:");
        mb_trace_tell(trace);
        trace->blocks = 0;
    }
}
