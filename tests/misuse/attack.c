// What: attacks that the default mode may or may not detect. If detected, the process ends with one documented line; if
// not, they must have no effect: no block is handed out twice, nothing outside the heap is handed out, no live block is
// changed.
//
// Not tested, since no allocator without a trusted header can prevent it: restoring an old first word of the same freed
// block (a stale read followed by a write after free).
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/misuse/actor.h"
#include "tests/misuse/case.h"
#include "tests/misuse/shadow.h"

#define COUNT(v) (sizeof(v) / sizeof((v)[0]))
enum { CROWD = 3000, RACES = 300 };

static void *crowd[CROWD];
static _Alignas(4096) char decoy[16384];

static void deed_free(void *p) { free(p); }
static void deed_churn(void *bytes) { shadow_churn(*(size_t *)bytes); }
static void nothing(void *unused) { (void)unused; }

static void churn(size_t bytes) {
    shadow_forbid(decoy, sizeof decoy);
    shadow_churn(bytes);
    by_thread(deed_churn, &bytes);
    malloc_trim(0);
    shadow_churn(bytes);
}

// --- writes after free, then a second free ---------------------------------------------------------------------------

static void write_and_free_again(const struct misuse_case *c) {
    void *before = block(c->n), *p = block(c->n), *after = block(c->n);
    const char *what = c->what;
    free(before);
    free(p);
    free(after);
    if (strcmp(what, "zero") == 0) memset(p, 0, 8);
    else if (strcmp(what, "ones") == 0) memset(p, 0xff, 8);
    else if (strcmp(what, "tag") == 0) memset((char *)p + 8, 0x5a, 8);
    else if (strcmp(what, "both") == 0) memset(p, 0x41, 16);
    else if (strcmp(what, "neighbour") == 0) memcpy(p, after, 16);
    else memcpy(p, &(void *){decoy}, sizeof(void *));
    free(p);
    churn(c->n);
}

static void swap_links(const struct misuse_case *c) {
    unsigned char a[16], b[16];
    for (size_t i = 0; i < 20; i++) crowd[i] = block(c->n);
    release(crowd, 20);
    memcpy(a, crowd[5], 16);
    memcpy(b, crowd[9], 16);
    memcpy(crowd[5], b, 16);
    memcpy(crowd[9], a, 16);
    churn(c->n);
}

// --- overflows of a live block ---------------------------------------------------------------------------------------

static void overflow(const struct misuse_case *c) {
    for (size_t i = 0; i < 200; i++) crowd[i] = block(c->n);
    for (size_t i = 0; i < 200; i += 2) free(crowd[i]);
    for (size_t i = 1; i < 200; i += 20) memset((char *)crowd[i] + malloc_usable_size(crowd[i]), 0x41, (size_t)(uintptr_t)c->what);
    churn(c->n);
}

// --- several threads -------------------------------------------------------------------------------------------------

// The owner frees many blocks and allocates one, so that the others are ready to be handed out. Another thread frees
// one of these again, and then the owner allocates them all. The second free is over by then, so it must not free the
// block that was handed out since.
static void second_free_of_a_ready_block(const struct misuse_case *c) {
    size_t position = (size_t)(uintptr_t)c->what;
    for (size_t i = 0; i < 100; i++) crowd[i] = block(c->n);
    release(crowd, 100);
    for (size_t i = 0; i < 10; i++) shadow_malloc(c->n);
    if (!shadow_has(crowd[position])) by_thread(deed_free, crowd[position]);
    for (size_t i = 0; i < 5000; i++) shadow_malloc(c->n);
    malloc_trim(0);
    for (size_t i = 0; i < 5000; i++) shadow_malloc(c->n);
    shadow_verify();
}

struct shared_block {
    struct actor b;
    void *others[64], *p;
};

static void deed_free_others(void *arg) {
    struct shared_block *x = arg;
    release(x->others, 64);
}

// The other thread's free may still wait in its own cache when the owner frees the block and takes it again.
static void free_while_another_holds_it(const struct misuse_case *c) {
    static struct shared_block x;
    blocks(x.others, 32, c->n);
    x.p = block(c->n);
    blocks(x.others + 32, 32, c->n);
    actor_start(&x.b);
    actor_do(&x.b, deed_free, x.p);
    free(x.p);
    for (size_t i = 0; i < 5000; i++) shadow_malloc(c->n);
    actor_do(&x.b, deed_free_others, &x);
    for (size_t i = 0; i < 5000; i++) shadow_malloc(c->n);
    actor_stop(&x.b);
    for (size_t i = 0; i < 5000; i++) shadow_malloc(c->n);
    malloc_trim(0);
    churn(c->n);
}

// As above, with a fork between: the child has only what the other thread had put into memory.
static void free_again_in_a_child(const struct misuse_case *c) {
    static struct shared_block x;
    blocks(x.others, 64, c->n);
    x.p = block(c->n);
    actor_start(&x.b);
    actor_do(&x.b, deed_free, x.p);
    pid_t child = fork();
    if (child == 0) {
        free(x.p);
        churn(c->n);
        _exit(0);
    }
    int status;
    if (waitpid(child, &status, 0) != child) give_up("waitpid failed");
    if (WIFSIGNALED(status)) kill(getpid(), WTERMSIG(status));
    if (status != 0) give_up("the child found a fault");
}

struct race {
    pthread_barrier_t start, end;
    void *p;
};

static void *race_main(void *arg) {
    struct race *r = arg;
    for (int i = 0; i < RACES; i++) {
        pthread_barrier_wait(&r->start);
        free(r->p);
        pthread_barrier_wait(&r->end);
    }
    return NULL;
}

// Two threads free the same block at the same moment, again and again, while the owner allocates and frees.
static void race_of_two_frees(const struct misuse_case *c) {
    static struct race r;
    pthread_t a, b;
    pthread_barrier_init(&r.start, NULL, 3);
    pthread_barrier_init(&r.end, NULL, 3);
    pthread_create(&a, NULL, race_main, &r);
    pthread_create(&b, NULL, race_main, &r);
    for (int i = 0; i < RACES; i++) {
        void *neighbour = shadow_malloc(c->n);
        r.p = block(c->n);
        pthread_barrier_wait(&r.start);
        shadow_free(neighbour);
        pthread_barrier_wait(&r.end);
        for (int k = 0; k < 40; k++) shadow_malloc(c->n);
    }
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    malloc_trim(0);
    churn(c->n);
}

static void deed_usable_size(void *p) { (void)malloc_usable_size(p); }
static void deed_realloc(void *p) { hide(realloc(p, 40)); }

// Another thread asks for the size of a block that the owner has freed, or resizes it.
static void other_uses_freed(const struct misuse_case *c) {
    void *p = block(c->n), *wall = block(c->n);
    (void)wall;
    free(p);
    by_thread(c->what != NULL ? deed_realloc : deed_usable_size, p);
    churn(c->n);
}

// The block was freed by another thread, which sleeps; the owner asks for its size or resizes it.
static void owner_uses_freed(const struct misuse_case *c) {
    static struct actor b;
    void *p = block(c->n), *wall = block(c->n);
    (void)wall;
    actor_start(&b);
    actor_do(&b, deed_free, p);
    if (c->what != NULL) deed_realloc(p);
    else deed_usable_size(p);
    actor_do(&b, nothing, NULL);
    churn(c->n);
}

// --- forged chunks of the libc's malloc ------------------------------------------------------------------------------
// Pointers from outside may be blocks of the libc's own malloc, so they are looked at; what is forged to look like one
// may at worst end in the libc's lists, never in ours. (What satisfies all of glibc's own tests is handed to glibc, and
// what glibc does with it is not tested: no large chunks on the brk heap.)

static void forge_chunk(char *at, size_t size_and_flags, size_t next_size) {
    size_t size = size_and_flags & ~(size_t)7;
    memcpy(at - 8, &size_and_flags, 8);
    if (size < 8192) memcpy(at + size - 8, &next_size, 8);
}

static void *forged_on_page(size_t size_and_flags) {
    char *p = own_pages(1 << 18);
    shadow_forbid(p, 4096);
    forge_chunk(p + 16, size_and_flags, 0x41);
    return p + 16;
}

static void *forged_in_static(size_t size_and_flags) {
    forge_chunk(decoy + 64, size_and_flags, 0x41);
    return hide(decoy + 64);
}

static void *forged_on_brk(size_t size_and_flags) {
    char *p = (char *)syscall(SYS_brk, 0); // not every libc's sbrk moves the end
    if (syscall(SYS_brk, p + 65536) != (long)(uintptr_t)(p + 65536)) give_up("brk failed");
    p = (char *)(((uintptr_t)p + 4095) & ~(uintptr_t)4095);
    shadow_forbid(p, 32768);
    forge_chunk(p + 64, size_and_flags, 0x41);
    return p + 64;
}

static void free_forged(const struct misuse_case *c) {
    void *(*forge)(size_t) = *(void *(*const *)(size_t))c->what;
    void *p = forge(c->n);
    free(p);
    churn(64);
    churn(1000);
}

// --- the tables ------------------------------------------------------------------------------------------------------

static void emit_one(misuse_emit *emit, void (*run)(const struct misuse_case *), const char *name, const void *what, size_t n) {
    struct misuse_case c = {.end = END_STOPPED, .run = run, .what = what, .n = n, .options = strstr(name, "asks-size") != NULL ? "sized=abort" : NULL};
    name_case(&c, "attack/%s-%zu", name, n);
    emit(&c);
}

static void emit_writes(misuse_emit *emit, size_t n) {
    static const char *const words[] = {"zero", "ones", "tag", "both", "neighbour", "pointer"};
    for (size_t i = 0; i < COUNT(words); i++) {
        struct misuse_case c = {.end = END_STOPPED, .run = write_and_free_again, .what = words[i], .n = n};
        name_case(&c, "attack/write-%s-and-free-again-%zu", words[i], n);
        emit(&c);
    }
}

static void emit_forged(misuse_emit *emit) {
    static void *(*const forgers[])(size_t) = {forged_on_page, forged_in_static, forged_on_brk};
    static const size_t headers[] = {0x0, 0x21, 0x41, 0x45, 0x411, 0x1011, 0x1002, 0x20002, 0xffffffffffffff01};
    static const char *const places[] = {"page", "static", "brk"};
    for (size_t i = 0; i < COUNT(forgers); i++)
        for (size_t k = 0; k < COUNT(headers); k++) {
            if (forgers[i] == forged_on_brk && (headers[k] & ~(size_t)7) == 0x1010) continue;
            struct misuse_case c = {.end = END_STOPPED, .run = free_forged, .what = &forgers[i], .n = headers[k]};
            name_case(&c, "attack/forged-chunk-%zx-on-%s", headers[k], places[i]);
            text_case(&c, "libc");
            emit(&c);
        }
}

static void emit_threads(misuse_emit *emit, size_t n) {
    emit_one(emit, second_free_of_a_ready_block, "second-free-of-a-ready-block-at-20", (void *)20, n);
    emit_one(emit, second_free_of_a_ready_block, "second-free-of-a-ready-block-at-80", (void *)80, n);
    emit_one(emit, second_free_of_a_ready_block, "second-free-of-a-ready-block-at-88", (void *)88, n);
    emit_one(emit, free_while_another_holds_it, "free-while-another-holds-it", NULL, n);
    emit_one(emit, free_again_in_a_child, "free-again-in-a-child", NULL, n);
    emit_one(emit, race_of_two_frees, "race-of-two-frees", NULL, n);
    emit_one(emit, other_uses_freed, "other-asks-size-of-freed", NULL, n);
    emit_one(emit, other_uses_freed, "other-resizes-freed", "realloc", n);
    emit_one(emit, owner_uses_freed, "owner-asks-size-of-freed", NULL, n);
    emit_one(emit, owner_uses_freed, "owner-resizes-freed", "realloc", n);
}

void attack_cases(misuse_emit *emit) {
    static const size_t sizes[] = {16, 64, 1000, 8192};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        emit_writes(emit, sizes[i]);
        emit_one(emit, swap_links, "swap-links", NULL, sizes[i]);
        emit_one(emit, overflow, "overflow-by-1", (void *)1, sizes[i]);
        emit_one(emit, overflow, "overflow-by-8", (void *)8, sizes[i]);
        emit_one(emit, overflow, "overflow-by-16", (void *)16, sizes[i]);
        emit_threads(emit, sizes[i]);
    }
    emit_forged(emit);
}
