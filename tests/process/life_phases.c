// Allocation in every phase of a process: .preinit_array, constructors (ours and a library's), main, atexit and on_exit
// handlers, handlers registered by handlers, destructors of the program and of the library.
//
// Each phase frees blocks of the phase before and leaves some, then writes its letter; the parent compares the letters,
// so a phase that is skipped or out of order fails too.
#include "tests/process/blocks.h"

enum { CARRIED = 300 };
static const char expected[] = "pceMaonDE";

static void *carried[CARRIED];

void life_mark(char phase);
void early_mark(void);

// Half of the blocks are freed, a third change size, all are checked.
static void work(void) {
    for (size_t i = 0; i < CARRIED; i++) {
        if (carried[i] == NULL) {
            carried[i] = block_new(16 + i * i);
        } else if (i % 2 == 0) {
            block_free(carried[i]);
            carried[i] = NULL;
        } else if (i % 3 == 0) {
            carried[i] = block_resize(carried[i], 16 + (i * 7919) % 100000);
        } else {
            block_check(carried[i]);
        }
    }
}

void life_mark(char phase) {
    work();
    EXPECT(write(1, &phase, 1) == 1);
}

static void preinit(int argc, char **argv, char **env) {
    (void)argc;
    (void)argv;
    (void)env;
    life_mark('p');
}

__attribute__((section(".preinit_array"), used)) static void (*preinit_entry)(int, char **, char **) = preinit;

__attribute__((constructor)) static void construct(void) { life_mark('c'); }

static void handler_of_handler(void) { life_mark('n'); }

static void at_exit(void) {
    life_mark('a');
}

static void on_exit_handler(int status, void *arg) {
    EXPECT(status == 5);
    block_free(arg);
    life_mark('o');
    atexit(handler_of_handler);
}

__attribute__((destructor)) static void destruct(void) { life_mark('D'); }

static int live(void) {
    early_mark();
    EXPECT(on_exit(on_exit_handler, block_new(333)) == 0);
    EXPECT(atexit(at_exit) == 0);
    life_mark('M');
    return 5;
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "live") == 0) return live();
    test_begin(30);
    int ends[2];
    EXPECT(pipe(ends) == 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 1);
        execl("/proc/self/exe", "life", "live", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    char letters[64] = {0};
    size_t got = 0;
    for (ssize_t n; got < 60 && (n = read(ends[0], letters + got, 60 - got)) > 0;) got += (size_t)n;
    int status = 0;
    EXPECT(waitpid(child, &status, 0) == child);
    EXPECT(write(2, letters, got) == (ssize_t)got && write(2, "\n", 1) == 1);
    EXPECT(strcmp(letters, expected) == 0);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 5);
    return 0;
}
