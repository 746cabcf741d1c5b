// A small server that gives each request an arena: it receives a line of words and sends the words back sorted. All
// memory of a request comes from one region and is released by one rewind when the request is answered; nothing is
// freed individually, so nothing can leak.
#include <mbmalloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUESTS = 20000, LINE_BYTES = 256 };

static const char *copy_word(struct mb_region *arena, const char *word, size_t length) {
    char *copy = mb_region_allocate(arena, length + 1, 1);
    if (copy == NULL) return NULL;
    memcpy(copy, word, length);
    copy[length] = 0;
    return copy;
}

// The words of a line, in an array that the arena grows in place or moves.
static const char **split(struct mb_region *arena, const char *line, size_t *count) {
    const char **words = mb_region_allocate(arena, sizeof *words, sizeof *words);
    for (*count = 0; words != NULL && *(line += strspn(line, " \n")) != 0; ++*count) {
        size_t length = strcspn(line, " \n"), bytes = (*count + 1) * sizeof *words;
        if (*count > 0) words = mb_region_grow(arena, words, bytes - sizeof *words, bytes, sizeof *words);
        if (words == NULL || (words[*count] = copy_word(arena, line, length)) == NULL) return NULL;
        line += length;
    }
    return words;
}

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static char *join(struct mb_region *arena, const char **words, size_t count) {
    char *text = mb_region_allocate_zeroed(arena, LINE_BYTES + 2, 1);
    for (size_t i = 0, at = 0; text != NULL && i < count; i++)
        at += (size_t)snprintf(text + at, LINE_BYTES + 2 - at, "%s%s", words[i], i + 1 < count ? " " : "\n");
    return text;
}

static bool answer(struct mb_region *arena, const char *line, int socket) {
    size_t count;
    const char **words = split(arena, line, &count);
    if (words == NULL) return false;
    qsort(words, count, sizeof *words, by_name);
    char *text = join(arena, words, count);
    return text != NULL && write(socket, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool serve(int socket) {
    struct mb_region arena;
    char line[LINE_BYTES];
    ssize_t got;
    bool fine = true;
    if (mb_region_new_lazy(&arena, (size_t)1 << 30) != MB_OK) return false;
    while (fine && (got = read(socket, line, sizeof line - 1)) > 0) {
        size_t mark = mb_region_mark(&arena);
        line[got] = 0;
        fine = answer(&arena, line, socket);
        mb_region_rewind(&arena, mark);
    }
    fine = fine && mb_region_allocated(&arena) == 0 && mb_region_committed(&arena) == 64 << 10; // however many requests came
    return mb_region_drop(&arena) == MB_OK && fine;
}

static void *ask(void *argument) {
    static bool fine;
    int socket = *(int *)argument;
    char line[LINE_BYTES], reply[LINE_BYTES], expected[LINE_BYTES];
    fine = true;
    for (int i = 0; fine && i < REQUESTS; i++) {
        int length = snprintf(line, sizeof line, "pear apple n%06d fig %s\n", i, i % 2 ? "cherry" : "banana");
        snprintf(expected, sizeof expected, "apple %s fig n%06d pear\n", i % 2 ? "cherry" : "banana", i);
        fine = write(socket, line, (size_t)length) == length;
        ssize_t got = fine ? read(socket, reply, sizeof reply - 1) : 0;
        reply[got > 0 ? got : 0] = 0;
        fine = fine && strcmp(reply, expected) == 0;
    }
    close(socket);
    return &fine;
}

int main(void) {
    int ends[2];
    pthread_t client;
    void *client_is_fine;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0) return 1;
    if (pthread_create(&client, NULL, ask, &ends[1]) != 0) return 1;
    bool fine = serve(ends[0]);
    close(ends[0]);
    pthread_join(client, &client_is_fine);
    return fine && *(bool *)client_is_fine ? 0 : 1;
}
