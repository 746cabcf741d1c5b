// What: makes one fault in functions whose names say who allocated, who freed and who found it. tests/misuse/stacks.sh
// reads the names from the report of profile=debug.
//
// Who: the main thread, and a thread that frees. Compiled with debug information, so that the report has line numbers.
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APART __attribute__((noinline))
#define KEEP_FRAME() __asm__ volatile("" : : : "memory")

static size_t bytes;

APART static char *allocate_here(void) {
    char *p = malloc(bytes);
    KEEP_FRAME();
    return p;
}
APART static char *allocate_zeroed_here(void) {
    char *p = calloc(1, bytes);
    KEEP_FRAME();
    return p;
}
APART static char *allocate_by_realloc_here(void) {
    char *p = realloc(malloc(bytes / 2), bytes);
    KEEP_FRAME();
    return p;
}
APART static void free_here(char *p) {
    free(p);
    KEEP_FRAME();
}
APART static void free_again_here(char *p) {
    free(p);
    KEEP_FRAME();
}
APART static void resize_here(char *p) {
    p = realloc(p, 2 * bytes);
    KEEP_FRAME();
}
APART static void check_here(void) {
    int (*check)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "mb_check");
    printf("faults %d\n", check());
    KEEP_FRAME();
}
APART static void reuse_here(void) {
    for (int i = 0; i < 1 << 20; i++) free(malloc(bytes));
    KEEP_FRAME();
}
APART static void write_here(char *p, long at) {
    *(volatile char *)(p + at) = 7;
    KEEP_FRAME();
}

APART static int read_here(char *p, size_t at) {
    int byte = *(volatile char *)(p + at);
    KEEP_FRAME();
    return byte;
}

APART static void *free_in_thread(void *p) {
    free_here(p);
    KEEP_FRAME();
    return NULL;
}
static void by_thread(char *p) {
    pthread_t thread;
    pthread_create(&thread, NULL, free_in_thread, p);
    pthread_join(thread, NULL);
}

APART static void commit(const char *fault) {
    char *p = strncmp(fault, "calloc", 6) == 0    ? allocate_zeroed_here()
              : strncmp(fault, "realloc", 7) == 0 ? allocate_by_realloc_here()
                                                  : allocate_here();
    char *other = allocate_here();
    if (strstr(fault, "double") != NULL) free_here(p), free_again_here(p);
    if (strstr(fault, "remote") != NULL) by_thread(p), free_again_here(p);
    if (strstr(fault, "interior") != NULL) free_again_here(p + 1);
    if (strstr(fault, "overflow") != NULL) write_here(p, (long)bytes), free_again_here(p);
    if (strstr(fault, "underflow") != NULL) write_here(p, -1), free_again_here(p);
    if (strstr(fault, "resize") != NULL) write_here(p, (long)bytes), resize_here(p);
    if (strstr(fault, "check") != NULL) write_here(p, (long)bytes), write_here(other, (long)bytes), check_here();
    if (strstr(fault, "reuse") != NULL) free_here(p), write_here(p, 3), reuse_here();
    if (strstr(fault, "exit") != NULL) free_here(p), write_here(p, 3), exit(0);
    if (strcmp(fault, "touch-behind") == 0)
        read_here(p, (bytes + 4095) / 4096 * 4096 == bytes || bytes < 4096 ? bytes : (bytes + 4095) / 4096 * 4096);
    if (strcmp(fault, "touch-freed") == 0) free_here(p), read_here(p, bytes / 2);
    if (strstr(fault, "leak") != NULL) allocate_zeroed_here(), exit(0);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    setvbuf(stdout, NULL, _IONBF, 0);
    bytes = strtoul(argv[1], NULL, 10);
    commit(argv[2]);
    return 0;
}
