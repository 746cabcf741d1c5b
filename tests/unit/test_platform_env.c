// The environment, also before the first constructor: the program runs itself again with chosen arguments and
// environment, reads them in .preinit_array (where the C library has not set `environ` yet) and again in main, and the
// parent compares.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/os.h"
#include "tests/unit/memory.h"

enum { SECURE_USER = 65534 };

// --- the program that is looked at ----------------------------------------------------------------------------------

struct answers {
    const char *word, *empty, *missing, *program;
};
static struct answers early;
static bool early_environ; // whether libc had set environ already

static struct answers ask(void) {
    struct answers all = {mb_os_env("MB_WORD"), mb_os_env("MB_EMPTY"), mb_os_env("MB_WOR"), mb_os_program_name()};
    return all;
}

static void ask_early(void) {
    early_environ = environ != NULL;
    early = ask();
}
static void (*const run_early)(void) __attribute__((section(".preinit_array"), used)) = ask_early;

static const char *shown(const char *text) { return text != NULL ? text : "(null)"; }

static void show(const char *when, struct answers all) {
    printf("%s %s '%s' %s %s\n", when, shown(all.word), shown(all.empty), shown(all.missing), shown(all.program));
}

static _Noreturn void look(void) {
    printf("environ %d secure %d\n", early_environ, getauxval(AT_SECURE) != 0);
    show("early", early);
    show("main", ask());
    environ = NULL;
    show("cleared", ask());
    fflush(stdout);
    _exit(0); // a leak checker could not look into a setuid program
}

// --- the tests ------------------------------------------------------------------------------------------------------

static char self[4096];

// Runs `program look MB_WORD=argument` with the environment and returns what it printed.
static char *run(const char *program, char *const *environment) {
    static char output[4096];
    char *const arguments[] = {(char *)program, "look", "MB_WORD=argument", "MB_EMPTY=argument", NULL};
    int ends[2], status;
    size_t length = 0;
    ssize_t got;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 1);
        execve(program, arguments, environment);
        _exit(127);
    }
    close(ends[1]);
    while ((got = read(ends[0], output + length, sizeof output - 1 - length)) > 0) length += (size_t)got;
    output[length] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    return output;
}

static void finds_exact_names_at_any_time(void **state) {
    (void)state;
    char *const environment[] = {"MB_WORDS=longer", "MB_EMPTY=", "MB_WORD=value=1", "MB_WORD=second", "NO_EQUALS", NULL};
    assert_string_equal(run(self, environment), "environ 0 secure 0\n"
                                                "early value=1 '' (null) test_platform_env\n"
                                                "main value=1 '' (null) test_platform_env\n"
                                                "cleared value=1 '' (null) test_platform_env\n");
}

static void finds_nothing_in_an_empty_environment(void **state) {
    (void)state;
    char *const environment[] = {NULL};
    assert_string_equal(run(self, environment), "environ 0 secure 0\n"
                                                "early (null) '(null)' (null) test_platform_env\n"
                                                "main (null) '(null)' (null) test_platform_env\n"
                                                "cleared (null) '(null)' (null) test_platform_env\n");
}

static void follows_setenv_while_environ_is_set(void **state) {
    (void)state;
    assert_int_equal(setenv("MB_WORD", "mine", 1), 0);
    assert_string_equal(mb_os_env("MB_WORD"), "mine");
    assert_int_equal(unsetenv("MB_WORD"), 0);
    assert_null(mb_os_env("MB_WORD"));
}

static void copy_file(const char *from, const char *to) {
    static char buffer[1 << 16];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    size_t got;
    assert_non_null(in);
    assert_non_null(out);
    while ((got = fread(buffer, 1, sizeof buffer, in)) > 0) assert_int_equal(fwrite(buffer, 1, got, out), got);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

static void sees_nothing_in_a_setuid_program(void **state) {
    (void)state;
    if (geteuid() != 0) skip(); // only root can make a file another user's
    char folder[] = "/tmp/mb_env_XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chmod(folder, 0755), 0);
    snprintf(path, sizeof path, "%s/secure", folder);
    copy_file(self, path);
    assert_int_equal(chown(path, SECURE_USER, SECURE_USER), 0);
    assert_int_equal(chmod(path, 06755), 0);
    char *const environment[] = {"MB_WORD=value", "MB_EMPTY=", NULL};
    char *output = run(path, environment);
    unlink(path);
    rmdir(folder);
    if (strstr(output, "secure 0") != NULL) skip(); // a nosuid file system: no secure execution to be had
    assert_string_equal(output, "environ 0 secure 1\n"
                                "early (null) '(null)' (null) secure\n"
                                "main (null) '(null)' (null) secure\n"
                                "cleared (null) '(null)' (null) secure\n");
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "look") == 0) look();
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_exact_names_at_any_time),
        cmocka_unit_test(finds_nothing_in_an_empty_environment),
        cmocka_unit_test(follows_setenv_while_environ_is_set),
        cmocka_unit_test(sees_nothing_in_a_setuid_program),
    };
    return cmocka_run_group_tests_name("platform: environment", tests, NULL, NULL);
}
