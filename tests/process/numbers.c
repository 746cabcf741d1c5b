// The figures of mallinfo2, mallinfo, malloc_info and malloc_stats have glibc's meaning: this test also passes under
// the C library's own malloc (process_numbers_libc). Large blocks count as mapped and nowhere else; uordblks + fordblks
// is arena; the formats agree with each other.
#include <malloc.h>
#include <stdint.h>

#include "tests/process/blocks.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations" // mallinfo

enum { SMALL = 2000, SMALL_BYTES = 1000, LARGE = 5, LARGE_BYTES = 1 << 20, SLACK = 160 << 10 };

static void *small[SMALL], *large[LARGE];

static bool near(size_t value, size_t least, size_t most) {
    if (value < least || value > most) fprintf(stderr, "%zu is not in %zu to %zu\n", value, least, most);
    return value >= least && value <= most;
}

static struct mallinfo2 ask(void) {
    struct mallinfo2 m = mallinfo2();
    EXPECT(m.arena == m.uordblks + m.fordblks);
    EXPECT(m.fsmblks <= m.fordblks && m.keepcost <= m.fordblks && m.usmblks == 0);
    EXPECT((m.hblks == 0) == (m.hblkhd == 0) && (m.smblks == 0) == (m.fsmblks == 0) && m.ordblks >= m.smblks);
    struct mallinfo n = mallinfo();
    EXPECT((size_t)n.arena == m.arena && (size_t)n.hblks == m.hblks && (size_t)n.hblkhd == m.hblkhd && (size_t)n.uordblks == m.uordblks &&
           (size_t)n.fordblks == m.fordblks);
    return m;
}

// --- one after the other ---------------------------------------------------------------------------------------------

static void small_blocks_are_in_the_arena(void) {
    struct mallinfo2 before = ask();
    for (size_t i = 0; i < SMALL; i++) small[i] = block_new(SMALL_BYTES);
    struct mallinfo2 after = ask();
    EXPECT(near(after.uordblks - before.uordblks, SMALL * SMALL_BYTES, SMALL * (SMALL_BYTES + 32)));
    EXPECT(after.hblks == before.hblks && after.hblkhd == before.hblkhd);
    EXPECT(after.arena >= before.uordblks + SMALL * SMALL_BYTES);
}

static void large_blocks_are_mapped(void) {
    struct mallinfo2 before = ask();
    for (size_t i = 0; i < LARGE; i++) large[i] = block_new(LARGE_BYTES);
    struct mallinfo2 after = ask();
    EXPECT(after.hblks == before.hblks + LARGE);
    EXPECT(near(after.hblkhd - before.hblkhd, LARGE * LARGE_BYTES, LARGE * (LARGE_BYTES + 2 * (size_t)sysconf(_SC_PAGESIZE))));
    EXPECT(near(after.uordblks, before.uordblks, before.uordblks + SLACK));
    EXPECT(near(after.arena, before.arena - SLACK, before.arena + SLACK));
}

static void what_is_freed_is_free(void) {
    struct mallinfo2 before = ask();
    for (size_t i = 0; i < SMALL; i += 2) block_free(small[i]);
    struct mallinfo2 after = ask();
    EXPECT(near(before.uordblks - after.uordblks, SMALL / 2 * SMALL_BYTES, SMALL / 2 * (SMALL_BYTES + 32)));
    EXPECT(after.fordblks > before.fordblks && after.ordblks >= before.ordblks + SMALL / 4);
    for (size_t i = 0; i < LARGE; i++) block_free(large[i]);
    after = ask();
    EXPECT(after.hblks == 0 && after.hblkhd == 0);
}

static void what_is_trimmed_is_gone(void) {
    for (size_t i = 1; i < SMALL; i += 2) block_free(small[i]);
    struct mallinfo2 before = ask();
    malloc_trim(0);
    struct mallinfo2 after = ask();
    EXPECT(near(after.uordblks, 0, before.uordblks + SLACK));
    EXPECT(after.arena <= before.arena && near(after.keepcost, 0, SLACK));
}

// --- the other formats -----------------------------------------------------------------------------------------------

static size_t attribute(const char *text, const char *element, const char *name) {
    char wanted[64];
    const char *at = NULL;
    for (const char *next = strstr(text, element); next != NULL; next = strstr(next + 1, element)) at = next; // the last: of all heaps
    EXPECT(at != NULL);
    snprintf(wanted, sizeof wanted, " %s=\"", name);
    at = strstr(at, wanted);
    EXPECT(at != NULL);
    return strtoul(at + strlen(wanted), NULL, 10);
}

static void info_agrees(void) {
    static char text[1 << 16];
    FILE *out = fmemopen(text, sizeof text, "w");
    EXPECT(out != NULL && setvbuf(out, NULL, _IONBF, 0) == 0);
    struct mallinfo2 m = ask();
    EXPECT(malloc_info(0, out) == 0 && fclose(out) == 0);
    size_t fast = attribute(text, "<total type=\"fast\"", "size"), rest = attribute(text, "<total type=\"rest\"", "size");
    EXPECT(near(fast + rest, m.fordblks - (m.fordblks < 4096 ? m.fordblks : 4096), m.fordblks + 4096));
    EXPECT(attribute(text, "<total type=\"mmap\"", "count") == m.hblks && attribute(text, "<total type=\"mmap\"", "size") == m.hblkhd);
    EXPECT(attribute(text, "<system type=\"current\"", "size") == m.arena);
    EXPECT(attribute(text, "<system type=\"max\"", "size") >= m.arena);
    EXPECT(attribute(text, "<aspace type=\"total\"", "size") >= attribute(text, "<aspace type=\"mprotect\"", "size"));
}

// The number of a line that begins so, behind the line that begins with `section`.
static size_t stat_line(const char *text, const char *section, const char *name) {
    const char *at = strstr(text, section);
    EXPECT(at != NULL);
    at = strstr(at, name);
    EXPECT(at != NULL && (at == text || at[-1] == '\n') && strncmp(at + strlen(name), " = ", 3) == 0);
    return strtoul(at + strlen(name) + 3, NULL, 10);
}

static void read_stats(char *text, size_t room) {
    int ends[2], saved = dup(2);
    EXPECT(pipe(ends) == 0 && saved >= 0);
    dup2(ends[1], 2);
    malloc_stats();
    dup2(saved, 2);
    close(ends[1]);
    ssize_t got = read(ends[0], text, room - 1);
    EXPECT(got > 0);
    text[got] = 0;
    close(ends[0]);
    close(saved);
}

static void stats_agree(void) {
    char text[4096];
    struct mallinfo2 m = ask();
    read_stats(text, sizeof text);
    EXPECT(stat_line(text, "Arena 0:\n", "system bytes    ") == m.arena && stat_line(text, "Arena 0:\n", "in use bytes    ") == m.uordblks);
    EXPECT(stat_line(text, "Total (incl. mmap):\n", "system bytes    ") == m.arena + m.hblkhd);
    EXPECT(stat_line(text, "Total (incl. mmap):\n", "in use bytes    ") == m.uordblks + m.hblkhd);
    EXPECT(near(stat_line(text, "Total", "max mmap regions"), LARGE, LARGE + 3));
    EXPECT(near(stat_line(text, "Total", "max mmap bytes  "), LARGE * LARGE_BYTES, LARGE * LARGE_BYTES + (LARGE_BYTES / 2)));
}

int main(void) {
    test_begin(60);
    setvbuf(stdout, NULL, _IONBF, 0);
    small_blocks_are_in_the_arena();
    large_blocks_are_mapped();
    info_agrees();
    stats_agree();
    what_is_freed_is_free();
    info_agrees();
    stats_agree();
    what_is_trimmed_is_gone();
    info_agrees();
    puts("the numbers agree");
    return 0;
}
