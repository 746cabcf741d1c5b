// Settings for the C library's malloc (mallopt, MALLOC_..._ variables, GLIBC_TUNABLES) that this library honours:
// filling of blocks (M_PERTURB) and how much free memory is kept (M_TRIM_THRESHOLD). All others are accepted and have
// no effect.
#ifndef MB_CORE_PROCESS_TUNABLES_H
#define MB_CORE_PROCESS_TUNABLES_H

#include <stdbool.h>

// From the environment; not in secure execution. By the thread that runs the start.
void mb_tunables_init(void);

// mallopt: false where glibc's says no. Any thread.
bool mb_tunables_set(int parameter, int value);

#endif
