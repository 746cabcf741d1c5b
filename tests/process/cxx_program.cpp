// The operators' test in a C++ program; main catches what must not get out.
#include "tests/process/cxx_suite.h"
#include "tests/process/expect.h"

#include <exception>

int main() {
    test_begin(60);
    try {
        cxx_suite_run();
    } catch (const std::exception &e) {
        say(e.what());
        return 1;
    }
    puts("20 operators clean");
    return 0;
}
