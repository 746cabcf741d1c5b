// A small program that uses the whole allocator: what valgrind.sh runs.
#include "tests/process/exercise.h"

int main(void) {
    exercise_all();
    puts("small program done");
    return 0;
}
