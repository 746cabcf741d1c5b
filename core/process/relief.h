// The soft limit: when more memory is held than it allows, all that is free goes back to the system, and the program is told.
//
// Who: any thread; one at a time, once a second at most.
#ifndef MB_CORE_PROCESS_RELIEF_H
#define MB_CORE_PROCESS_RELIEF_H

#include <stddef.h>

// `reached` gets the bytes that are held when all has been given back. It is called in the middle of malloc or free.
typedef void mb_relief_function(void *context, size_t held_bytes);

// Limits in bytes; 0: none.
void mb_relief_set_limits(size_t soft, size_t hard);
void mb_relief_set_call(mb_relief_function *reached, void *context);

// From the options `limit` and `soft_limit`.
void mb_relief_init(void);

// The soft limit has been reached: see above.
void mb_relief_slow(void);

#endif
