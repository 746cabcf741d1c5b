// A C program opens a C++ library with RTLD_LOCAL, so libstdc++ is loaded outside the global scope. operator new must
// still find the new-handler and throw std::bad_alloc, also from a second thread, and when the library is opened twice.
#include "tests/process/expect.h"

static void *run_suite(void *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) say(dlerror());
    EXPECT(library != NULL);
    void *address = dlsym(library, "cxx_suite_run");
    EXPECT(address != NULL);
    void (*run)(void);
    memcpy(&run, &address, sizeof address);
    run();
    EXPECT(dlclose(library) == 0);
    return NULL;
}

int main(int argc, char **argv) {
    test_begin(60);
    EXPECT(argc == 2);
    EXPECT(dlsym(RTLD_DEFAULT, "_ZSt15get_new_handlerv") == NULL); // no C++ runtime in the global scope
    run_suite(argv[1]);
    thread_join(thread_start(run_suite, argv[1]));
    EXPECT(dlsym(RTLD_DEFAULT, "_ZSt15get_new_handlerv") == NULL);
    puts("20 operators of a local C++ library clean");
    return 0;
}
