// A program linked with musl: the preloaded library must serve its own calls, those that the C library makes (strdup,
// getline, setenv, stdio's buffers, memory of qsort and regcomp) and those of its threads. Also checks that the C
// library really is musl.
#include <dlfcn.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/process/expect.h"

int mb_serves(const void *p);

static void served_and_free(void *p) {
    EXPECT(p != NULL && mb_serves(p));
    free(p);
}

static void libc_asks_us(void) {
    served_and_free(strdup("copied by the libc"));
    char *line = NULL;
    size_t room = 0;
    FILE *file = fopen("/proc/self/maps", "r");
    EXPECT(file != NULL && mb_serves(file));
    EXPECT(getline(&line, &room, file) > 0);
    served_and_free(line);
    EXPECT(fclose(file) == 0);
    char *text;
    file = open_memstream(&text, &room);
    EXPECT(fprintf(file, "%d", 12345) == 5 && fclose(file) == 0);
    served_and_free(text);
    regex_t pattern;
    EXPECT(regcomp(&pattern, "a(b|c)*d", REG_EXTENDED) == 0 && regexec(&pattern, "xabcbcd", 0, NULL, 0) == 0);
    regfree(&pattern);
    served_and_free(realpath("/proc/self/../self", NULL));
}

// By one thread: musl's setenv takes no lock.
static void environment_is_ours(void) {
    for (int i = 0; i < 100; i++) EXPECT(setenv("MB_SERVED", i % 2 ? "odd" : "even, and longer", 1) == 0);
}

// Opens the libc itself: its free must be ours, or a block of ours would end the process.
static void opened_libc_is_ours(const char *name) {
    void *libc = dlopen(name, RTLD_NOW);
    EXPECT(libc != NULL);
    void *(*their_malloc)(size_t) = (void *(*)(size_t))dlsym(libc, "malloc");
    void (*their_free)(void *) = (void (*)(void *))dlsym(libc, "free");
    EXPECT(their_malloc != NULL && their_free != NULL);
    void *p = their_malloc(100);
    EXPECT(mb_serves(p));
    their_free(malloc(100));
    free(p);
}

static void *work(void *unused) {
    for (int i = 0; i < 1000; i++) {
        void *p = malloc((size_t)i * 17);
        EXPECT(mb_serves(p));
        free(p);
    }
    libc_asks_us();
    return unused;
}

int main(void) {
    EXPECT(dlsym(RTLD_DEFAULT, "gnu_get_libc_version") == NULL);
    libc_asks_us();
    environment_is_ours();
    opened_libc_is_ours("libc.so");
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) EXPECT(pthread_create(&threads[i], NULL, work, NULL) == 0);
    for (int i = 0; i < 4; i++) EXPECT(pthread_join(threads[i], NULL) == 0);
    opened_libc_is_ours("/lib/ld-musl-x86_64.so.1");
    puts("served");
    return 0;
}
