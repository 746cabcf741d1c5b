#include "core/insight/profile_option.h"

#include <errno.h>
#include <stdint.h>

#include "core/base/print.h"
#include "core/insight/profile_write.h"
#include "core/process/init.h"
#include "core/profile/profile.h"
#include "core/told/options.h"

static void say_error(const char *what, const char *text, int error, int standard_error) {
    struct mb_line line = {0};
    mb_line_text(&line, what);
    mb_line_text(&line, text);
    mb_line_pair(&line, "errno", (uint64_t)-error);
    mb_line_write(&line, standard_error);
}

void mb_profile_begin_asked(int standard_error) {
    if (mb_option.heap_profile == 0) return;
    int error = mb_is_hardened() ? -EOPNOTSUPP : mb_profile_start(mb_option.heap_profile);
    if (error == 0) return;
    say_error("mbmalloc: heap_profile: ", mb_is_hardened() ? "not in the hardened profile:" : "no memory for its table:", error,
              standard_error);
}

static void say_lost(int standard_error) {
    struct mb_profile_facts facts;
    struct mb_line line = {0};
    mb_profile_facts(&facts);
    if (facts.lost_samples == 0) return;
    mb_line_text(&line, "mbmalloc: heap_profile: blocks that were to be sampled and found no room, so that what is live is too low:");
    mb_line_pair(&line, "lost", facts.lost_samples);
    mb_line_pair(&line, "of", facts.samples + facts.lost_samples);
    mb_line_write(&line, standard_error);
}

void mb_profile_end_asked(int standard_error) {
    if (mb_option.heap_profile_file[0] == '\0') return;
    int error = mb_profile_write_file(mb_option.heap_profile_file);
    if (error == -ENODATA && mb_option.heap_profile == 0) return; // nothing was ever sampled
    if (error != 0) say_error("mbmalloc: heap_profile_file: cannot write ", mb_option.heap_profile_file, error, standard_error);
    say_lost(standard_error);
}
