// What: prints which files malloc and free come from. The driver runs it once under each allocator, so that no figure
// is credited to a library that was not loaded.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static const char *origin(const char *name) {
    Dl_info info;
    void *at = dlsym(RTLD_DEFAULT, name);
    return at != NULL && dladdr(at, &info) != 0 && info.dli_fname != NULL ? info.dli_fname : "";
}

int main(void) {
    char *volatile p = malloc(100);
    free(p);
    return printf("%s\n%s\n", origin("malloc"), origin("free")) < 0;
}
