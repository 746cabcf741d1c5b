// What: implements adopt.h. Invariant: all allocations are part of the test; its own tables are static.
#include "tests/fork/adopt.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fork/api.h"
#include "tests/fork/live.h"

enum { OWN_MAX = 4096, LEAK_MAX = 256 << 10, GROWTH_MAX = 448 << 10 };

struct piece {
    unsigned char *p;
    size_t bytes;
};
static struct piece inherited[LIVE_MAX], own[OWN_MAX], all[LIVE_MAX + OWN_MAX], spare[LIVE_MAX + OWN_MAX];
static size_t inherited_count, own_count;

static bool fail(struct adopt_report *r, const char *what, const struct piece *x) {
    snprintf(r->fault, sizeof r->fault, "%s: %p, %zu bytes", what, (void *)x->p, x->bytes);
    return false;
}

// --- what was inherited ----------------------------------------------------------------------------------------------

static bool gather(struct adopt_report *r) {
    inherited_count = 0;
    for (int i = 0; i < LIVE_MAX; i++) {
        unsigned char *p = atomic_load_explicit(&live_table[i].p, memory_order_acquire);
        if (p == NULL) continue;
        struct piece x = {p, live_table[i].bytes};
        if (!live_is_marked(p, x.bytes)) return fail(r, "an inherited block has lost its marks", &x);
        inherited[inherited_count++] = x;
    }
    return true;
}

static bool verify(struct adopt_report *r, const struct piece *v, size_t count, const char *what) {
    for (size_t i = 0; i < count; i++)
        if (v[i].p != NULL && !live_is_marked(v[i].p, v[i].bytes)) return fail(r, what, &v[i]);
    return true;
}

// --- what is taken ---------------------------------------------------------------------------------------------------

static bool take(struct adopt_report *r, size_t bytes) {
    struct piece x = {api.malloc(bytes), bytes};
    if (own_count == OWN_MAX) return true;
    if (x.p == NULL) return fail(r, "malloc returned NULL", &x);
    if (((uintptr_t)x.p & 15) != 0) return fail(r, "malloc returned a crooked block", &x);
    live_mark(x.p, bytes);
    own[own_count++] = x;
    return true;
}

static bool take_focus(struct adopt_report *r, size_t bytes) {
    size_t count = bytes > 65536 ? 3 : 3 * 65536 / bytes + 3;
    for (size_t i = 0; i < count && i < 800; i++)
        if (!take(r, bytes)) return false;
    return true;
}

// Every size class: steps of 16, then eight to a doubling.
static bool take_every_class(struct adopt_report *r) {
    for (size_t bytes = 16; bytes <= 32768; bytes += bytes < 128 ? 16 : (size_t)1 << (60 - __builtin_clzl(bytes)))
        for (int i = 0; i < 2; i++)
            if (!take(r, bytes)) return false;
    return take(r, 40000) && take(r, 70000) && take(r, 300000) && take(r, 2 << 20);
}

// --- no two overlap --------------------------------------------------------------------------------------------------

static void merge(struct piece *from, struct piece *to, size_t low, size_t middle, size_t high) {
    size_t a = low, b = middle;
    for (size_t i = low; i < high; i++) {
        bool take_a = a < middle && (b >= high || from[a].p <= from[b].p);
        to[i] = take_a ? from[a++] : from[b++];
    }
}

// Sorts by address, without qsort, which may allocate.
static struct piece *sorted(size_t count) {
    struct piece *from = all, *to = spare;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t low = 0; low < count; low += 2 * width) {
            size_t middle = low + width < count ? low + width : count;
            merge(from, to, low, middle, middle + width < count ? middle + width : count);
        }
        struct piece *other = from;
        from = to;
        to = other;
    }
    return from;
}

static size_t append(size_t count, const struct piece *v, size_t more) {
    for (size_t i = 0; i < more; i++)
        if (v[i].p != NULL) all[count++] = v[i];
    return count;
}

static bool all_apart(struct adopt_report *r) {
    size_t count = append(append(0, inherited, inherited_count), own, own_count);
    const struct piece *v = sorted(count);
    for (size_t i = 0; i + 1 < count; i++)
        if (v[i].p + v[i].bytes > v[i + 1].p) return fail(r, "a block was handed out twice", &v[i + 1]);
    return verify(r, inherited, inherited_count, "an inherited block was overwritten") &&
           verify(r, own, own_count, "a block of the child was overwritten");
}

// --- giving back -----------------------------------------------------------------------------------------------------

static void give(struct piece *x) {
    if (x->p != NULL) api.free(x->p);
    x->p = NULL;
}

static void give_every(struct piece *v, size_t count, size_t step) {
    for (size_t i = 0; i < count; i += step) give(&v[i]);
}

static void *thread_main(void *unused) {
    (void)unused;
    for (size_t bytes = 16; bytes < 20000; bytes *= 2) api.free(api.malloc(bytes));
    give_every(inherited, inherited_count, 3);
    give_every(own, own_count, 3);
    return NULL;
}

static bool by_a_thread(struct adopt_report *r) {
    static const struct piece none;
    pthread_t thread;
    if (pthread_create(&thread, NULL, thread_main, NULL) != 0) return fail(r, "the child cannot start a thread", &none);
    pthread_join(thread, NULL);
    return true;
}

// Exact, unlike statm, whose counters lag by up to 64 pages per CPU. Pages of files do not count: how many of them one
// touch maps depends on the page cache.
long adopt_anonymous_bytes(void) {
    char text[2048] = {0};
    int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    const char *at = got > 0 ? strstr(text, "\nAnonymous:") : NULL;
    return at != NULL ? strtol(at + strlen("\nAnonymous:"), NULL, 10) * 1024 : 0;
}

static bool leaks(const struct adopt_plan *plan, struct adopt_report *r) {
    struct piece left = {NULL, api.live_bytes()}, resident = {NULL, (size_t)adopt_anonymous_bytes()};
    r->left_bytes = (long)left.bytes - (long)plan->base_bytes;
    r->grown_bytes = plan->base_anonymous == 0 ? 0 : (long)resident.bytes - plan->base_anonymous;
    if (!plan->check_leak) return false;
    if (r->left_bytes > (long)plan->in_flight_max + LEAK_MAX) return !fail(r, "too much is still alive at the end", &left);
    if (r->grown_bytes > (long)plan->in_flight_max + GROWTH_MAX) return !fail(r, "too much is resident at the end", &resident);
    return false;
}

bool adopt_and_check(const struct adopt_plan *plan, struct adopt_report *r) {
    own_count = 0;
    if (!gather(r)) return false;
    r->inherited = inherited_count;
    if (!take_focus(r, plan->focus_bytes) || !take_every_class(r) || !all_apart(r)) return false;
    r->used = own_count;
    give_every(inherited, inherited_count, 2);
    give_every(own, own_count, 2);
    if (plan->start_thread && !by_a_thread(r)) return false;
    if (!take_focus(r, plan->focus_bytes) || !all_apart(r)) return false;
    give_every(inherited, inherited_count, 1);
    give_every(own, own_count, 1);
    api.trim();
    if (leaks(plan, r)) return false;
    api.free(api.malloc(plan->focus_bytes));
    return true;
}
