// Reads a heap profile: gzip(1) unpacks it, and this file parses the few fields of profile.proto that are needed.
// Malformed input ends the reading with a message.
#include "preload/tool/profile.h"

#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/tool/tool.h"

extern char **environ;

// --- bytes -----------------------------------------------------------------------------------------------------------

struct bytes {
    unsigned char *at, *end;
};

static void *grown(void *p, size_t count, size_t size) {
    if ((count & (count - 1)) != 0) return p; // the capacity is the next power of two, so there is room
    p = realloc(p, (count == 0 ? 1 : 2 * count) * size);
    if (p == NULL) exit(tool_fail("no memory"));
    return p;
}

static bool read_all(int fd, struct bytes *out) {
    size_t used = 0, room = 1 << 16;
    unsigned char *all = malloc(room);
    for (ssize_t got; all != NULL && (got = read(fd, all + used, room - used)) != 0;) {
        if (got < 0) return false;
        used += (size_t)got;
        if (used == room) all = realloc(all, room *= 2);
    }
    *out = (struct bytes){all, all + used};
    return all != NULL;
}

static bool unpack(const char *path, struct bytes *out) {
    int ends[2], status = 1;
    pid_t child;
    posix_spawn_file_actions_t actions;
    char *const arguments[] = {(char *)(uintptr_t) "gzip", (char *)(uintptr_t) "-dc", (char *)(uintptr_t) "--", (char *)(uintptr_t)path,
                               NULL};
    if (pipe(ends) != 0) return false;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    bool started = posix_spawnp(&child, "gzip", &actions, NULL, arguments, environ) == 0;
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    bool read = started && read_all(ends[0], out);
    close(ends[0]);
    return started && waitpid(child, &status, 0) == child && status == 0 && read;
}

// --- fields ----------------------------------------------------------------------------------------------------------

struct field {
    unsigned number;
    uint64_t value;     // if the field is a number
    struct bytes bytes; // if it has a length; bytes.at is NULL for a number
};

static bool read_number(struct bytes *in, uint64_t *out) {
    *out = 0;
    for (unsigned shift = 0; in->at < in->end && shift < 64; shift += 7) {
        unsigned char byte = *in->at++;
        *out |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return true;
    }
    return false;
}

// Reads the next field. False at the end of the message, or at malformed input: then `in` has not reached its end.
static bool next_field(struct bytes *in, struct field *out) {
    uint64_t key, length;
    unsigned char *begin = in->at;
    if (in->at == in->end) return false;
    *out = (struct field){0};
    bool good = read_number(in, &key);
    if (good && (key & 7) == 0) {
        good = read_number(in, &out->value);
    } else if (good && (key & 7) == 2) {
        good = read_number(in, &length) && length <= (uint64_t)(in->end - in->at);
        if (good) out->bytes = (struct bytes){in->at, in->at + length};
        if (good) in->at += length;
    } else {
        good = false;
    }
    out->number = (unsigned)(key >> 3);
    if (!good) in->at = begin;
    return good;
}

static void read_numbers(struct bytes in, uint64_t *out, size_t count) { // fields 1 .. count
    struct field field;
    while (next_field(&in, &field)) {
        if (field.bytes.at == NULL && field.number >= 1 && field.number <= count) out[field.number - 1] = field.value;
    }
}

// --- messages --------------------------------------------------------------------------------------------------------

static void add_location(struct tool_sample *sample, uint64_t id) {
    sample->location = grown(sample->location, sample->locations, sizeof *sample->location);
    sample->location[sample->locations++] = id;
}

static void read_sample(struct bytes in, struct tool_sample *out) {
    struct field field;
    size_t values = 0;
    *out = (struct tool_sample){0};
    while (next_field(&in, &field)) {
        struct bytes packed = field.bytes;
        uint64_t value = field.value;
        bool one = packed.at == NULL; // not packed
        while (one || (packed.at < packed.end && read_number(&packed, &value))) {
            if (field.number == 1) add_location(out, value);
            if (field.number == 2 && values < TOOL_VALUES_MAX) out->value[values++] = (int64_t)value;
            if (one) break;
        }
    }
}

static char *copy_string(struct bytes in) {
    char *text = strndup((const char *)in.at, (size_t)(in.end - in.at));
    if (text == NULL) exit(tool_fail("no memory"));
    return text;
}

static void add_value_type(struct tool_profile *p, struct bytes in) {
    if (p->values < TOOL_VALUES_MAX) read_numbers(in, &p->value_name[p->values++], 1);
}

static void add_field(struct tool_profile *p, const struct field *field) {
    uint64_t numbers[6] = {0};
    switch (field->number) {
    case 1: add_value_type(p, field->bytes); break;
    case 2:
        p->sample = grown(p->sample, p->samples, sizeof *p->sample);
        read_sample(field->bytes, &p->sample[p->samples++]);
        break;
    case 3:
        p->mapping = grown(p->mapping, p->mappings, sizeof *p->mapping);
        read_numbers(field->bytes, numbers, 6);
        p->mapping[p->mappings++] = (struct tool_mapping){numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]};
        break;
    case 4:
        p->location = grown(p->location, p->locations, sizeof *p->location);
        read_numbers(field->bytes, numbers, 3);
        p->location[p->locations++] = (struct tool_location){numbers[0], numbers[1], numbers[2], NULL, NULL, 0};
        break;
    case 6:
        p->string = grown(p->string, p->strings, sizeof *p->string);
        p->string[p->strings++] = copy_string(field->bytes);
        break;
    case 13: p->comment = field->value; break;
    default: break;
    }
}

static int by_id(const void *a, const void *b) {
    uint64_t x = ((const struct tool_location *)a)->id, y = ((const struct tool_location *)b)->id;
    return x < y ? -1 : x > y;
}

bool tool_profile_read(const char *path, struct tool_profile *out) {
    struct bytes in;
    struct field field;
    *out = (struct tool_profile){0};
    if (access(path, R_OK) != 0) return tool_fail("%s cannot be read", path), false;
    if (!unpack(path, &in)) return tool_fail("%s: gzip cannot unpack it", path), false;
    while (next_field(&in, &field)) {
        bool is_message = (field.number >= 1 && field.number <= 4) || field.number == 6;
        if (!is_message || field.bytes.at != NULL) add_field(out, &field);
    }
    if (in.at != in.end || out->values == 0 || out->strings == 0) return tool_fail("%s is no profile", path), false;
    qsort(out->location, out->locations, sizeof *out->location, by_id);
    return true;
}

const char *tool_profile_string(const struct tool_profile *p, uint64_t index) { return index < p->strings ? p->string[index] : ""; }

struct tool_location *tool_profile_location(const struct tool_profile *p, uint64_t id) {
    struct tool_location key = {.id = id};
    return p->locations == 0 ? NULL : bsearch(&key, p->location, p->locations, sizeof key, by_id);
}

// --- queries ---------------------------------------------------------------------------------------------------------

int tool_profile_value(const struct tool_profile *p, const char *name) {
    for (size_t v = 0; v < p->values; v++) {
        if (strcmp(tool_profile_string(p, p->value_name[v]), name) == 0) return (int)v;
    }
    fprintf(stderr, "mbmalloc: there is no value '%s' in it; there are", name);
    for (size_t v = 0; v < p->values; v++) fprintf(stderr, " %s", tool_profile_string(p, p->value_name[v]));
    fputc('\n', stderr);
    return -1;
}

static double sum_of(const struct tool_profile *p, const char *name) {
    double sum = 0;
    for (size_t v = 0; v < p->values; v++) {
        if (strcmp(tool_profile_string(p, p->value_name[v]), name) != 0) continue;
        for (size_t s = 0; s < p->samples; s++) sum += (double)p->sample[s].value[v];
    }
    return sum;
}

// In a program that frees everything at its end, the few samples that are still live then are there by chance.
const char *tool_profile_usual(const struct tool_profile *p) {
    enum { LITTLE = 16 };
    double live = sum_of(p, "inuse_space"), peak = sum_of(p, "peak_space");
    if (live > 0 && live * LITTLE >= peak) return "inuse_space";
    if (peak > 0) return "peak_space";
    return sum_of(p, "alloc_space") > 0 ? "alloc_space" : "inuse_space";
}

const char *tool_profile_function(const struct tool_profile *p, const struct tool_sample *sample, size_t i) {
    const struct tool_location *location = tool_profile_location(p, sample->location[i]);
    return location != NULL ? location->name : "?";
}
