#include "core/insight/exit.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>

#include "core/base/print.h"
#include "core/front/malloc.h"
#include "core/insight/count.h"
#include "core/insight/monitor.h"
#include "core/insight/profile_option.h"
#include "core/insight/write.h"
#include "core/process/init.h"
#include "core/told/options.h"
#include "platform/libc.h"
#include "platform/os.h"

enum { STANDARD_ERROR = 2, DESCRIPTOR_MIN = 100 };

static struct {
    _Atomic uint32_t process; // the process that may report, and has not yet; 0: none
    int standard_error;       // what statistics are written to; set by the constructor
} exit_shared = {0, STANDARD_ERROR};

// --- the file --------------------------------------------------------------------------------------------------------

static void say_unwritten(int error) {
    struct mb_line line = {0};
    mb_line_text(&line, "mbmalloc: stats_file: cannot append to ");
    mb_line_text(&line, mb_option.stats_file);
    mb_line_pair(&line, "errno", (uint64_t)-error);
    mb_line_write(&line, exit_shared.standard_error);
}

static int append_line(const struct mb_statistics *all) {
    struct mb_line line = {0};
    mb_line_text(&line, "mbmalloc-stats");
    mb_line_pair(&line, "pid", (uint64_t)mb_os_pid());
    mb_line_pair(&line, "blocks", all->allocations);
    mb_line_pair(&line, "large", all->large_allocations);
    mb_line_pair(&line, "heaps", all->threads_ever);
    mb_line_pair(&line, "spans", all->spans_taken);
    mb_line_text(&line, " name=");
    mb_line_text(&line, mb_os_program_name());
    mb_line_text(&line, "\n");
    return mb_os_append_file(mb_option.stats_file, line.text, line.length);
}

static int append_all(const struct mb_count *count) {
    int fd = mb_os_open_to_append(mb_option.stats_file);
    if (fd < 0) return fd;
    mb_count_write(fd, count, (enum mb_statistics_format)mb_option.stats_format, false);
    mb_os_close(fd);
    return 0;
}

static void append(const struct mb_count *count) {
    int error = mb_option.stats_format == MB_STATISTICS_TEXT ? append_line(&count->all) : append_all(count);
    if (error != 0) say_unwritten(error);
}

// --- once in each process --------------------------------------------------------------------------------------------

static bool is_served(void) { return mb_other_copy() == NULL || mb_is_hardened(); }
static bool is_asked(void) {
    return mb_option.stats == MB_STATS_EXIT || mb_option.stats_file[0] != '\0' || mb_option.heap_profile_file[0] != '\0';
}

static bool claim(void) {
    uint32_t self = (uint32_t)mb_os_pid();
    return atomic_compare_exchange_strong(&exit_shared.process, &self, 0);
}

static void report_statistics(void) {
    struct mb_count count;
    mb_count_serving(&count);
    if (mb_option.stats == MB_STATS_EXIT) {
        mb_count_write(exit_shared.standard_error, &count, (enum mb_statistics_format)mb_option.stats_format, mb_option.verbose != 0);
    }
    if (mb_option.stats_file[0] != '\0') append(&count);
}

static void report(void) {
    if (mb_option.stats == MB_STATS_EXIT || mb_option.stats_file[0] != '\0') report_statistics();
    mb_profile_end_asked(exit_shared.standard_error);
}

void mb_exit_report(void) {
    if (is_asked() && is_served() && claim()) report();
}

static void in_child(void) { atomic_store(&exit_shared.process, (uint32_t)mb_os_pid()); }

static _Noreturn void on_signal(int number) {
    mb_exit_report();
    mb_monitor_end();
    mb_os_end_by(number);
}

// --- the library's start and end -------------------------------------------------------------------------------------

__attribute__((destructor)) static void at_exit(void) {
    if (is_asked() && atomic_load(&exit_shared.process) == 0 && is_served()) in_child(); // asked for later, by the API
    mb_exit_report();
    mb_monitor_end();
}

static void keep_standard_error(void) {
    int copy = mb_os_duplicate(STANDARD_ERROR, DESCRIPTOR_MIN);
    if (copy >= 0) exit_shared.standard_error = copy;
}

static void handle_signals(void) {
    static const int numbers[] = {SIGHUP, SIGINT, SIGTERM};
    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) mb_os_end_on(numbers[i], on_signal);
}

static void prepare_report(void) {
    in_child();
    mb_libc_at_fork(in_child);
    if (mb_option.stats == MB_STATS_EXIT || mb_option.heap_profile_file[0] != '\0') keep_standard_error();
}

__attribute__((constructor)) static void prepare(void) {
    if (!mb_options_are_given() || (!mb_init() && !mb_is_hardened())) return;
    if (is_asked()) prepare_report();
    mb_profile_begin_asked(STANDARD_ERROR);
    if (mb_option.monitor != 0) mb_monitor_start();
    if (is_asked() || mb_option.monitor != 0) handle_signals();
}
