// The soft limit (option soft_limit): when more memory is in use than that, all free memory goes back to the system,
// and a function of the program is called.
//
// Who: any thread; one at a time, once a second at most.
#ifndef MB_CORE_PROCESS_RELIEF_H
#define MB_CORE_PROCESS_RELIEF_H

#include <stddef.h>

// The program's function. `held_bytes`: what is still in use after free memory was given back. Called inside malloc or
// free.
typedef void mb_relief_function(void *context, size_t held_bytes);

// Limits in bytes; 0: none.
void mb_relief_set_limits(size_t soft, size_t hard);
void mb_relief_set_call(mb_relief_function *reached, void *context);

// Sets the limits by the options `limit` and `soft_limit`. At the start.
void mb_relief_init(void);

// To be called when the soft limit has been reached.
void mb_relief_slow(void);

#endif
