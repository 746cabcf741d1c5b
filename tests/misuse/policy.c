// What: with on_error=log a mistake is reported, with on_error=count it is only counted; in both cases the call does
// nothing, and the heap works on as if it had not been made. Also: what else a line says (the thread, when the block
// was freed), and where a debugger finds the last line.
//
// Who: the main thread, and a helper that frees as another thread.
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/told/statistics.h"
#include "tests/misuse/actor.h"
#include "tests/misuse/case.h"

static struct actor helper;

// Blocks of the size and of some others do not overlap, hold what is written, and can be freed.
static void expect_sound(size_t bytes) {
    enum { BLOCKS = 600 };
    static unsigned char *v[BLOCKS];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < BLOCKS; i++) memset(v[i] = block(i % 3 == 2 ? 48 : bytes), (int)(i % 251), i % 3 == 2 ? 48 : bytes);
        for (size_t i = 0; i < BLOCKS; i++)
            if (v[i][0] != i % 251 || v[i][(i % 3 == 2 ? 48 : bytes) - 1] != i % 251) give_up("two blocks overlap");
        for (size_t i = 0; i < BLOCKS; i++) free(v[i]);
    }
}

static void expect_count(uint64_t count) {
    struct mb_statistics s = {.size = sizeof s};
    int (*get)(struct mb_statistics *) = (int (*)(struct mb_statistics *))dlsym(RTLD_DEFAULT, "mb_statistics_get");
    if (get == NULL || get(&s) != 1) give_up("no statistics");
    if (s.mistakes != count) give_up("mistakes are not counted");
}

// --- mistakes, each of which must leave the heap as it was -----------------------------------------------------------

static void do_free(void *p) { free(p); }

static void twice(void *p) {
    free(p);
    free(p);
}
static void twice_apart(void *p) {
    free(p);
    actor_do(&helper, do_free, p);
}
// The owner's free, which shows when the memory is about to be used again.
static void twice_found_later(void *p) {
    actor_do(&helper, do_free, p);
    free(p);
}
static void interior(void *p) {
    free((char *)p + 16);
    free(p);
}
static void misaligned(void *p) {
    free((char *)p + 3);
    free(p);
}
static void foreign(void *p) {
    free((char *)own_pages(4096) + 64);
    free(p);
}
static void expect_fresh(void *fresh, size_t bytes) {
    if (fresh == NULL) give_up("realloc gave nothing");
    memset(fresh, 1, bytes);
    free(fresh);
}
static void resized(void *p) {
    free(p);
    expect_fresh(hide(realloc(p, 200)), 200);
}
static void resized_to_nothing(void *p) {
    free(p);
    if (realloc(p, 0) != NULL) give_up("realloc gave something");
}
static void resized_inside(void *p) {
    expect_fresh(hide(realloc((char *)p + 16, 3000)), 3000);
    free(p);
}
static void sized(void *p) {
    void (*freed)(void *, size_t) = (void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized");
    free(p);
    freed(p, 1);
}

static const struct deed {
    const char *name, *text;
    void (*commit)(void *p);
} deeds[] = {
    {"twice", "double free", twice},
    {"twice-apart", "double free|invalid free: not allocated (freed already, or never handed out)", twice_apart},
    {"twice-found-later", "double free", twice_found_later},
    {"interior", "invalid free (interior pointer)", interior},
    {"misaligned", "invalid free (interior pointer)", misaligned},
    {"foreign", "invalid free (not a heap block)", foreign},
    {"realloc", "realloc of a freed block", resized},
    {"realloc-to-nothing", "realloc of a freed block", resized_to_nothing},
    {"realloc-inside", "invalid realloc (interior pointer)", resized_inside},
    {"free-sized", "double free", sized},
};

static void survive(const struct misuse_case *c) {
    const struct deed *deed = c->what;
    void *around[40];
    actor_start(&helper);
    blocks(around, 40, c->n);
    void *p = around[17];
    if (strcmp(deed->name, "foreign") != 0)
        announce(deed->commit == interior || deed->commit == resized_inside ? (char *)p + 16
                 : deed->commit == misaligned                               ? (char *)p + 3
                                                                            : (char *)p);
    deed->commit(p);
    around[17] = NULL;
    release(around, 40);
    expect_sound(c->n);
    malloc_trim(0);
    expect_sound(c->n);
    expect_count(1);
    actor_stop(&helper);
}

static void survive_many(const struct misuse_case *c) {
    for (size_t i = 0; i < 1000; i++) twice(block(c->n + i % 7 * 40));
    expect_sound(c->n);
    expect_count(1000);
}

// --- hardened: what it finds besides ---------------------------------------------------------------------------------

static void overflow(const struct misuse_case *c) {
    char *p = block(c->n);
    announce(p);
    memset(p, 7, c->n);
    p[c->n] = 0;
    p = hide(realloc(p, c->n + 500));
    if (p == NULL || p[0] != 7 || p[c->n - 1] != 7) give_up("the contents are lost");
    free(p);
    expect_sound(c->n);
    expect_count(1);
}

static void write_after_free(const struct misuse_case *c) {
    char *p = block(c->n);
    announce(p);
    free(p);
    p[5] = 1;
    for (int i = 0; i < 20; i++) expect_sound(c->n);
    expect_count(1);
}

static void freed_ago(const struct misuse_case *c) {
    void *p = block(c->n), *others[5];
    free(p);
    blocks(others, 5, c->n);
    announce_place(p, "free, room for blocks of %zu bytes, freed 5 blocks of its class ago", (c->n + 8 + 15) / 16 * 16);
    free(p);
}

// --- the line --------------------------------------------------------------------------------------------------------

static void names_thread(const struct misuse_case *c) {
    actor_start(&helper);
    void *p = block(c->n);
    free(p);
    announce_place(p, "free, a block of %zu bytes, thread %ld", c->n, (long)syscall(SYS_gettid));
    free(p);
    give_up("the second free was not caught");
}

static void *victim;

static void look_at_message(int sig) {
    const char *message = dlsym(RTLD_DEFAULT, "mb_abort_message");
    char expected[100];
    snprintf(expected, sizeof expected, "mbmalloc: double free: 0x%lx (free", (unsigned long)victim);
    if (message != NULL && strncmp(message, expected, strlen(expected)) == 0) announce(victim);
    signal(sig, SIG_DFL);
}

static void keeps_message(const struct misuse_case *c) {
    signal(SIGABRT, look_at_message);
    victim = block(c->n);
    free(victim);
    free(victim);
    give_up("the second free was not caught");
}

// --- all -------------------------------------------------------------------------------------------------------------

static void emit_survivals(misuse_emit *emit, const struct deed *deed) {
    static const size_t sizes[] = {64, 1000, 20000, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int log = 0; log < 2; log++) {
            struct misuse_case c = {.end = log ? END_TOLD : END_LIVES,
                                    .options = log ? "on_error=log" : "on_error=count",
                                    .run = survive,
                                    .what = deed,
                                    .n = sizes[i]};
            if (log && deed->commit == foreign) c.end = END_ANYHOW; // its address is not announced
            name_case(&c, "policy/%s-%zu-%s", deed->name, sizes[i], log ? "log" : "count");
            text_case(&c, "%s", deed->text);
            emit(&c);
        }
}

void policy_cases(misuse_emit *emit) {
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) emit_survivals(emit, &deeds[i]);
    emit(&(struct misuse_case){.name = "policy/many-count", .end = END_LIVES, .options = "on_error=count", .run = survive_many, .n = 64});
    static const struct misuse_case others[] = {
        {.name = "policy/hardened-overflow",
         .end = END_TOLD,
         .options = "profile=hardened,on_error=log",
         .text = "heap overflow (written behind the block)",
         .run = overflow,
         .n = 100},
        {.name = "policy/hardened-overflow-large",
         .end = END_TOLD,
         .options = "profile=hardened,on_error=log",
         .text = "heap overflow (written behind the block)",
         .run = overflow,
         .n = 50000},
        {.name = "policy/hardened-write-after-free",
         .end = END_TOLD,
         .options = "profile=hardened,on_error=log",
         .text = "write after free",
         .run = write_after_free,
         .n = 64},
        {.name = "policy/hardened-freed-ago",
         .end = END_DIES,
         .options = "profile=hardened",
         .text = "double free",
         .run = freed_ago,
         .n = 64},
        {.name = "policy/thread", .end = END_DIES, .text = "double free", .run = names_thread, .n = 64},
        {.name = "policy/message", .end = END_DIES, .text = "double free", .run = keeps_message, .n = 64},
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) emit(&others[i]);
}
