#include "core/process/stack.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <unwind.h>

#include "core/process/stack_objects.h"
#include "core/process/stack_rows.h"
#include "core/told/options.h"
#include "platform/bits.h"
#include "platform/compiler.h"
#include "platform/os.h"
#include "platform/registers.h"
#include "platform/unwind_end.h"

// The private copy's _Unwind_Backtrace, _Unwind_GetIPInfo and _Unwind_GetGR.
_Unwind_Reason_Code mb_unwind_backtrace(_Unwind_Trace_Fn visitor, void *argument);
uintptr_t mb_unwind_address(struct _Unwind_Context *context, int *before_call);
uintptr_t mb_unwind_register(struct _Unwind_Context *context, int number);

// Where this library lies; empty where it is a part of the program. Written by the first captures, all the same; `end`
// last.
static struct { _Atomic uintptr_t start, end; } own_shared;

static void find_own(void) {
    struct mb_object us = {0};
    uintptr_t start = 1, end = 1, program = (uintptr_t)getauxval(AT_PHDR);
    if (mb_object_find((const void *)(uintptr_t)find_own, &us)) start = (uintptr_t)us.start, end = (uintptr_t)us.end;
    if (program - start < end - start) end = start;
    atomic_store_explicit(&own_shared.start, start, memory_order_relaxed);
    atomic_store_explicit(&own_shared.end, end, memory_order_release);
}

static bool is_own(uintptr_t address) {
    uintptr_t end = atomic_load_explicit(&own_shared.end, memory_order_acquire);
    uintptr_t start = atomic_load_explicit(&own_shared.start, memory_order_relaxed);
    return address - start < end - start;
}

// Whether the library is an object of its own: else it cannot be told where its frames end.
static bool is_apart(void) {
    return atomic_load_explicit(&own_shared.start, memory_order_relaxed) != atomic_load_explicit(&own_shared.end, memory_order_relaxed);
}

// --- what has been found so far --------------------------------------------------------------------------------------

struct stack {
    uintptr_t *out;
    unsigned count, most;
};

// False: enough.
static bool add(struct stack *stack, uintptr_t address) {
    if (stack->count == 0 && is_own(address)) return true;
    if (stack->count < stack->most) stack->out[stack->count++] = address;
    return stack->count < stack->most;
}

static unsigned most_of(unsigned most) { return most < MB_STACK_MOST ? most : MB_STACK_MOST; }

// --- by tables -------------------------------------------------------------------------------------------------------

static _Unwind_Reason_Code visit(struct _Unwind_Context *context, void *argument) {
    int before = 0;
    uintptr_t address = mb_unwind_address(context, &before);
    if (address == 0) return _URC_END_OF_STACK;
    // A signal has interrupted this function before the address, not in a call that ends there.
    return add(argument, address + (before != 0 ? 1 : 0)) ? _URC_NO_REASON : _URC_END_OF_STACK;
}

MB_COLD unsigned mb_stack_by_unwinder(uintptr_t *out, unsigned most) {
    struct stack stack = {out, 0, most_of(most)};
    mb_unwind_backtrace(visit, &stack);
    return stack.count;
}

static MB_NOINLINE unsigned by_tables(uintptr_t *out, unsigned most) {
    struct stack stack = {out, 0, most};
    struct mb_stack_walk walk;
    enum mb_stack_step step = MB_STEP_UP;
    mb_stack_begin(&walk, mb_registers_here());
    do step = mb_stack_step(&walk);
    while (step == MB_STEP_UP && add(&stack, walk.at.instruction));
    return step != MB_STEP_UNKNOWN ? stack.count : mb_stack_by_unwinder(out, most);
}

// --- by frame pointers -----------------------------------------------------------------------------------------------

struct frame {
    const struct frame *caller;
    uintptr_t address;
};

enum { FRAME_BYTES_MOST = 1 << 20 };

// Frames lie one above the other; a page is asked of the kernel before it is read for the first time.
static const struct frame *frame_above(const struct frame *frame, uintptr_t *readable) {
    const struct frame *next = frame->caller;
    if (next <= frame || (uintptr_t)next - (uintptr_t)frame > FRAME_BYTES_MOST || !mb_is_aligned((uintptr_t)next, sizeof(void *)))
        return NULL;
    uintptr_t page = mb_os_page_size(), last = mb_align_down((uintptr_t)next + sizeof *next - 1, page);
    if (last != *readable && !mb_os_readable(next, sizeof *next)) return NULL;
    *readable = last;
    return next;
}

struct way_out {
    struct stack stack;
    const struct frame *frame; // of the function that called the library; NULL: not found
};

static _Unwind_Reason_Code visit_until_out(struct _Unwind_Context *context, void *argument) {
    struct way_out *way = argument;
    int before = 0;
    uintptr_t address = mb_unwind_address(context, &before);
    if (address == 0 || !add(&way->stack, address)) return _URC_END_OF_STACK;
    if (way->stack.count == 0) return _URC_NO_REASON;
    way->frame = (const struct frame *)mb_unwind_register(context, MB_DWARF_FRAME);
    return _URC_END_OF_STACK;
}

static MB_COLD void leave_by_unwinder(struct way_out *way) {
    way->stack.count = 0;
    mb_unwind_backtrace(visit_until_out, way);
}

// The library is compiled without frame pointers, so its own frames, the innermost, are found by tables.
static MB_NOINLINE unsigned by_frames(uintptr_t *out, unsigned most) {
    struct way_out way = {{out, 0, most}, NULL};
    struct mb_stack_walk walk;
    enum mb_stack_step step = MB_STEP_UP;
    uintptr_t readable = 0;
    mb_stack_begin(&walk, mb_registers_here());
    do step = mb_stack_step(&walk);
    while (step == MB_STEP_UP && add(&way.stack, walk.at.instruction) && way.stack.count == 0);
    if (way.stack.count != 0) way.frame = (const struct frame *)walk.at.frame;
    if (step == MB_STEP_UNKNOWN || !walk.frame_known) leave_by_unwinder(&way);
    const struct frame here = {.caller = way.frame};
    const struct frame *frame = frame_above(&here, &readable);
    while (frame != NULL && frame->address != 0 && add(&way.stack, frame->address)) frame = frame_above(frame, &readable);
    return way.stack.count;
}

MB_NOINLINE unsigned mb_stack_capture(uintptr_t *out, unsigned most) {
    if (!mb_object_can_find()) return 0;
    if (atomic_load_explicit(&own_shared.end, memory_order_acquire) == 0) find_own();
    return (mb_option.stack_walk != 0 && is_apart() ? by_frames : by_tables)(out, most_of(most));
}
