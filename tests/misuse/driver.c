// What: runs every case of a program whose name starts with one of the given prefixes under the preloaded library, and
// compares the outcome with the program's own list: signal, text and address.
//
//   driver PROGRAM [PREFIX...]      MBMALLOC_SO names the library; MB_MISUSE_SHOW=1 prints every outcome
//
// With MBMALLOC_OPTIONS=profile=hardened more faults are found, and the driver expects them: those in the list's fourth
// column, and for lists without one, what the rules in in_hardened say.
// Who: not preloaded itself. Each case has 150 s and leaves no core file.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/misuse/case.h"

enum { CASE_SECONDS = 150, TEXT_BYTES = 4096, MAX_FAILURES_SHOWN = 60 };

struct outcome {
    int status;
    bool late;
    char out[TEXT_BYTES], err[TEXT_BYTES];
};

static const char *const documented[] = {
    "double free",  "realloc of a freed block", "usable_size of a freed block", "sized free with wrong size",
    "invalid free", "invalid realloc",          "invalid usable_size"};

static const char *const functions[] = {"free",     "free_sized", "free_aligned_sized", "realloc", "malloc_usable_size", "malloc",
                                        "mb_check", "exit"};
static const char *const documented_hardened[] = {"write after free", "heap overflow (", "heap underflow ("};

static const char *library, *program;
static bool hardened, debug, is_long;
static int unsure; // cases so far that only hardened must find
static int failures, runs;

// --- one process -----------------------------------------------------------------------------------------------------

static void become(const char *argument, const char *options, int out, int err) {
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    if (library != NULL) setenv("LD_PRELOAD", library, 1);
    char all[512];
    snprintf(all, sizeof all, "%s%s", debug ? "profile=debug," : hardened ? "profile=hardened," : "", options);
    if (options[0] != 0) setenv("MBMALLOC_OPTIONS", all, 1);
    dup2(out, 1);
    dup2(err, 2);
    execl(program, program, argument, (char *)NULL);
    _exit(127);
}

static long now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// Reads available output; false at the end of the stream. Drops what does not fit.
static bool drain(int fd, char *text, size_t *used, size_t room) {
    char dropped[512];
    size_t left = room - 1 - *used;
    ssize_t got = left != 0 ? read(fd, text + *used, left) : read(fd, dropped, sizeof dropped);
    if (got <= 0) return got < 0 && errno == EINTR;
    if (left != 0) *used += (size_t)got;
    return true;
}

static void collect(struct outcome *o, int out, int err, pid_t child) {
    struct pollfd fds[2] = {{.fd = out, .events = POLLIN}, {.fd = err, .events = POLLIN}};
    char *text[2] = {o->out, o->err};
    size_t used[2] = {0, 0};
    long deadline = now_ms() + 1000L * CASE_SECONDS;
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        long left = deadline - now_ms();
        if (left <= 0 || poll(fds, 2, (int)left) == 0) {
            o->late = true;
            kill(child, SIGKILL);
            break;
        }
        for (int i = 0; i < 2; i++)
            if (fds[i].revents != 0 && !drain(fds[i].fd, text[i], &used[i], TEXT_BYTES)) fds[i].fd = -1;
    }
    o->out[used[0]] = o->err[used[1]] = 0;
    close(out);
    close(err);
}

static void run(struct outcome *o, const char *argument, const char *options) {
    int out[2], err[2];
    memset(o, 0, sizeof *o);
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) exit(3);
    pid_t child = fork();
    if (child < 0) exit(3);
    if (child == 0) become(argument, options, out[1], err[1]);
    close(out[1]);
    close(err[1]);
    collect(o, out[0], err[0], child);
    while (waitpid(child, &o->status, 0) < 0 && errno == EINTR) {
    }
}

// --- judging ---------------------------------------------------------------------------------------------------------

// With profile=debug call stacks follow, which are cut off here.
static bool exactly_one_line(char *text) {
    static const char more[] = "mbmalloc:   ";
    char *end = strchr(text, '\n');
    if (debug && end != NULL && strncmp(end + 1, more, strlen(more)) == 0 &&
        strstr(end, "\n"
                    "mbmalloc:   found in thread ") == end)
        end[1] = 0;
    return end != NULL && end[1] == 0;
}

static bool by_abort(const struct outcome *o) { return WIFSIGNALED(o->status) && WTERMSIG(o->status) == SIGABRT; }

// The last address that the case announced, without the newline.
static void last_announced(const struct outcome *o, char *address, size_t room) {
    size_t length = strlen(o->out);
    address[0] = 0;
    if (length == 0 || o->out[length - 1] != '\n') return;
    const char *start = o->out + length - 1;
    while (start > o->out && start[-1] != '\n') start--;
    snprintf(address, room, "%.*s", (int)(o->out + length - 1 - start), start);
}

// " (function)" or " (function, what is known of the block)", to the line's end.
static bool is_some_place(const char *text) {
    size_t length = strlen(text);
    if (length < 4 || strncmp(text, " (", 2) != 0 || strcmp(text + length - 2, ")\n") != 0) return false;
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        size_t name = strlen(functions[i]);
        if (strncmp(text + 2, functions[i], name) == 0 && (text[2 + name] == ')' || text[2 + name] == ',')) return true;
    }
    return false;
}

// ", thread 123" or nothing: which thread it was is told where the C library does not say that there is only one.
static const char *behind_thread(const char *text) {
    static const char says[] = ", thread ";
    if (strncmp(text, says, strlen(says)) != 0) return text;
    return text + strlen(says) + strspn(text + strlen(says), "0123456789");
}

static bool line_is(const char *line, const char *text, size_t length, const char *announced) {
    char whole[512];
    size_t expected = (size_t)snprintf(whole, sizeof whole, "mbmalloc: %.*s: %s", (int)length, text, announced);
    bool whole_place = strchr(announced, '(') != NULL;
    if (whole_place && whole[expected - 1] == ')') expected--;
    if (strncmp(line, whole, expected) != 0) return false;
    if (!whole_place) return is_some_place(line + expected);
    return strcmp(whole[expected] == ')' ? behind_thread(line + expected) : line + expected, whole[expected] == ')' ? ")\n" : "\n") == 0;
}

// One of the texts between the bars, with the announced address.
static bool says_one_of(const struct outcome *o, const char *texts) {
    char address[256];
    last_announced(o, address, sizeof address);
    if (hardened) address[strcspn(address, " ")] = 0; // a block is as long there as was asked for, and not as its class is
    for (const char *text = texts; *text != 0;) {
        size_t length = strcspn(text, "|");
        if (line_is(o->err, text, length, address)) return true;
        text += length + (text[length] == '|');
    }
    return false;
}

static bool begins_with_one_of(const char *text, const char *const *beginnings, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strncmp(text, beginnings[i], strlen(beginnings[i])) == 0) return true;
    return false;
}

// `texts` "libc": what is handed on to the libc's own malloc, that one may refuse in its own words.
static bool says_something_documented(struct outcome *o, const char *texts) {
    static const char prefix[] = "mbmalloc: ";
    if (!exactly_one_line(o->err)) return false;
    if (strcmp(texts, "libc") == 0 && strstr(o->err, "(): invalid ") != NULL) return true;
    if (strncmp(o->err, prefix, strlen(prefix)) != 0) return false;
    const char *text = o->err + strlen(prefix);
    return begins_with_one_of(text, documented, sizeof documented / sizeof documented[0]) ||
           (hardened && begins_with_one_of(text, documented_hardened, sizeof documented_hardened / sizeof documented_hardened[0]));
}

static bool ended_well(const struct outcome *o) { return WIFEXITED(o->status) && WEXITSTATUS(o->status) == 0; }

// True if the address lies in memory that the hardened front has made inaccessible.
static bool faulted(const struct outcome *o) { return WIFSIGNALED(o->status) && WTERMSIG(o->status) == SIGSEGV; }

static bool is_right(struct outcome *o, enum case_end end, const char *texts) {
    bool quiet = ended_well(o) && o->err[0] == 0;
    if (o->late) return false;
    if (end == END_DIES && faulted(o) && strstr(texts, "SEGV") != NULL) return true;
    if (end == END_DIES && by_abort(o) && o->err[0] == 0 && strncmp(texts, "SILENT", 6) == 0) return true;
    if (end == END_DIES) return by_abort(o) && exactly_one_line(o->err) && says_one_of(o, texts);
    if (end == END_TOLD) return ended_well(o) && exactly_one_line(o->err) && says_one_of(o, texts);
    if (end == END_ANYHOW && by_abort(o)) return says_something_documented(o, texts);
    if (end == END_ANYHOW && hardened && faulted(o)) return debug || o->err[0] == 0;
    if (end == END_ANYHOW) return WIFEXITED(o->status) && WEXITSTATUS(o->status) <= 1;
    if (end == END_SILENT) return by_abort(o) && o->err[0] == 0;
    if (end == END_STOPPED && hardened && faulted(o) && (debug || o->err[0] == 0)) return true;
    if (end == END_STOPPED) return quiet || (by_abort(o) && says_something_documented(o, texts));
    return quiet;
}

static void show(const char *name, const struct outcome *o, const char *verdict) {
    const char *how = o->late ? "timeout" : WIFSIGNALED(o->status) ? strsignal(WTERMSIG(o->status)) : "exit";
    char address[256];
    last_announced(o, address, sizeof address);
    printf("%s %s: %s%s %d, announced %s, stderr: %s%s", verdict, name, how, WIFEXITED(o->status) ? " status" : ", signal",
           WIFEXITED(o->status) ? WEXITSTATUS(o->status) : WTERMSIG(o->status), address[0] != 0 ? address : "nothing",
           o->err[0] != 0 ? o->err : "nothing\n", o->err[0] != 0 && strchr(o->err, '\n') == NULL ? "\n" : "");
}

static void judge(const char *name, enum case_end end, const char *options, const char *texts) {
    struct outcome o;
    run(&o, name, options);
    runs++;
    bool right = is_right(&o, end, texts);
    if (getenv("MB_MISUSE_SHOW") != NULL)
        show(name, &o, right ? "ok  " : "FAIL");
    else if (!right && failures < MAX_FAILURES_SHOWN)
        show(name, &o, "FAIL");
    if (!right && failures < MAX_FAILURES_SHOWN && (end == END_DIES || end == END_TOLD)) printf("     expected: %s\n", texts);
    if (!right) failures++;
}

// --- all of them -----------------------------------------------------------------------------------------------------

static bool is_chosen(const char *name, int argc, char **argv) {
    for (int i = 2; i < argc; i++)
        if (strncmp(name, argv[i], strlen(argv[i])) == 0) return true;
    return argc <= 2;
}

struct expected {
    enum case_end end;
    char texts[1024];
};

// What is written into a freed block is found, but for zeros, which changes nothing. Between the slots of a slab there
// is no room that belongs to none: a pointer there is an interior one.
static void in_hardened(const char *name, const char *options, struct expected *e) {
    bool writes = strncmp(name, "link/", 5) == 0 && e->end == END_LIVES;
    bool zero = strstr(name, "zero") != NULL || strstr(name, "fill-00") != NULL || strstr(name, "link-of-another") != NULL;
    if (writes && zero) e->end = END_ANYHOW;
    if (writes && e->end == END_LIVES) *e = (struct expected){END_DIES, "write after free|SEGV"};
    if (e->end == END_TOLD && options[0] == 0) e->end = END_DIES; // nothing that is wrong is let pass, but where an option says so
    const char *never = strstr(e->texts, " (never handed out)");
    if (never == NULL) return;
    size_t used = strlen(e->texts);
    snprintf(e->texts + used, sizeof e->texts - used, "|%.*s (interior pointer)", (int)(never - e->texts), e->texts);
}

static void judge_line(char *line, int argc, char **argv) {
    char *rest = line;
    struct expected e;
    line[strcspn(line, "\n")] = 0;
    const char *name = strsep(&rest, "\t"), *end = strsep(&rest, "\t"), *options = strsep(&rest, "\t"), *texts = strsep(&rest, "\t");
    if (end == NULL || texts == NULL || end[0] < '0' || end[0] >= '0' + END_COUNT) exit(3);
    e.end = (enum case_end)(end[0] - '0');
    snprintf(e.texts, sizeof e.texts, "%s", texts);
    if (hardened && rest == NULL) in_hardened(name, options, &e);
    if (!hardened && rest != NULL && !is_long && ++unsure % 10 != 1) return; // few of what may pass there anyhow
    if (hardened && rest != NULL) {
        e.end = END_DIES;
        snprintf(e.texts, sizeof e.texts, "%s", rest);
    }
    if (is_chosen(name, argc, argv)) judge(name, e.end, options, e.texts);
}

// The list comes from the program itself, which runs without the library for that.
static void judge_all(int argc, char **argv) {
    char command[TEXT_BYTES], line[1024];
    snprintf(command, sizeof command, "'%s' --list", program);
    FILE *list = popen(command, "r");
    if (list == NULL) exit(3);
    while (fgets(line, sizeof line, list) != NULL) judge_line(line, argc, argv);
    if (pclose(list) != 0) exit(3);
}

int main(int argc, char **argv) {
    if (argc < 2) return 3;
    program = argv[1];
    library = getenv("MBMALLOC_SO");
    is_long = getenv("MB_TEST_LONG") != NULL;
    const char *options = getenv("MBMALLOC_OPTIONS");
    debug = options != NULL && strstr(options, "profile=debug") != NULL;
    hardened = debug || (options != NULL && strstr(options, "hardened") != NULL);
    if (library == NULL) {
        puts("MBMALLOC_SO is not set");
        return 3;
    }
    judge_all(argc, argv);
    printf("%d cases, %d failed\n", runs, failures);
    return runs == 0 || failures != 0;
}
