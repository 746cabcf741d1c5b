// A program that defines its own options (mb_options), for options.sh.
#include <mbmalloc.h>

const char *mb_options = "show, purge_delay_ms = 3s, stats = EXIT";
