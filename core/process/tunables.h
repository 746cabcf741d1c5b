// What a program or its user asks of the libc's malloc by mallopt, MALLOC_..._ variables and GLIBC_TUNABLES, as far as it means something here:
// filling (M_PERTURB) and how much free memory is kept (M_TRIM_THRESHOLD). All else is accepted and does nothing.
#ifndef MB_CORE_PROCESS_TUNABLES_H
#define MB_CORE_PROCESS_TUNABLES_H

#include <stdbool.h>

// From the environment; not in secure execution. By the thread that runs the start.
void mb_tunables_init(void);

// mallopt: false where glibc's says no. Any thread.
bool mb_tunables_set(int parameter, int value);

#endif
