// For tool.sh: a program that replaces operator new, by its mangled name, but not operator delete. Prints that it is
// ready, and waits.
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

void *_Znwm(size_t bytes);
void *_Znwm(size_t bytes) { return malloc(bytes); }

int main(void) {
    char byte;
    if (write(STDOUT_FILENO, "ready\n", 6) != 6) return 1;
    return read(STDIN_FILENO, &byte, 1) < 0;
}
