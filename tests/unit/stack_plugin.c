// Two libraries that differ in a number alone, so that they are laid out alike: functions with frames of other sizes at
// the same places. For test_stack_rows.c.
#include <string.h>

void plugin_call(void (*what)(void *), void *argument);

void plugin_call(void (*what)(void *), void *argument) {
    volatile char frame[FRAME_BYTES];
    frame[0] = 1;
    what(argument);
    frame[FRAME_BYTES - 1] = frame[0];
}
