// mbmalloc stat, trim and set: prints statistics of a running process, asks it to return free memory to the system, and
// changes its options.
#include "preload/tool/tool.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/told/statistics_table.h"

enum { PATIENCE_S = 30 };

struct settings {
    int pid;
    double interval; // in seconds; 0: print once
    long times;
    bool json;
};

static bool read_settings(int argc, char **argv, struct settings *s) {
    *s = (struct settings){.times = -1};
    for (int i = 0; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "-i") == 0 && more)
            s->interval = atof(argv[++i]);
        else if (strcmp(argv[i], "-n") == 0 && more)
            s->times = atol(argv[++i]);
        else if (strcmp(argv[i], "--json") == 0)
            s->json = true;
        else if (s->pid == 0 && tool_pid(argv[i]) != 0)
            s->pid = tool_pid(argv[i]);
        else
            return false;
    }
    if (s->times < 0) s->times = s->interval > 0 ? INT32_MAX : 1;
    return s->pid != 0 && s->interval >= 0 && s->times > 0;
}

// --- printing once ---------------------------------------------------------------------------------------------------

static double share(uint64_t part, uint64_t whole) { return whole == 0 ? 0 : 100.0 * (double)part / (double)whole; }

static void print_part(const struct mb_statistics *all, unsigned row) {
    uint64_t bytes = mb_statistics_value(all, row);
    printf("  %-22s %12s  %5.1f %%  %s\n", mb_statistics_rows[row].name, tool_size(bytes), share(bytes, all->resident_bytes),
           mb_statistics_rows[row].help);
}

static void print_estimate(const struct mb_statistics *all, unsigned row) {
    printf("  %-22s %12s           %s\n", mb_statistics_rows[row].name, tool_size(mb_statistics_value(all, row)),
           mb_statistics_rows[row].help);
}

static void print_parts(const struct mb_statistics *all) {
    printf("%sresident %s%s of %s committed, %llu live blocks of %s in all, %llu thread%s\n", tool_bold(), tool_size(all->resident_bytes),
           tool_plain(), tool_size(all->committed_bytes), (unsigned long long)all->live_blocks, tool_size(all->live_bytes),
           (unsigned long long)all->threads, all->threads == 1 ? "" : "s");
    for (unsigned i = 0; i < MB_STATISTICS_ROWS; i++) {
        if (mb_statistics_rows[i].kind == MB_STATISTICS_PART) print_part(all, i);
    }
    for (unsigned i = 0; i < MB_STATISTICS_ROWS; i++) {
        if (mb_statistics_rows[i].kind == MB_STATISTICS_ESTIMATE && mb_statistics_is_known(all, i)) print_estimate(all, i);
    }
}

static uint64_t free_of(const struct mb_class_statistics *c) {
    return c->resident_bytes > c->live_resident_bytes ? c->resident_bytes - c->live_resident_bytes : 0;
}

static int by_resident(const void *a, const void *b) {
    const struct mb_class_statistics *x = a, *y = b;
    return x->resident_bytes < y->resident_bytes ? 1 : x->resident_bytes > y->resident_bytes ? -1 : 0;
}

enum { TOP_CLASSES = 8 };

static void print_classes(const struct mb_class_statistics *from) {
    struct mb_class_statistics sorted[MB_MONITOR_CLASSES];
    memcpy(sorted, from, sizeof sorted);
    qsort(sorted, MB_MONITOR_CLASSES, sizeof sorted[0], by_resident);
    printf("%s%10s %12s %12s %12s %12s%s\n", tool_bold(), "block size", "resident", "free of it", "live blocks", "free blocks",
           tool_plain());
    for (int i = 0; i < TOP_CLASSES && sorted[i].slabs != 0; i++) {
        printf("%10u %12s %12s %12llu %12llu\n", sorted[i].block_bytes, tool_size(sorted[i].resident_bytes), tool_size(free_of(&sorted[i])),
               (unsigned long long)sorted[i].live_blocks, (unsigned long long)sorted[i].free_blocks);
    }
}

static void print_threads(const struct tool_page *page) {
    const struct mb_thread_statistics *threads = page->page->threads;
    if (threads[1].thread == 0) return;
    printf("\n%s%10s %-16s %20s %16s%s\n", tool_bold(), "thread", "name", "free memory it holds", "allocations", tool_plain());
    for (int i = 0; i < MB_MONITOR_THREADS && threads[i].thread != 0; i++) {
        char file[64], comm[100] = "?\n";
        snprintf(file, sizeof file, "task/%u/comm", threads[i].thread);
        tool_read_of(page->pid, file, comm, sizeof comm);
        printf("%10u %-16.*s %20s %16llu\n", threads[i].thread, (int)strcspn(comm, "\n"), comm, tool_size(threads[i].free_bytes),
               (unsigned long long)threads[i].allocations);
    }
}

static void print_rates(const struct mb_statistics *now, const struct mb_statistics *before, double seconds) {
    if (before->size == 0) return;
#define PER_SECOND(name) ((double)(now->name - before->name) / seconds)
    printf("per second: %.0f allocations (%.0f large, %.0f refills), %.0f frees (%.0f by other threads), %.0f page faults, %s fresh, %s "
           "given back\n",
           PER_SECOND(allocations), PER_SECOND(large_allocations), PER_SECOND(refills), PER_SECOND(frees), PER_SECOND(remote_frees),
           PER_SECOND(page_faults), tool_size((uint64_t)PER_SECOND(fresh_bytes)), tool_size((uint64_t)PER_SECOND(purged_bytes)));
#undef PER_SECOND
}

static void print_look(const struct tool_page *page, const struct mb_statistics *before, double seconds) {
    const struct mb_monitor_shared *p = page->page;
    char comm[100] = "?\n";
    tool_read_of(page->pid, "comm", comm, sizeof comm);
    printf("%smbmalloc %.60s in process %d, %.*s%s\n%.1000s\n\n", tool_bold(), p->library, page->pid, (int)strcspn(comm, "\n"), comm,
           tool_plain(), p->text);
    print_parts(&p->statistics);
    print_rates(&p->statistics, before, seconds);
    printf("\n");
    print_classes(p->classes);
    print_threads(page);
    if (p->statistics.residency_measured == 0) printf("The system did not say which pages are there: every page that was used counts.\n");
}

static void print_json(const struct tool_page *page) {
    const struct mb_monitor_shared *p = page->page;
    printf("{\"library\":\"mbmalloc\",\"version\":\"%.60s\",\"pid\":%d,\"statistics\":{", p->library, page->pid);
    for (unsigned i = 0; i < MB_STATISTICS_ROWS; i++) {
        if (!mb_statistics_is_known(&p->statistics, i)) continue;
        printf("%s\"%s\":%llu", i > 0 ? "," : "", mb_statistics_rows[i].name, (unsigned long long)mb_statistics_value(&p->statistics, i));
    }
    printf("},\"classes\":[");
    const char *between = "";
    for (int c = 0; c < MB_MONITOR_CLASSES; c++) {
        const struct mb_class_statistics *k = &p->classes[c];
        if (k->slabs == 0) continue;
        printf("%s{\"block_bytes\":%u,\"slabs\":%u,\"live_blocks\":%llu,\"free_blocks\":%llu,\"resident_bytes\":%llu,\"live_resident_"
               "bytes\":%llu}",
               between, k->block_bytes, k->slabs, (unsigned long long)k->live_blocks, (unsigned long long)k->free_blocks,
               (unsigned long long)k->resident_bytes, (unsigned long long)k->live_resident_bytes);
        between = ",";
    }
    printf("],\"threads\":[");
    for (int i = 0; i < MB_MONITOR_THREADS && p->threads[i].thread != 0; i++) {
        const struct mb_thread_statistics *t = &p->threads[i];
        printf("%s{\"thread\":%u,\"free_bytes\":%llu,\"allocations\":%llu}", i > 0 ? "," : "", t->thread, (unsigned long long)t->free_bytes,
               (unsigned long long)t->allocations);
    }
    printf("]}\n");
}

int tool_stat(int argc, char **argv) {
    struct settings s;
    struct tool_page page;
    struct mb_statistics before = {0};
    if (!read_settings(argc, argv, &s)) return tool_usage("stat");
    if (!tool_page_open(&page, s.pid)) return TOOL_FAILED;
    bool answered = true;
    for (long i = 0; i < s.times && answered; i++) {
        if (i > 0) usleep((useconds_t)(s.interval * 1e6));
        answered = tool_page_ask(&page, MB_MONITOR_STATISTICS, 0, PATIENCE_S);
        if (!answered) break;
        if (i > 0 && !s.json && isatty(1)) printf("\033[H\033[2J");
        if (s.json)
            print_json(&page);
        else
            print_look(&page, &before, s.interval);
        fflush(stdout);
        before = page.page->statistics;
    }
    tool_page_close(&page);
    return answered ? TOOL_OK : TOOL_FAILED;
}

// --- trim and set ----------------------------------------------------------------------------------------------------

static int tell(int pid, enum mb_monitor_command command, const char *text, uint64_t *number) {
    struct tool_page page;
    if (!tool_page_open(&page, pid)) return TOOL_FAILED;
    if (text != NULL) snprintf(page.page->text, sizeof page.page->text, "%s", text);
    bool answered = tool_page_ask(&page, command, 0, PATIENCE_S);
    *number = page.page->number;
    tool_page_close(&page);
    return answered ? TOOL_OK : TOOL_FAILED;
}

int tool_trim(int argc, char **argv) {
    uint64_t bytes;
    if (argc != 1 || tool_pid(argv[0]) == 0) return tool_usage("trim");
    int status = tell(tool_pid(argv[0]), MB_MONITOR_TRIM, NULL, &bytes);
    if (status == TOOL_OK) printf("process %s has given back %s\n", argv[0], tool_size(bytes));
    return status;
}

int tool_set(int argc, char **argv) {
    uint64_t good;
    if (argc != 2 || tool_pid(argv[0]) == 0) return tool_usage("set");
    int status = tell(tool_pid(argv[0]), MB_MONITOR_SET, argv[1], &good);
    if (status == TOOL_OK && good == 0) {
        return tool_fail("'%s' has an unknown name, a bad value, or an option that can only be set before the start; nothing was changed",
                         argv[1]);
    }
    return status;
}
