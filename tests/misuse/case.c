// What: helper functions that all cases share.
#include "tests/misuse/case.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void *hide(const void *p) {
    __asm__ volatile("" : "+r"(p) : : "memory");
    return (void *)(uintptr_t)p;
}

static void put(int fd, const char *text) {
    ssize_t written = write(fd, text, strlen(text));
    (void)written;
}

void announce(const void *p) {
    char line[32];
    snprintf(line, sizeof line, "0x%lx\n", (unsigned long)(uintptr_t)p);
    put(1, line);
}

void announce_place(const void *p, const char *format, ...) {
    char line[200];
    va_list args;
    int length = snprintf(line, sizeof line, "0x%lx (", (unsigned long)(uintptr_t)p);
    va_start(args, format);
    vsnprintf(line + length, sizeof line - (size_t)length - 3, format, args);
    va_end(args);
    strcat(line, ")\n");
    put(1, line);
}

void give_up(const char *why) {
    put(2, "misuse: ");
    put(2, why);
    put(2, "\n");
    _exit(1);
}

void *block(size_t bytes) {
    void *p = hide(malloc(bytes));
    if (p == NULL) give_up("malloc returned NULL");
    return p;
}

void blocks(void **out, size_t count, size_t bytes) {
    for (size_t i = 0; i < count; i++) out[i] = block(bytes);
}

void release(void **v, size_t count) {
    for (size_t i = 0; i < count; i++) free(v[i]);
}

void *own_pages(size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) give_up("mmap failed");
    return p;
}

void name_case(struct misuse_case *c, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(c->name, sizeof c->name, format, args);
    va_end(args);
}

void text_case(struct misuse_case *c, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(c->text, sizeof c->text, format, args);
    va_end(args);
}
