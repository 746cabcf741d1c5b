// Waiting, writing and ending the process through platform/os.h.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "platform/os.h"
#include "tests/unit/kernel.h"
#include "tests/unit/memory.h"

// --- waiting --------------------------------------------------------------------------------------------------------

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void wait_returns_when_the_word_differs(void **state) {
    (void)state;
    _Atomic uint32_t word = 1;
    alarm(20);
    mb_os_wait(&word, 0, UINT64_MAX);
    alarm(0);
}

static void wait_ends_at_its_time(void **state) {
    (void)state;
    _Atomic uint32_t word = 0;
    uint64_t begin = now_ns(), took = 0;
    while (took < 50000000) { // spurious wake-ups are allowed
        mb_os_wait(&word, 0, 50000000 - took);
        took = now_ns() - begin;
    }
    assert_true(took < UINT64_C(20000000000));
    begin = now_ns();
    mb_os_wait(&word, 0, UINT64_C(1200000000)); // seconds and nanoseconds
    assert_true(now_ns() - begin > UINT64_C(1150000000));
}

struct baton {
    _Atomic uint32_t word;
    _Atomic uint32_t seen;
};

static void *wait_for_baton(void *argument) {
    struct baton *baton = argument;
    while (atomic_load(&baton->word) == 0) mb_os_wait(&baton->word, 0, UINT64_MAX);
    atomic_fetch_add(&baton->seen, 1);
    return NULL;
}

static void wake_wakes_all_that_wait(void **state) {
    (void)state;
    struct baton baton = {0, 0};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, wait_for_baton, &baton), 0);
    usleep(50000);
    assert_int_equal(atomic_load(&baton.seen), 0);
    atomic_store(&baton.word, 1);
    mb_os_wake(&baton.word, INT32_MAX);
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&baton.seen), 4);
}

// --- writing --------------------------------------------------------------------------------------------------------

static void nothing(int signal_number) { (void)signal_number; }

static size_t read_all(int fd) {
    static char buffer[4096];
    size_t total = 0;
    ssize_t got;
    while ((got = read(fd, buffer, sizeof buffer)) > 0 || (got < 0 && errno == EINTR)) {
        if (got > 0) total += (size_t)got;
    }
    return total;
}

static void *poke(void *argument) { // interrupts the writer again and again
    for (int i = 0; i < 50; i++, usleep(1000)) pthread_kill(*(pthread_t *)argument, SIGUSR1);
    return NULL;
}

static bool write_a_megabyte(void *argument) {
    struct sigaction action = {.sa_handler = nothing}; // no SA_RESTART
    pthread_t self = pthread_self(), poker;
    char *text = calloc(1, 1 << 20);
    sigaction(SIGUSR1, &action, NULL);
    if (text == NULL || pthread_create(&poker, NULL, poke, &self) != 0) return false;
    mb_os_write(*(int *)argument, text, 1 << 20);
    close(*(int *)argument);
    pthread_join(poker, NULL);
    free(text);
    return true;
}

static void write_finishes_despite_interruptions(void **state) {
    (void)state;
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        _exit(write_a_megabyte(&ends[1]) ? 0 : 1);
    }
    close(ends[1]);
    usleep(20000); // the pipe fills and the writer sleeps in it
    assert_int_equal(read_all(ends[0]), 1 << 20);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    mb_os_write(-1, "x", 1); // quiet
    mb_os_write(1, "", 0);
}

static void append_adds_whole_lines(void **state) {
    (void)state;
    char folder[] = "/tmp/mb_append_XXXXXX", path[64], text[32] = "";
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/out", folder);
    mode_t mask = umask(027);
    assert_int_equal(mb_os_append_file(path, "one\n", 4), 0);
    assert_int_equal(mb_os_append_file(path, "two\n", 4), 0);
    umask(mask);
    struct stat facts;
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0640);
    int fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, text, sizeof text), 8);
    assert_string_equal(text, "one\ntwo\n");
    close(fd);
    assert_int_equal(mb_os_append_file(folder, "x", 1), -EISDIR);
    unlink(path);
    rmdir(folder);
    assert_int_equal(mb_os_append_file(path, "x", 1), -ENOENT);
    if (access("/dev/full", W_OK) == 0) assert_int_equal(mb_os_append_file("/dev/full", "x", 1), -ENOSPC);
}

// --- the last word --------------------------------------------------------------------------------------------------

static int handler_ran_at = -1; // a pipe that the handler writes to

static void note_and_return(int signal_number) {
    (void)signal_number;
    if (write(handler_ran_at, "h", 1) != 1) _exit(9);
}

static bool abort_plainly(void *unused) {
    (void)unused;
    mb_os_abort();
}

static bool abort_blocked(void *unused) {
    (void)unused;
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    mb_os_abort();
}

static bool abort_ignored(void *unused) {
    (void)unused;
    signal(SIGABRT, SIG_IGN);
    mb_os_abort();
}

static bool abort_handled(void *unused) {
    (void)unused;
    signal(SIGABRT, note_and_return);
    mb_os_abort();
}

static void abort_always_ends_by_sigabrt(void **state) {
    (void)state;
    int ends[2];
    char byte = 0;
    assert_int_equal(pipe(ends), 0);
    handler_ran_at = ends[1];
    assert_int_equal(child_outcome(abort_plainly, NULL), SIGABRT);
    assert_int_equal(child_outcome(abort_blocked, NULL), SIGABRT);
    assert_int_equal(child_outcome(abort_ignored, NULL), SIGABRT);
    assert_int_equal(child_outcome(abort_handled, NULL), SIGABRT);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(byte, 'h');
    close(ends[0]);
    close(ends[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wait_returns_when_the_word_differs),
        cmocka_unit_test(wait_ends_at_its_time),
        cmocka_unit_test(wake_wakes_all_that_wait),
        cmocka_unit_test(write_finishes_despite_interruptions),
        cmocka_unit_test(append_adds_whole_lines),
        cmocka_unit_test(abort_always_ends_by_sigabrt),
    };
    return cmocka_run_group_tests_name("platform: waiting, writing, the last word", tests, NULL, NULL);
}
