// What: `misuse NAME` runs one case, `misuse --list` prints all as lines `name TAB end TAB options TAB texts`.
//
// Who: started by driver.c under the preloaded library. Status 2: no such case.
#include "tests/misuse/case.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *wanted;
static bool found;

static void list_one(const struct misuse_case *c) {
    printf("%s\t%d\t%s\t%s\n", c->name, (int)c->end, c->options != NULL ? c->options : "", c->text);
}

static void run_if_wanted(const struct misuse_case *c) {
    if (found || strcmp(c->name, wanted) != 0) return;
    found = true;
    c->run(c);
}

static void all_cases(misuse_emit *emit) {
    double_free_cases(emit);
    pointer_cases(emit);
    sweep_cases(emit);
    link_cases(emit);
    sized_cases(emit);
    told_cases(emit);
    attack_cases(emit);
    legal_cases(emit);
    ending_cases(emit);
    policy_cases(emit);
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    if (strcmp(argv[1], "--list") == 0) {
        all_cases(list_one);
        return 0;
    }
    wanted = argv[1];
    all_cases(run_if_wanted);
    // No exit handlers: they must not find what a case has damaged.
    _exit(found ? 0 : 2);
}
