// Symbols of loaded objects: what core/process/foreign_symbol.c reads and changes is compared with the results of
// dlsym.
#define _GNU_SOURCE
#include "core/process/foreign.h"

#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/memory.h"
#include "tests/unit/refusing_os.h"

static const char *const *const libc = mb_libc_files;
static const char *const nothing[] = {"libnothing.so", NULL};

static pid_t not_a_parent(void) { return 1234567; }

static void what_dlsym_finds_is_found(void **state) {
    (void)state;
    const char *names[] = {"strlen", "getppid", "malloc", "qsort", "environ"};
    void *handle = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], "strlen") == 0) { // one of several for the processor to choose from: the table has who chooses
            assert_non_null(mb_foreign_symbol(libc, names[i], NULL));
        } else {
            assert_ptr_equal(mb_foreign_symbol(libc, names[i], NULL), dlsym(handle, names[i]));
        }
    }
    assert_null(mb_foreign_symbol(libc, "no_such_name_anywhere", NULL));
    assert_null(mb_foreign_symbol(nothing, "getppid", NULL));
    dlclose(handle);
}

// glibc has some functions in the version of old programs as well: another memcpy, another realpath.
static void of_several_versions_it_is_the_present_one(void **state) {
    (void)state;
    const char *names[] = {"realpath", "nftw", "regexec", "pthread_cond_wait"};
    void *handle = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        void *theirs = dlsym(handle, names[i]);
        if (theirs != NULL) assert_ptr_equal(mb_foreign_symbol(libc, names[i], NULL), theirs);
    }
    assert_ptr_equal(mb_foreign_own(MB_OWN_memcpy), dlsym(handle, "memcpy")); // and the one that is chosen for the processor
    dlclose(handle);
}

static void the_next_one_is_behind_an_object(void **state) {
    (void)state;
    void *first = dlsym(RTLD_DEFAULT, "getppid");
    assert_ptr_equal(mb_foreign_next_symbol("getppid", (void *)not_a_parent), first);
    assert_null(mb_foreign_next_symbol("getppid", first)); // the libc is the last one with that name
    assert_null(mb_foreign_next_symbol("getppid", state)); // behind no object
}

static void a_refusal_changes_nothing(void **state) {
    (void)state;
    void *handle = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD), *before = dlsym(handle, "getppid");
    os_refuse(1u << OS_PROTECT, 0, 1);
    assert_false(mb_foreign_redirect(libc, "getppid", (void *)not_a_parent));
    assert_int_equal(os.refused, 1);
    os_allow_all();
    assert_ptr_equal(dlsym(handle, "getppid"), before);
    assert_false(mb_foreign_redirect(libc, "no_such_name_anywhere", (void *)not_a_parent));
    assert_false(mb_foreign_redirect(nothing, "getppid", (void *)not_a_parent));
    dlclose(handle);
}

static void a_name_means_something_else(void **state) {
    (void)state;
    void *handle = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD), *before = dlsym(handle, "getppid");
    void *neighbour = dlsym(handle, "getpid");
    assert_true(mb_foreign_redirect(libc, "getppid", (void *)not_a_parent));
    assert_ptr_equal(dlsym(handle, "getppid"), (void *)not_a_parent);
    assert_ptr_equal(mb_foreign_symbol(libc, "getppid", NULL), (void *)not_a_parent);
    assert_ptr_equal(dlsym(handle, "getpid"), neighbour);
    assert_int_equal(getppid() == not_a_parent(), 0); // bound before
    assert_int_equal(os.made[OS_PROTECT], 2);
    assert_true(mb_foreign_redirect(libc, "getppid", (void *)not_a_parent)); // again: nothing to do
    assert_int_equal(os.made[OS_PROTECT], 2);
    assert_true(mb_foreign_redirect(libc, "getppid", before));
    assert_ptr_equal(dlsym(handle, "getppid"), before);
    dlclose(handle);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_dlsym_finds_is_found),        cmocka_unit_test(of_several_versions_it_is_the_present_one),
        cmocka_unit_test(the_next_one_is_behind_an_object), cmocka_unit_test(a_refusal_changes_nothing),
        cmocka_unit_test(a_name_means_something_else),
    };
    getppid();
    os_allow_all();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
