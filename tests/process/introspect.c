// malloc_info writes well-formed XML, malloc_stats prints its text, and mallopt returns 0 or 1 and has no harmful
// effect.
#include "tests/process/blocks.h"
#include <ctype.h>
#include <errno.h>
#include <malloc.h>

enum { DEEPEST = 32, NAME = 64 };

// --- a checker of well-formed XML without entities, CDATA or DTD -----------------------------------------------------

struct xml {
    const char *at;
    char open[DEEPEST][NAME];
    int depth, elements;
};

static void xml_skip_space(struct xml *x) {
    while (isspace((unsigned char)*x->at)) x->at++;
}

static void xml_name(struct xml *x, char *name) {
    size_t n = 0;
    EXPECT(isalpha((unsigned char)*x->at) || *x->at == '_');
    while (isalnum((unsigned char)*x->at) || (*x->at != 0 && strchr("_-.:", *x->at) != NULL)) {
        EXPECT(n + 1 < NAME);
        name[n++] = *x->at++;
    }
    name[n] = 0;
}

static void xml_attributes(struct xml *x) {
    char name[NAME];
    for (xml_skip_space(x); isalpha((unsigned char)*x->at); xml_skip_space(x)) {
        xml_name(x, name);
        EXPECT(*x->at == '=' && (x->at[1] == '"' || x->at[1] == '\''));
        const char *end = strchr(x->at + 2, x->at[1]);
        EXPECT(end != NULL && memchr(x->at + 2, '<', (size_t)(end - x->at - 2)) == NULL);
        x->at = end + 1;
        EXPECT(isspace((unsigned char)*x->at) || *x->at == '>' || *x->at == '/' || *x->at == '?');
    }
}

static void xml_close_tag(struct xml *x) {
    char name[NAME];
    xml_name(x, name);
    EXPECT(x->depth > 0 && strcmp(x->open[--x->depth], name) == 0);
    xml_skip_space(x);
    EXPECT(*x->at++ == '>');
}

static void xml_open_tag(struct xml *x) {
    EXPECT(x->depth < DEEPEST && (x->depth > 0 || x->elements == 0)); // one root
    xml_name(x, x->open[x->depth]);
    x->elements++;
    xml_attributes(x);
    if (x->at[0] == '/' && x->at[1] == '>') {
        x->at += 2;
        return;
    }
    EXPECT(*x->at++ == '>');
    x->depth++;
}

static void xml_tag(struct xml *x) {
    EXPECT(*x->at++ == '<');
    if (*x->at == '/') {
        x->at++;
        xml_close_tag(x);
    } else if (*x->at == '?') {
        const char *end = strstr(x->at, "?>");
        EXPECT(end != NULL && x->elements == 0);
        x->at = end + 2;
    } else {
        xml_open_tag(x);
    }
}

static void expect_xml(const char *text, const char *root) {
    struct xml x = {.at = text};
    while (*x.at != 0) {
        EXPECT(*x.at != '>' && *x.at != '&');
        if (*x.at == '<') {
            xml_tag(&x);
        } else {
            EXPECT(x.depth > 0 || isspace((unsigned char)*x.at)); // no text outside the root
            x.at++;
        }
    }
    EXPECT(x.depth == 0 && x.elements > 1 && strcmp(x.open[0], root) == 0);
}

// --- what is tested --------------------------------------------------------------------------------------------------

static void info_is_xml(void) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    EXPECT(out != NULL && malloc_info(0, out) == 0);
    EXPECT(fclose(out) == 0 && bytes > 50);
    expect_xml(text, "malloc");
    EXPECT(strstr(text, "<malloc version=") != NULL);
    free(text);
    errno = 0;
    EXPECT(malloc_info(1, stdout) != 0); // glibc returns EINVAL, POSIX style -1 is as good
}

static void stats_print(void) {
    char text[8192] = {0};
    int ends[2], saved = dup(2);
    EXPECT(pipe(ends) == 0 && saved >= 0);
    EXPECT(fcntl(ends[1], F_SETPIPE_SZ, 65536) > 0);
    dup2(ends[1], 2);
    malloc_stats();
    dup2(saved, 2);
    close(ends[1]);
    ssize_t got = read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    close(saved);
    EXPECT(got > 20 && strchr(text, '\n') != NULL);
}

static void mallopt_answers(void) {
    static const int parameters[] = {M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD,   M_MMAP_MAX, M_MXFAST,
                                     M_CHECK_ACTION,   M_PERTURB,        M_ARENA_MAX, M_ARENA_TEST, 4711};
    static const int values[] = {0, 1, 4096, 128 * 1024, -1, 1 << 30};
    for (size_t p = 0; p < sizeof parameters / sizeof parameters[0]; p++)
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
            if (parameters[p] == M_PERTURB && values[v] != 0) continue; // would fill every block of glibc's
            int answer = mallopt(parameters[p], values[v]);
            EXPECT(answer == 0 || answer == 1);
            for (size_t bytes = 16; bytes < 1000000; bytes *= 5) block_free(block_new(bytes));
        }
    EXPECT(mallopt(M_MMAP_THRESHOLD, 256 * 1024) == 1 && mallopt(M_ARENA_MAX, 2) == 1);
}

int main(void) {
    test_begin(60);
    void *live[200];
    for (size_t i = 0; i < 200; i++) live[i] = block_new(16 + i * i * 10);
    info_is_xml();
    stats_print();
    mallopt_answers();
    info_is_xml();
    for (size_t i = 0; i < 200; i++) block_free(live[i]);
    puts("introspection works");
    return 0;
}
