// What: one block freed twice, in every order and by different threads.
//
// The cases of the first table use one thread; the second free itself must find each of them. The second table combines
// who frees (O the owner of the block, B and C two other threads, in the order of the letters), where the block lies,
// and who finds the fault. If another thread makes the second free and the block looks free, that is verified later: by
// one of the owner's next refills, by malloc_trim, or by the thread that adopts the block's slab. Each of these is
// tested separately. Frees that a sleeping thread still keeps to itself come out when it exits, so each test ends with
// that.
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "tests/misuse/actor.h"
#include "tests/misuse/case.h"
#include "tests/misuse/shadow.h"

enum { MANY = 32768, MOST = 50000 };
static void *pool[MANY];

static size_t per_64k(size_t bytes) { return 65536 / bytes + 1; }

static void free_again(void *p) {
    announce(p);
    free(p);
    give_up("the second free was not caught");
}

// --- one thread ------------------------------------------------------------------------------------------------------

static void at_once(const struct misuse_case *c) {
    void *p = block(c->n);
    size_t usable = malloc_usable_size(p);
    free(p);
    announce_place(p, "free, a block of %zu bytes", usable);
    free(p);
    give_up("the second free was not caught");
}

// Heaps keep freed large blocks only after a kept block was reused.
static void kept_for_its_thread(const struct misuse_case *c) {
    for (int i = 0; i < 2; i++) free(block(c->n));
    at_once(c);
}

static void a_b_a(const struct misuse_case *c) {
    void *a = block(c->n), *b = block(c->n);
    free(a);
    free(b);
    free_again(a);
}

static void with_others_between(const struct misuse_case *c) {
    size_t count = c->n > 4096 ? 20 : 1000;
    blocks(pool, count, c->n);
    void *p = pool[count / 2];
    for (size_t i = 0; i < count; i++)
        if (i % 3 != 0 || i == count / 2) free(pool[i]);
    free_again(p);
}

// All blocks around it are free too, so its memory may be reused in another way.
static void drained(const struct misuse_case *c) {
    size_t count = 4 * per_64k(c->n);
    blocks(pool, count, c->n);
    void *p = pool[count / 2];
    release(pool, count);
    free_again(p);
}

static void drained_and_trimmed(const struct misuse_case *c) {
    size_t count = 4 * per_64k(c->n);
    blocks(pool, count, c->n);
    void *p = pool[count / 2];
    release(pool, count);
    malloc_trim(0);
    free_again(p);
}

// A hundred thousand other blocks were freed since, more than any cache of recent frees holds.
static void long_ago(const struct misuse_case *c) {
    void *keep = block(c->n), *p = block(c->n);
    free(p);
    for (size_t i = 0; i < 100000; i++) free(block(c->n + 64 + i % 2000));
    (void)keep;
    free_again(p);
}

// The address is allocated and freed again by calloc and realloc: only the last free is the fault.
static void after_reuse(const struct misuse_case *c) {
    void *p = block(c->n);
    free(p);
    void *q = hide(calloc(1, c->n));
    void *r = hide(realloc(q, c->n / 2 + 1));
    free(r);
    free_again(r);
}

static void by_realloc_to_zero(const struct misuse_case *c) {
    void *p = block(c->n);
    if (realloc(p, 0) != NULL) give_up("realloc(p, 0) returned a block");
    free_again(p);
}

// realloc moved it; the old address is a freed block.
static void moved_away(const struct misuse_case *c) {
    void *p = block(c->n), *wall = block(c->n);
    void *q = hide(realloc(p, 16 * c->n));
    if (q == p) q = hide(realloc(q, 1024 * c->n));
    if (q == p) give_up("realloc grew a thousandfold in place");
    (void)wall;
    free_again(p);
}

static void aligned(const struct misuse_case *c) {
    void *p = hide(memalign(4096, c->n));
    free(p);
    free_again(p);
}

// --- several threads -------------------------------------------------------------------------------------------------

struct plot {
    const char *order;   // who frees, in turn
    size_t bytes;
    bool full;           // in a slab of which no block is left, else in the owner's current one
    struct actor o, b, c;
    void *p;
    void *around[MANY];
    size_t around_count;
};
static struct plot plot;

struct drive {
    const char *name;
    void (*go)(struct plot *);
};

static void deed_take(void *arg) {
    struct plot *x = arg;
    x->around_count = x->full ? 6 * per_64k(x->bytes) : 3;
    blocks(x->around, x->around_count, x->bytes);
    x->p = x->around[x->full ? x->around_count / 2 : 1];
}

static void deed_free(void *arg) { free(((struct plot *)arg)->p); }

// Allocates until every slab of the class has been searched; a block that is handed out twice ends the case.
static void deed_take_many(void *arg) {
    struct plot *x = arg;
    size_t count = 40 * per_64k(x->bytes);
    for (size_t i = 0; i < count && i < MOST; i++) shadow_malloc(x->bytes);
}

// The allocator does not search a slab with a single free block.
static void deed_free_the_rest(void *arg) {
    struct plot *x = arg;
    for (size_t i = 0; i < x->around_count; i++)
        if (x->around[i] != x->p) free(x->around[i]);
}

static void stop_all(struct plot *x) {
    actor_stop(&x->b);
    actor_stop(&x->c);
    actor_stop(&x->o);
}

static void drive_owner(struct plot *x) {
    if (x->full) actor_do(&x->o, deed_free_the_rest, x);
    actor_do(&x->o, deed_take_many, x);
}

static void drive_trim(struct plot *x) {
    (void)x;
    malloc_trim(0);
}

static void drive_adopter(struct plot *x) {
    actor_stop(&x->o);
    if (x->full) deed_free_the_rest(x);
    deed_take_many(x);
}

static struct actor *who(struct plot *x, char letter) { return letter == 'O' ? &x->o : letter == 'B' ? &x->b : &x->c; }

static void by_several(const struct misuse_case *c) {
    struct plot *x = &plot;
    const struct plot *plan = c->what;
    const struct drive *drive = c->how;
    x->order = plan->order;
    x->full = plan->full;
    x->bytes = c->n;
    actor_start(&x->o);
    actor_start(&x->b);
    actor_start(&x->c);
    actor_do(&x->o, deed_take, x);
    announce(x->p);
    for (const char *letter = x->order; *letter != 0; letter++) actor_do(who(x, *letter), deed_free, x);
    drive->go(x);
    stop_all(x);
    malloc_trim(0);
    deed_take_many(x);
    malloc_trim(0);
    give_up("the second free was never caught");
}

// The block's thread is gone before it is freed for the first time.
static void orphan(const struct misuse_case *c) {
    struct plot *x = &plot;
    x->bytes = c->n;
    actor_start(&x->o);
    actor_do(&x->o, deed_take, x);
    actor_stop(&x->o);
    announce(x->p);
    free(x->p);
    if (c->what != NULL) by_thread(deed_free, x);
    else free(x->p);
    malloc_trim(0);
    deed_take_many(x);
    malloc_trim(0);
    give_up("the second free was never caught");
}

// --- the tables ------------------------------------------------------------------------------------------------------

static const char caught[] = "double free";
// The memory of the slab or large block may have been returned to the system by now.
static const char caught_or_gone[] = "double free|invalid free: not allocated (freed already, or never handed out)";

static const struct {
    const char *name;
    void (*run)(const struct misuse_case *);
    const char *text;
    size_t sizes[16];
} alone[] = {
    {"at-once", at_once, caught, {1, 16, 24, 48, 64, 100, 128, 1000, 4096, 8192, 20000, 32768, 40000, 65536, 1 << 20, 64 << 20}},
    {"a-b-a", a_b_a, caught, {16, 64, 1000, 8192, 20000, 65536, 3 << 20}},
    {"kept-for-its-thread", kept_for_its_thread, caught, {40000, 65536, 300000, 1 << 20, 4 << 20}},
    {"others-between", with_others_between, caught, {16, 64, 1000, 4096, 20000, 1 << 20}},
    {"drained", drained, caught_or_gone, {16, 64, 1000, 8192, 20000, 100000}},
    {"drained-and-trimmed", drained_and_trimmed, caught_or_gone, {16, 64, 1000, 8192, 20000, 100000}},
    {"long-ago", long_ago, caught, {16, 64, 1000, 8192}},
    {"after-reuse", after_reuse, caught, {64, 1000, 20000}},
    {"by-realloc-to-zero", by_realloc_to_zero, caught, {64, 20000, 1 << 20}},
    {"moved-away", moved_away, caught, {64, 20000, 200000}},
    {"aligned", aligned, caught, {64, 5000, 100000}},
};

static const struct plot plans[] = {{.order = "OB"}, {.order = "BO"}, {.order = "BB"}, {.order = "BC"},
    {.order = "OB", .full = true}, {.order = "BO", .full = true}, {.order = "BB", .full = true},
    {.order = "BC", .full = true}, {.order = "OO", .full = true}};

static const struct drive drives[] = {{"owner", drive_owner}, {"trim", drive_trim}, {"adopter", drive_adopter}};
static const size_t shared_sizes[] = {16, 64, 1000, 8192, 20000, 1 << 20};

#define COUNT(v) (sizeof(v) / sizeof((v)[0]))

static void emit_alone(misuse_emit *emit) {
    for (size_t i = 0; i < COUNT(alone); i++)
        for (const size_t *n = alone[i].sizes; *n != 0 && n != alone[i].sizes + COUNT(alone[i].sizes); n++) {
            struct misuse_case c = {.end = END_DIES, .run = alone[i].run, .n = *n};
            name_case(&c, "double/%s-%zu", alone[i].name, *n);
            text_case(&c, "%s", alone[i].text);
            emit(&c);
        }
}

static void emit_shared(misuse_emit *emit, const struct plot *plan, const struct drive *drive) {
    for (size_t i = 0; i < COUNT(shared_sizes); i++) {
        struct misuse_case c = {.end = END_DIES, .run = by_several, .what = plan, .how = drive, .n = shared_sizes[i]};
        name_case(&c, "double/by-%s%s-found-by-%s-%zu", plan->order, plan->full ? "-full" : "", drive->name, c.n);
        text_case(&c, "%s", caught);
        emit(&c);
    }
}

static void emit_orphans(misuse_emit *emit) {
    for (size_t i = 0; i < 2 * COUNT(shared_sizes); i++) {
        bool other = i % 2 == 1;
        struct misuse_case c = {.end = END_DIES, .run = orphan, .what = other ? "other" : NULL, .n = shared_sizes[i / 2]};
        name_case(&c, "double/orphan-%s-%zu", other ? "by-two" : "by-one", c.n);
        text_case(&c, "%s", c.n >= 65536 ? caught : caught_or_gone);
        emit(&c);
    }
}

void double_free_cases(misuse_emit *emit) {
    emit_alone(emit);
    for (size_t i = 0; i < COUNT(plans); i++)
        for (size_t k = 0; k < COUNT(drives); k++) emit_shared(emit, &plans[i], &drives[k]);
    emit_orphans(emit);
}
