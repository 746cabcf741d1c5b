// mbmalloc diff: compares two outputs of `stat --json` (or of stats_format=json) and prints what has changed. Two heap
// profiles are compared by profile_diff.c.
#include "preload/tool/tool.h"

#include <stdlib.h>
#include <string.h>

#include "core/told/statistics_table.h"

enum { FILE_BYTES = 1 << 18 };

// Reads the number that follows "key": in the text from `at` on; false if the key does not occur before `end`.
static bool number_of(const char *at, const char *end, const char *key, uint64_t *out) {
    char quoted[64];
    int length = snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *found = strstr(at, quoted);
    if (found == NULL || (end != NULL && found > end)) return false;
    char *stop;
    *out = strtoull(found + length, &stop, 10);
    return stop != found + length;
}

struct side {
    char text[FILE_BYTES];
    const char *statistics, *classes;
};

static bool read_side(const char *path, struct side *side) {
    if (!tool_read(path, side->text, sizeof side->text)) {
        tool_fail("%s: it cannot be read", path);
        return false;
    }
    side->statistics = strstr(side->text, "\"statistics\":{");
    side->classes = strstr(side->text, "\"classes\":[");
    if (side->statistics != NULL && side->classes != NULL) return true;
    tool_fail("%s: it is no output of mbmalloc stat --json", path);
    return false;
}

static void print_change(const char *name, uint64_t a, uint64_t b) {
    uint64_t apart = b > a ? b - a : a - b;
    size_t length = strlen(name);
    bool bytes = length > 6 && strcmp(name + length - 6, "_bytes") == 0;
    if (apart == 0) return;
    if (bytes)
        printf("%-28s %12s -> %12s  %c%s\n", name, tool_size(a), tool_size(b), b > a ? '+' : '-', tool_size(apart));
    else
        printf("%-28s %12llu -> %12llu  %c%llu\n", name, (unsigned long long)a, (unsigned long long)b, b > a ? '+' : '-',
               (unsigned long long)apart);
}

static const char *class_of(const struct side *side, unsigned block_bytes) {
    char key[40];
    snprintf(key, sizeof key, "{\"block_bytes\":%u,", block_bytes);
    return strstr(side->classes, key);
}

static uint64_t class_number(const struct side *side, unsigned block_bytes, const char *key) {
    uint64_t number = 0;
    const char *at = class_of(side, block_bytes);
    if (at != NULL) number_of(at, strchr(at, '}'), key, &number);
    return number;
}

static void print_classes_of(const struct side *a, const struct side *b, const struct side *walk, bool only_new) {
    for (const char *at = strstr(walk->classes, "\"block_bytes\":"); at != NULL; at = strstr(at + 1, "\"block_bytes\":")) {
        unsigned bytes = (unsigned)strtoul(at + sizeof "\"block_bytes\":" - 1, NULL, 10);
        if (only_new && class_of(a, bytes) != NULL) continue;
        char name[64];
        snprintf(name, sizeof name, "blocks of %u: live", bytes);
        print_change(name, class_number(a, bytes, "live_blocks"), class_number(b, bytes, "live_blocks"));
        snprintf(name, sizeof name, "blocks of %u: resident_bytes", bytes);
        print_change(name, class_number(a, bytes, "resident_bytes"), class_number(b, bytes, "resident_bytes"));
    }
}

// A heap profile is a gzip file.
static bool is_profile(const char *path) {
    FILE *file = fopen(path, "rb");
    bool is = file != NULL && fgetc(file) == 0x1f && fgetc(file) == 0x8b;
    if (file != NULL) fclose(file);
    return is;
}

int tool_diff(int argc, char **argv) {
    if (argc >= 2 && is_profile(argv[0]) && is_profile(argv[1])) return tool_profile_diff(argc, argv);
    if (argc != 2) return tool_usage("diff");
    struct side *a = malloc(sizeof *a), *b = malloc(sizeof *b);
    if (a == NULL || b == NULL) return tool_fail("no memory");
    bool good = read_side(argv[0], a) && read_side(argv[1], b);
    for (unsigned i = 0; good && i < MB_STATISTICS_ROWS; i++) {
        uint64_t before, after;
        const char *name = mb_statistics_rows[i].name;
        if (number_of(a->statistics, a->classes, name, &before) && number_of(b->statistics, b->classes, name, &after))
            print_change(name, before, after);
    }
    if (good) print_classes_of(a, b, a, false), print_classes_of(a, b, b, true);
    free(a), free(b);
    return good ? TOOL_OK : TOOL_FAILED;
}
