// Children that share the parent's memory until exec: vfork, posix_spawn (with file actions and attributes), system,
// popen, and clone(CLONE_VM | CLONE_VFORK) on a separate stack, while other threads allocate.
//
// A vfork child may allocate and free before it execs; the parent must find its heap intact and the child's blocks
// usable.
#include "tests/process/blocks.h"
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>

enum { ROUNDS = 60, WORKERS = 2, SHARED = 64, STACK_BYTES = 64 * 1024 };

extern char **environ;
static atomic_bool stop;
static void *volatile shared[SHARED];
static char clone_stack[STACK_BYTES] __attribute__((aligned(64)));

static void *work(void *arg) {
    uint64_t rng = (uint64_t)(uintptr_t)arg + 17;
    void *mine[64] = {NULL};
    while (!atomic_load(&stop)) {
        size_t i = (size_t)(random_next(&rng) >> 40) % 64;
        block_free(mine[i]);
        mine[i] = block_new(block_random_bytes(&rng));
    }
    for (int i = 0; i < 64; i++) block_free(mine[i]);
    return NULL;
}

// Runs in the child, in the parent's memory: frees half of the shared blocks and allocates new ones.
static void renew_shared(void) {
    for (size_t i = 0; i < SHARED; i += 2) {
        block_free(shared[i]);
        shared[i] = block_new(16 + i * 500);
    }
}

static __attribute__((noinline)) void vfork_once(void) {
    pid_t child = vfork();
    if (child == 0) {
        renew_shared();
        execl("/bin/true", "true", (char *)NULL);
        _exit(127);
    }
    expect_child_ok(child);
}

static int live_in_shared_memory(void *arg) {
    (void)arg;
    renew_shared();
    _exit(0);
}

static void clone_once(void) {
    pid_t child = clone(live_in_shared_memory, clone_stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
    expect_child_ok(child);
}

static void spawn_once(void) {
    char *const args[] = {(char *)"sh", (char *)"-c", (char *)"exit $((40 + 2))", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    EXPECT(posix_spawn_file_actions_init(&actions) == 0 && posix_spawnattr_init(&attributes) == 0);
    EXPECT(posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0) == 0);
    EXPECT(posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF) == 0);
    pid_t child = 0;
    int status = 0;
    EXPECT(posix_spawnp(&child, "sh", &actions, &attributes, args, environ) == 0);
    EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 42);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
}

static void popen_once(void) {
    char *line = NULL;
    size_t capacity = 0;
    FILE *pipe = popen("echo one; echo two", "r");
    EXPECT(pipe != NULL);
    EXPECT(getline(&line, &capacity, pipe) == 4 && strcmp(line, "one\n") == 0);
    EXPECT(getline(&line, &capacity, pipe) == 4 && strcmp(line, "two\n") == 0);
    EXPECT(pclose(pipe) == 0);
    free(line);
}

static void check_shared(void) {
    for (size_t i = 0; i < SHARED; i++) EXPECT(block_check(shared[i]) == 16 + i * 500);
}

int main(void) {
    test_begin(60);
    for (size_t i = 0; i < SHARED; i++) shared[i] = block_new(16 + i * 500);
    pthread_t threads[WORKERS];
    for (uintptr_t w = 0; w < WORKERS; w++) threads[w] = thread_start(work, (void *)w);
    for (int i = 0; i < ROUNDS; i++) {
        vfork_once();
        clone_once();
        spawn_once();
        check_shared();
        if (i % 4 == 0) EXPECT(system("exit 0") == 0);
        if (i % 4 == 0) popen_once();
    }
    atomic_store(&stop, true);
    for (size_t w = 0; w < WORKERS; w++) thread_join(threads[w]);
    for (size_t i = 0; i < SHARED; i++) block_free(shared[i]);
    puts("vfork, clone, posix_spawn, system, popen clean");
    return 0;
}
