#include "core/insight/monitor.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "core/base/print.h"
#include "core/base/version.h"
#include "core/front/malloc.h"
#include "core/insight/count.h"
#include "core/insight/map.h"
#include "core/insight/profile_write.h"
#include "core/insight/write.h"
#include "core/process/background.h"
#include "core/process/foreign.h"
#include "core/process/init.h"
#include "core/process/thread.h"
#include "core/profile/profile.h"
#include "core/region/arena.h"
#include "core/told/monitor_page.h"
#include "core/told/options.h"
#include "platform/libc.h"
#include "platform/os.h"

enum { STANDARD_ERROR = 2, STACK_BYTES = 64 << 10, PATH_BYTES = 100 };

static struct {
    _Atomic(struct mb_monitor_shared *) page; // of this process; made by the constructor or the fork handler
    _Atomic uint32_t served;                  // the last request that somebody has begun to answer
    char path[PATH_BYTES];
    pthread_t thread;
} monitor_shared;

_Static_assert((int)MB_MONITOR_CLASSES == (int)MB_CLASSES, "the page has room for every class");

// --- answers ---------------------------------------------------------------------------------------------------------

static void answer_statistics(struct mb_monitor_shared *page) {
    struct mb_count count;
    struct mb_line line = {0};
    mb_count_serving(&count);
    mb_count_in_words(&line, &count);
    line.text[line.length] = '\0';
    page->statistics = count.all;
    memcpy(page->classes, count.of_class, sizeof page->classes);
    mb_count_threads(page->threads, MB_MONITOR_THREADS);
    memcpy(page->text, line.text, line.length + 1);
}

static void answer_trim(struct mb_monitor_shared *page) {
    uint64_t before = mb_arena_purged_bytes();
    mb_trim(0);
    page->number = mb_arena_purged_bytes() - before;
}

static void answer_set(struct mb_monitor_shared *page) {
    char text[sizeof page->text];
    memcpy(text, page->text, sizeof text);
    text[sizeof text - 1] = '\0';
    page->number = mb_options_set(text);
}

static void answer_start(struct mb_monitor_shared *page) {
    int error = mb_other_copy() == NULL ? mb_profile_start(page->argument) : -EOPNOTSUPP;
    page->number = error == 0 ? 1 : error == -EBUSY ? 0 : (uint64_t)-error;
}

// Never opens an existing file of that name: other users may be able to write to the folder.
static void answer_write(struct mb_monitor_shared *page) {
    struct mb_line name = {0};
    mb_line_text(&name, monitor_shared.path);
    mb_line_text(&name, ".pb.gz");
    name.text[name.length] = '\0';
    int fd = mb_os_open_new(name.text), error = fd < 0 ? fd : mb_profile_write(fd);
    if (fd >= 0) mb_os_close(fd);
    page->number = (uint64_t)-error;
    memcpy(page->text, name.text, name.length + 1);
}

static void answer(struct mb_monitor_shared *page) {
    switch (page->command) {
    case MB_MONITOR_STATISTICS: answer_statistics(page); break;
    case MB_MONITOR_TRIM: answer_trim(page); break;
    case MB_MONITOR_MAP: page->number = mb_map_units((size_t)page->argument, page->units, MB_MONITOR_UNITS); break;
    case MB_MONITOR_SET: answer_set(page); break;
    case MB_MONITOR_PROFILE_START: answer_start(page); break;
    case MB_MONITOR_PROFILE_MARK: mb_profile_mark(); break;
    case MB_MONITOR_PROFILE_WRITE: answer_write(page); break;
    case MB_MONITOR_PROFILE_STOP: mb_profile_stop(); break;
    default: break; // a later tool's: `answered` without an answer
    }
}

// A request that is new and this process's. A page that a forked child has inherited is not.
static void serve(void) {
    struct mb_monitor_shared *page = atomic_load_explicit(&monitor_shared.page, memory_order_acquire);
    if (page == NULL) return;
    uint32_t request = atomic_load_explicit(&page->request, memory_order_acquire);
    uint32_t served = atomic_load_explicit(&monitor_shared.served, memory_order_relaxed);
    if (request == served || page->pid != (uint32_t)mb_os_pid()) return;
    if (!atomic_compare_exchange_strong(&monitor_shared.served, &served, request)) return;
    answer(page);
    atomic_store_explicit(&page->answered, request, memory_order_release);
    mb_os_wake_shared(&page->answered, 1);
}

// From malloc's slow path, where no thread waits: in forked children, and where a thread was refused.
static void serve_in_passing(void) {
    const struct mb_monitor_shared *page = atomic_load_explicit(&monitor_shared.page, memory_order_acquire);
    if (page != NULL && atomic_load_explicit(&page->has_thread, memory_order_relaxed) == 0) serve();
}

static void *serve_always(void *unused) {
    struct mb_monitor_shared *page = atomic_load_explicit(&monitor_shared.page, memory_order_acquire);
    mb_thread_depart();
    atomic_store_explicit(&page->has_thread, 1, memory_order_release);
    for (;;) {
        uint32_t seen = atomic_load_explicit(&page->request, memory_order_acquire);
        serve();
        mb_os_wait_shared(&page->request, seen, UINT64_MAX);
    }
    return unused;
}

// --- the page --------------------------------------------------------------------------------------------------------

static void name_path(struct mb_line *line, bool in_run) {
    line->length = 0;
    mb_line_text(line, in_run ? "/run/user/" : "/dev/shm/mbmalloc-");
    mb_line_number(line, mb_os_user());
    mb_line_text(line, in_run ? "/mbmalloc-" : "-");
    mb_line_number(line, (uint64_t)mb_os_pid());
    line->text[line->length] = '\0';
}

static int make_at(bool in_run, void **out) {
    struct mb_line line = {0};
    name_path(&line, in_run);
    int error = mb_os_map_new_file(line.text, sizeof(struct mb_monitor_shared), out);
    if (error == 0 && line.length < PATH_BYTES) memcpy(monitor_shared.path, line.text, line.length + 1);
    return error;
}

static void fill(struct mb_monitor_shared *page) {
    struct mb_arena_range range[MB_ARENA_RANGES];
    mb_arena_ranges(range);
    page->version = MB_MONITOR_VERSION;
    page->pid = (uint32_t)mb_os_pid();
    memcpy(page->library, MBMALLOC_VERSION, sizeof MBMALLOC_VERSION);
    page->base = range[MB_ARENA_FRONT].base;
    memcpy(page->magic, MB_MONITOR_MAGIC, sizeof page->magic);
}

static void say_refused(int error) {
    struct mb_line line = {0};
    mb_line_text(&line, "mbmalloc: monitor: no page can be made in /run/user or /dev/shm:");
    mb_line_pair(&line, "errno", (uint64_t)-error);
    mb_line_write(&line, STANDARD_ERROR);
}

static bool make_page(bool loud) {
    void *page;
    monitor_shared.path[0] = '\0';
    int error = make_at(true, &page);
    if (error != 0) error = make_at(false, &page);
    if (error != 0 && loud) say_refused(error);
    if (error != 0) return false;
    fill(page);
    atomic_store_explicit(&monitor_shared.served, 0, memory_order_relaxed);
    atomic_store_explicit(&monitor_shared.page, page, memory_order_release);
    return true;
}

static void in_child(void) {
    atomic_store_explicit(&monitor_shared.page, NULL, memory_order_relaxed);
    make_page(false);
}

// --- start and end ---------------------------------------------------------------------------------------------------

static void start_thread(void) {
    mb_libc_create *libc = (mb_libc_create *)mb_foreign_own(MB_OWN_pthread_create);
    mb_libc_create_quiet(libc != NULL ? libc : pthread_create, &monitor_shared.thread, STACK_BYTES, serve_always);
}

void mb_monitor_start(void) {
    if (!make_page(true)) return;
    mb_libc_at_fork(in_child);
    mb_background_set_visitor(serve_in_passing);
    start_thread();
}

void mb_monitor_end(void) {
    struct mb_monitor_shared *page = atomic_load_explicit(&monitor_shared.page, memory_order_acquire);
    if (page != NULL && page->pid == (uint32_t)mb_os_pid() && monitor_shared.path[0] != '\0') mb_os_remove_file(monitor_shared.path);
}
