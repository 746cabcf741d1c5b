#include "core/hardened/past.h"

#include "platform/os.h"

enum { NS_A_MS = 1000000 };

void mb_hard_past_made(struct mb_hard_past *past, struct mb_trace *here) {
    past->made = here;
    past->made_by = mb_os_thread_id();
    past->freed_by = 0;
    past->freed = NULL;
}

void mb_hard_past_freed(struct mb_hard_past *past, struct mb_trace *here) {
    past->freed = here;
    past->freed_by = mb_os_thread_id();
    past->freed_ns = mb_os_now_ns();
}

uint64_t mb_hard_past_freed_ms(const struct mb_hard_past *past) { return (mb_os_now_ns() - past->freed_ns) / NS_A_MS; }

static void tell(const char *what, int thread, const struct mb_trace *trace) {
    mb_trace_tell_calls(what, thread, trace != NULL ? trace->frames : NULL, trace != NULL ? trace->depth : 0);
}

void mb_hard_past_tell(const struct mb_hard_past *past) {
    tell("found in thread ", mb_os_thread_id(), mb_trace_here());
    if (past == NULL) return;
    if (past->made_by != 0) tell("allocated by thread ", past->made_by, past->made);
    if (past->freed_by != 0) tell("freed by thread ", past->freed_by, past->freed);
}
