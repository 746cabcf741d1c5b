// A small program that uses all parts of the allocator, for valgrind.sh.
#include "tests/process/exercise.h"

int main(void) {
    exercise_all();
    puts("small program done");
    return 0;
}
