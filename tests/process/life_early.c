// A library that the life test links: its constructor runs before a preloaded library's own, its destructor after main.
#include "tests/process/blocks.h"

void life_mark(char phase);
void early_mark(void);

static void *kept;

__attribute__((constructor)) static void construct(void) {
    kept = block_new(5000);
    for (int i = 0; i < 200; i++) block_free(block_new(16 + (size_t)i * 97));
}

void early_mark(void) {
    kept = block_resize(kept, 300000);
    life_mark('e');
}

__attribute__((destructor)) static void destruct(void) {
    block_free(kept);
    block_free(block_new(70000));
    life_mark('E');
}
