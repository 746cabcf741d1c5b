// 10,000 growing reallocs of a large block leave fewer than 100 mappings, with one block and with two blocks that grow
// alternately and block each other's growth. Once the blocks are freed none of these mappings remains.
#include <stdio.h>
#include <stdlib.h>

#include "tests/limits/measure.h"

enum { STEPS = 10000, MOST_MAPS = 100, FIRST_BYTES = 256 * 1024, STEP_BYTES = 4096, SAMPLE = 250 };

struct growing {
    size_t *words;
    size_t bytes;
};

// The last word of each step says which step wrote it.
static void grow(struct growing *g) {
    size_t bytes = g->bytes ? g->bytes + STEP_BYTES : FIRST_BYTES;
    g->words = realloc(g->words, bytes);
    CHECK(g->words, "refused at %zu bytes", bytes);
    g->bytes = bytes;
    g->words[bytes / sizeof *g->words - 1] = bytes;
}

static void verify(const struct growing *g) {
    for (size_t bytes = FIRST_BYTES; bytes <= g->bytes; bytes += STEP_BYTES)
        CHECK(g->words[bytes / sizeof *g->words - 1] == bytes, "the contents at %zu are lost", bytes);
}

static void run(const char *how, size_t blocks) {
    struct growing g[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    bool ours = measure_under_mbmalloc();
    size_t before = measure_maps(), most = before;
    for (size_t step = 0; step < STEPS; step++) {
        grow(&g[step % blocks]);
        if (step % SAMPLE == 0 && measure_maps() > most) most = measure_maps();
    }
    size_t after = measure_maps();
    for (size_t i = 0; i < blocks; i++) {
        verify(&g[i]);
        free(g[i].words);
    }
    size_t freed = measure_maps();
    printf("%s: %zu mappings before, at most %zu, %zu after, %zu when freed\n", how, before, most, after, freed);
    CHECK(!ours || most - before < MOST_MAPS, "%s: %zu more mappings", how, most - before);
    CHECK(!ours || freed < before + MOST_MAPS, "%s: %zu mappings remain", how, freed - before);
}

int main(void) {
    run("one block", 1);
    run("two in turn", 2);
    run("three in turn", 3);
    puts("ok");
    return 0;
}
