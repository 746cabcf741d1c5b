// Stack walks that use cached rows of the unwind tables: the same stacks as those of the complete unwinder, in frames
// of every kind, and after one library has been replaced by another at the same address; the rows agree with readelf.
// usage: test_stack_rows PLUGIN PLUGIN
#include <alloca.h>
#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/process/stack.h"
#include "core/process/stack_rows.h"
#include "platform/compiler.h"

#define KEEP() __asm__ volatile("" : : : "memory")
__attribute__((weak)) extern const char *gnu_get_libc_version(void);
static const char *plugin[2];
static unsigned looks;

// --- both ways -------------------------------------------------------------------------------------------------------

static MB_NOINLINE void look(void *unused) {
    uintptr_t fast[MB_STACK_MOST], whole[MB_STACK_MOST];
    (void)unused;
    unsigned count = mb_stack_capture(fast, MB_STACK_MOST - 8), most = mb_stack_by_unwinder(whole, MB_STACK_MOST), first_fast = 0,
             first = 0;
    void *above = __builtin_return_address(0); // below it the two calls differ
    while (first_fast < count && fast[first_fast] != (uintptr_t)above) first_fast++;
    while (first < most && whole[first] != (uintptr_t)above) first++;
    assert_true(first_fast < count && count - first_fast <= most - first);
    assert_memory_equal(fast + first_fast, whole + first, (count - first_fast) * sizeof *fast);
    assert_true(count == MB_STACK_MOST - 8 || count - first_fast == most - first);
    looks++;
}

// Whether the walk from here to the end needs no whole unwinder.
static MB_NOINLINE bool walks_alone(void) {
    struct mb_stack_walk walk;
    enum mb_stack_step step;
    mb_stack_begin(&walk, mb_registers_here());
    do step = mb_stack_step(&walk);
    while (step == MB_STEP_UP);
    return step == MB_STEP_END;
}

// --- frames ----------------------------------------------------------------------------------------------------------

static MB_NOINLINE void plain(unsigned depth) {
    if (depth == 0)
        look(NULL);
    else
        plain(depth - 1);
    KEEP();
}

// The frame's length is only known at run time, so the unwind row refers to the frame pointer.
static MB_NOINLINE void of_any_length(unsigned depth) {
    volatile char *room = alloca(depth * 24 + 1);
    room[0] = 1;
    if (depth == 0)
        look(NULL);
    else
        of_any_length(depth - 1);
    room[depth * 24] = room[0];
}

// A realigned frame: its unwind row is an expression.
static MB_NOINLINE void aligned(unsigned depth) {
    _Alignas(256) volatile char room[256];
    volatile char *more = alloca(depth + 1);
    more[0] = room[0] = 1;
    if (depth == 0)
        look(NULL);
    else
        aligned(depth - 1);
    room[255] = more[0];
}

static int compare(const void *a, const void *b) {
    plain(2);
    return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

static void frames(void **state) {
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        int numbers[] = {3, 1, 2};
        plain(round * 5);
        plain(80);
        of_any_length(7);
        aligned(5);
        qsort(numbers, 3, sizeof numbers[0], compare);
    }
    assert_true(looks > 12);
    if (gnu_get_libc_version != NULL) assert_true(walks_alone()); // musl's own code has no tables
}

static void on_signal(int number) {
    (void)number;
    plain(1);
}

static void signals(void **state) {
    (void)state;
    signal(SIGUSR1, on_signal);
    for (unsigned i = 0; i < 3; i++) raise(SIGUSR1);
}

// --- libraries that come and go --------------------------------------------------------------------------------------

static void in_plugin(const char *path, uintptr_t *at) {
    void *library = dlopen(path, RTLD_NOW);
    if (library == NULL) fail_msg("%s", dlerror());
    void (*call)(void (*)(void *), void *);
    *(void **)&call = dlsym(library, "plugin_call");
    assert_non_null(call);
    *at = (uintptr_t) * (void **)&call;
    for (unsigned i = 0; i < 3; i++) call(look, NULL);
    assert_int_equal(dlclose(library), 0);
}

static void another_library_in_its_place(void **state) {
    (void)state;
    unsigned same = 0;
    for (unsigned i = 0; i < 20; i++) {
        uintptr_t at[2];
        in_plugin(plugin[0], &at[0]);
        in_plugin(plugin[1], &at[1]);
        same += at[0] == at[1];
    }
    print_message("%u of 20 at the same place\n", same);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    plugin[0] = argv[1];
    plugin[1] = argv[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames),
        cmocka_unit_test(signals),
        cmocka_unit_test(another_library_in_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
