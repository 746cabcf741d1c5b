// Call stacks of known shapes: depth, order, limits; in threads, signal handlers and forked children; through code
// without unwind tables.
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/process/stack.h"
#include "core/process/stack_objects.h"
#include "core/told/options.h"
#include "platform/compiler.h"
#include "platform/libc.h"

struct taken {
    uintptr_t address[MB_STACK_MOST];
    unsigned count;
};

// --- a known shape ---------------------------------------------------------------------------------------------------

#define KEEP() __asm__ volatile("" : : : "memory")
// Functions in their own sections, so that their ends are known.
#define IN_SECTION(name) __attribute__((section("stack_" #name), noinline))
extern const char __start_stack_descend[], __stop_stack_descend[], __start_stack_raise[], __stop_stack_raise[];

static MB_NOINLINE void take(struct taken *out) {
    out->count = mb_stack_capture(out->address, MB_STACK_MOST);
    KEEP();
}

IN_SECTION(descend) static void descend(unsigned depth, struct taken *out) {
    if (depth == 0)
        take(out);
    else
        descend(depth - 1, out);
    KEEP();
}

static bool is_in(uintptr_t address, const char *start, const char *end) { return address - (uintptr_t)start < (uintptr_t)(end - start); }
static bool in_descend(uintptr_t address) { return is_in(address, __start_stack_descend, __stop_stack_descend); }

// How many addresses of `descend` follow one another.
static unsigned descents(const struct taken *taken) {
    unsigned count = 0, i = 0;
    while (i < taken->count && !in_descend(taken->address[i])) i++;
    for (; i < taken->count && in_descend(taken->address[i]); i++) count++;
    return count;
}

static void expect_depths(void) {
    for (unsigned depth = 0; depth < 40; depth += 13) {
        struct taken taken;
        descend(depth, &taken);
        assert_int_equal(descents(&taken), depth + 1);
    }
}

static void by_tables(void **state) {
    (void)state;
    expect_depths();
}

static void by_frames(void **state) {
    (void)state;
    mb_option.stack_walk = 1;
    expect_depths();
    mb_option.stack_walk = 0;
}

static void both_ways_agree(void **state) {
    (void)state;
    struct taken tables, frames;
    for (mb_option.stack_walk = 0; mb_option.stack_walk < 2; mb_option.stack_walk++)
        descend(9, mb_option.stack_walk == 0 ? &tables : &frames);
    mb_option.stack_walk = 0;
    assert_true(frames.count > 10 && tables.count >= 11);
    unsigned first_tables = 0, first_frames = 0;
    while (!in_descend(tables.address[first_tables])) first_tables++;
    while (!in_descend(frames.address[first_frames])) first_frames++;
    assert_memory_equal(tables.address + first_tables, frames.address + first_frames, 10 * sizeof(uintptr_t));
}

static void no_more_than_asked(void **state) {
    (void)state;
    uintptr_t out[8] = {0};
    assert_int_equal(mb_stack_capture(out, 3), 3);
    assert_true(out[2] != 0 && out[3] == 0);
    struct taken taken;
    descend(100, &taken);
    assert_int_equal(taken.count, MB_STACK_MOST);
}

// --- anywhere --------------------------------------------------------------------------------------------------------

static void *in_thread(void *out) {
    descend(5, out);
    return NULL;
}

static void threads(void **state) {
    (void)state;
    struct taken taken[4];
    pthread_t thread[4];
    for (unsigned i = 0; i < 4; i++) assert_int_equal(pthread_create(&thread[i], NULL, in_thread, &taken[i]), 0);
    for (unsigned i = 0; i < 4; i++) pthread_join(thread[i], NULL);
    for (unsigned i = 0; i < 4; i++) assert_int_equal(descents(&taken[i]), 6);
}

static struct taken in_signal;

static void on_signal(int number) {
    (void)number;
    take(&in_signal);
}

IN_SECTION(raise) static void raise_below(unsigned depth, struct taken *unused) {
    if (depth == 0)
        raise(SIGUSR1);
    else
        raise_below(depth - 1, unused);
    KEEP();
}

static void through_a_signal(void **state) {
    (void)state;
    if (!mb_libc_is_glibc()) skip(); // musl has no unwind tables, for its raise as for what handlers return to
    signal(SIGUSR1, on_signal);
    raise_below(3, NULL);
    unsigned found = 0;
    for (unsigned i = 0; i < in_signal.count; i++) found += is_in(in_signal.address[i], __start_stack_raise, __stop_stack_raise);
    assert_int_equal(found, 4);
}

// If finding an object needs the loader's lock, a forked child has no stacks.
static void forked_child(void **state) {
    (void)state;
    unsigned expected = mb_object_needs_no_lock() ? 5 : 0;
    pid_t child = fork();
    if (child == 0) {
        struct taken taken;
        descend(4, &taken);
        _exit(descents(&taken) == expected ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

// --- no tables -------------------------------------------------------------------------------------------------------

static void no_object_ends_the_stack(void **state) {
    (void)state;
    struct mb_object object = {0};
    assert_false(mb_object_find((const void *)(uintptr_t)4096, &object));
    assert_int_equal(mb_unwind_find_object((const void *)(uintptr_t)4096, &object), 0);
    assert_non_null(object.unwind_table);
    assert_true(mb_object_find((const void *)(uintptr_t)take, &object));
    assert_true((uintptr_t)object.start <= (uintptr_t)take && (uintptr_t)take < (uintptr_t)object.end);
}

// What a just-in-time compiler makes on x86-64: sub $8,%rsp; call *%rdi with %rsi as its argument; add $8,%rsp; ret.
static const unsigned char made[] = {0x48, 0x83, 0xec, 8, 0x48, 0x89, 0xf8, 0x48, 0x89, 0xf7, 0xff, 0xd0, 0x48, 0x83, 0xc4, 8, 0xc3};

static void code_without_tables(void **state) {
    (void)state;
    struct utsname system;
    if (uname(&system) != 0 || strcmp(system.machine, "x86_64") != 0) skip();
    unsigned char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(page != MAP_FAILED);
    memcpy(page, made, sizeof made);
    struct taken taken;
    ((void (*)(void (*)(struct taken *), struct taken *))(void *)page)(take, &taken);
    assert_true(taken.count > 0);
    uintptr_t last = taken.address[taken.count - 1];
    assert_true(last - (uintptr_t)page < sizeof made);
    munmap(page, 4096);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_tables),
        cmocka_unit_test(by_frames),
        cmocka_unit_test(both_ways_agree),
        cmocka_unit_test(no_more_than_asked),
        cmocka_unit_test(threads),
        cmocka_unit_test(through_a_signal),
        cmocka_unit_test(forked_child),
        cmocka_unit_test(no_object_ends_the_stack),
        cmocka_unit_test(code_without_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
