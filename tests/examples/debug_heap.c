// A heap for finding errors. Two compositions of the same layers around a size-classed allocator: one ends every block
// at an inaccessible page, so that an overflow faults where it happens; the other puts words around the blocks, which
// costs less and also lists leaks. In both, freed blocks wait in quarantine, and a write to one of them is found.
#include <mbmalloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct heap {
    struct mb_size_classed base;
    struct mb_family *family;
    struct mb_allocator *allocator;
};

static bool open_heap(struct heap *heap, bool guarded) {
    static const struct mb_guard_config guard = MB_GUARD_CONFIG;
    static const struct mb_canary_config canary = MB_CANARY_CONFIG;
    static const struct mb_quarantine_config quarantine = MB_QUARANTINE_CONFIG;
    static const struct mb_statistics_config statistics = MB_STATISTICS_CONFIG;
    struct mb_family_options options = MB_FAMILY_OPTIONS;
    options.policy = MB_POLICY_LOG; // one line on stderr for each error, and on
    options.statistics = &statistics;
    options.quarantine = &quarantine;
    if (guarded) options.guard = &guard;
    else options.canary = &canary;
    if (mb_size_classed_new(&heap->base, (size_t)1 << 30) != MB_OK) return false;
    if (mb_family_compose(&options, &heap->base.allocator, &heap->family) != MB_OK) return false;
    heap->allocator = mb_family_allocator(heap->family);
    return true;
}

static char *copy(struct heap *heap, const char *text) {
    char *p = mb_allocator_allocate(heap->allocator, strlen(text) + 1, 1);
    return p == NULL ? NULL : strcpy(p, text);
}

static bool give(struct heap *heap, char *text) {
    return mb_allocator_deallocate(heap->allocator, text, strlen(text) + 1) == MB_OK;
}

// --- four errors, and what becomes of them ---------------------------------------------------------------------------

static bool overflow_faults(struct heap *guarded) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        volatile char *text = copy(guarded, "exactly so long");
        text[strlen("exactly so long") + 1] = '!';
        _exit(0);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status != 0;
}

static bool overflow_is_found(struct heap *watched) {
    char *text = copy(watched, "exactly so long");
    text[strlen(text) + 1] ^= 1;
    bool found = mb_family_check(watched->family) == 1 && !give(watched, text);
    text[strlen(text) + 1] ^= 1; // mended
    return found && give(watched, text);
}

static bool use_after_free_is_found(struct heap *watched) {
    uint64_t events = mb_allocator_corruption_events(watched->allocator);
    volatile char *text = copy(watched, "soon gone");
    bool freed = give(watched, (char *)(uintptr_t)text);
    text[3] = 'p';
    mb_family_flush(watched->family);
    return freed && mb_allocator_corruption_events(watched->allocator) == events + 1;
}

static bool second_free_is_found(struct heap *watched) {
    char *text = copy(watched, "once");
    size_t bytes = strlen(text) + 1;
    return mb_allocator_deallocate(watched->allocator, text, bytes) == MB_OK &&
           mb_allocator_deallocate(watched->allocator, text, bytes) != MB_OK;
}

static bool print_leak(void *context, void *p, size_t bytes) {
    printf("still in use: %zu bytes at %p\n", bytes, p);
    ++*(int *)context;
    return true;
}

static bool leaks_are_listed(struct heap *watched) {
    int leaks = 0;
    char *kept = copy(watched, "forgotten");
    bool walked = mb_family_walk(watched->family, print_leak, &leaks) == MB_OK && leaks == 1;
    return walked && give(watched, kept);
}

static bool close_heap(struct heap *heap) {
    struct mb_statistics_numbers numbers;
    if (mb_family_statistics(heap->family, &numbers) != MB_OK) return false;
    printf("%d blocks, %d bytes at most at a time\n", (int)numbers.allocations, (int)numbers.peak_bytes);
    return mb_family_drop(heap->family) == MB_OK && numbers.live_bytes == 0;
}

int main(void) {
    static struct heap guarded, watched;
    if (!open_heap(&guarded, true) || !open_heap(&watched, false)) return 1;
    bool fine = overflow_faults(&guarded);
    fine = overflow_is_found(&watched) && fine;
    fine = use_after_free_is_found(&watched) && fine;
    fine = second_free_is_found(&watched) && fine;
    fine = leaks_are_listed(&watched) && fine;
    return close_heap(&guarded) && close_heap(&watched) && fine ? 0 : 1;
}
