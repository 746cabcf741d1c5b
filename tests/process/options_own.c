// Options of the program itself, for options.sh.
#include <mbmalloc.h>

const char *mb_options = "show, purge_delay_ms = 3s, stats = EXIT";
