// Compiled twice with different numbers, for test_stack_rows.c: two libraries with the same layout, whose functions lie
// at the same places but have stack frames of different sizes.
#include <string.h>

void plugin_call(void (*what)(void *), void *argument);

void plugin_call(void (*what)(void *), void *argument) {
    volatile char frame[FRAME_BYTES];
    frame[0] = 1;
    what(argument);
    frame[FRAME_BYTES - 1] = frame[0];
}
