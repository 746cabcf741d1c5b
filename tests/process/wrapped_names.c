// All phases of a program's life, run with a library that wraps the C library's functions (wrapped_names_lib.c): before
// main, threads that start and end, keys, blocks of all kinds, statistics, forked children, exit.
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 20, THREADS = 3 };

__attribute__((weak)) long wrapped_calls(void);

static void expect(int holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "FAIL: %s\n", what);
    exit(1);
}

static void *hidden(void *p) {
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}

static void use(size_t bytes) {
    char *p = hidden(malloc(bytes)), *q = hidden(calloc(1, bytes));
    expect(p != NULL && q != NULL && q[bytes - 1] == 0, "blocks");
    memset(p, 1, bytes);
    p = hidden(realloc(p, bytes * 2 + 100));
    expect(p != NULL && p[bytes - 1] == 1, "a larger block");
    p = hidden(realloc(p, bytes / 3 + 1));
    free(p);
    free(q);
    expect(posix_memalign((void **)&p, 256, bytes) == 0 && (size_t)p % 256 == 0, "an aligned block");
    free(p);
}

__attribute__((constructor)) static void before_main(void) { use(100); }
__attribute__((destructor)) static void after_main(void) { use(100); }

static pthread_key_t key;
static void at_end(void *p) {
    use(500);
    free(p);
}

static void *body(void *argument) {
    pthread_setspecific(key, hidden(malloc(64)));
    for (size_t bytes = 1; bytes < 3000000; bytes = bytes * 3 + 1) use(bytes);
    void *mine = hidden(malloc(1000));
    free(argument);
    return mine;
}

static void threads(void) {
    pthread_t thread[THREADS];
    for (int i = 0; i < THREADS; i++) expect(pthread_create(&thread[i], NULL, body, hidden(malloc(100))) == 0, "a thread");
    for (int i = 0; i < THREADS; i++) {
        void *result;
        expect(pthread_join(thread[i], &result) == 0, "its end");
        free(result);
    }
}

static void child(void) {
    for (size_t bytes = 1; bytes < 3000000; bytes = bytes * 3 + 1) use(bytes);
    threads();
    exit(0);
}

static void forks(void) {
    int status = 1;
    pid_t pid = fork();
    if (pid == 0) child();
    expect(waitpid(pid, &status, 0) == pid && status == 0, "a child");
}

static void questions(void) {
    FILE *null = fopen("/dev/null", "w");
    malloc_trim(0);
    expect(mallinfo2().uordblks + mallinfo2().hblkhd > 0 && malloc_info(0, null) == 0, "statistics");
    fclose(null);
    errno = 0;
    expect(hidden(malloc((size_t)hidden((void *)-100))) == NULL && errno == ENOMEM, "a request beyond all memory");
}

int main(void) {
    expect(pthread_key_create(&key, at_end) == 0, "a key");
    for (int i = 0; i < ROUNDS; i++) {
        threads();
        if (i % 5 == 0) forks();
    }
    questions();
    if (wrapped_calls != NULL) expect(wrapped_calls() > 100, "wrappers were called");
    puts("lived");
    return 0;
}
