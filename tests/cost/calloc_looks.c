// calloc with large blocks that are reused. A block whose pages are resident is cleared, and finding that out costs no
// more than a few page faults would; a block that was hardly used stays without pages.
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/limits/measure.h"

enum { PAGE = 4096, PAGES = 256, ROUNDS = 4000, LAST = 1000, FEW = 8, NOISE = 200, TRIES = 3 };
enum { CHANGE = 3, LOOK = 3 }; // in rounds of faults; 4,000 blocks see one look

static void use(unsigned char *p, size_t pages) {
    for (size_t i = 0; i < pages; i++) p[i * PAGE] = 1; // not read before: that would be a fault of its own
}

static size_t resident(void *p) {
    unsigned char state[PAGES];
    size_t count = 0;
    CHECK(mincore(p, PAGES * PAGE, state) == 0, "no mincore");
    for (size_t i = 0; i < PAGES; i++) count += state[i] & 1;
    return count;
}

static unsigned char *zeroed(void) {
    unsigned char *p = calloc(PAGES, PAGE);
    CHECK(p, "refused");
    return p;
}

static uint64_t faults_of_used_blocks(void) {
    uint64_t before = measure_minor_faults();
    for (int i = 0; i < ROUNDS; i++) {
        unsigned char *p = zeroed();
        use(p, PAGES);
        free(p);
    }
    return measure_minor_faults() - before;
}

// How many of the last thousand blocks had no resident page.
static unsigned bare_of_untouched_blocks(void) {
    unsigned bare = 0;
    for (int i = 0; i < ROUNDS; i++) {
        unsigned char *p = zeroed();
        if (i >= ROUNDS - LAST && resident(p) < FEW) bare++;
        use(p, 1);
        free(p);
    }
    return bare;
}

// calloc judges by the time that a system call takes, and a busy machine may be slow just then, twice: so at most three
// processes that know nothing yet try.
static bool untouched_blocks_stay_bare(void) {
    for (int i = 0; i < TRIES; i++) {
        pid_t child = fork();
        CHECK(child >= 0, "no fork");
        if (child == 0) {
            unsigned bare = bare_of_untouched_blocks();
            dprintf(STDOUT_FILENO, "untouched: %u of %d blocks come without pages\n", bare, LAST);
            _exit(bare > LAST / 2 ? 0 : 1);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child, "no child");
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    }
    return false;
}

int main(void) {
    bool ours = measure_under_mbmalloc();
    bool bare = untouched_blocks_stay_bare();
    bare_of_untouched_blocks(); // so that what follows is a change
    uint64_t faults = faults_of_used_blocks();
    printf("used: %llu faults in %d rounds\n", (unsigned long long)faults, ROUNDS);
    CHECK(!ours || bare, "blocks that are hardly used come with pages");
    // calloc notices that blocks are used when it finds resident pages for the second time: the first may be noise.
    CHECK(!ours || faults <= (CHANGE + LOOK) * PAGES + NOISE, "%llu faults", (unsigned long long)faults);
    return 0;
}
