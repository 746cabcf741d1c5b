// A fully static program (cc -static with libmbmalloc.a). That mbmalloc serves it is shown twice: its statistics are
// written at exit, and mallinfo2 counts usable sizes, which glibc's does not.
#include "tests/process/exercise.h"

static void counts_like_mbmalloc(void) {
    size_t before = mallinfo2().uordblks;
    void *p = block_new(1000);
    EXPECT(mallinfo2().uordblks - before == malloc_usable_size(p));
    block_free(p);
    EXPECT(mallinfo2().uordblks == before);
}

static int live(void) {
    alarm(250);
    counts_like_mbmalloc();
    exercise_all();
    return 0;
}

static unsigned long blocks_served(const char *path) {
    unsigned long most = 0, blocks;
    char line[400];
    FILE *in = fopen(path, "r");
    EXPECT(in != NULL);
    while (fgets(line, sizeof line, in) != NULL)
        if (sscanf(line, "mbmalloc-stats pid=%*d blocks=%lu", &blocks) == 1 && blocks > most) most = blocks;
    fclose(in);
    return most;
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "live") == 0) return live();
    alarm(300);
    char path[] = "/tmp/mb-static-stats-XXXXXX", options[100];
    int fd = mkstemp(path);
    EXPECT(fd >= 0 && close(fd) == 0);
    snprintf(options, sizeof options, "stats_file=%s", path);
    EXPECT(setenv("MBMALLOC_OPTIONS", options, 1) == 0);
    int status = run_self("live");
    unsigned long blocks = blocks_served(path);
    unlink(path);
    printf("status 0x%x, %lu blocks served by mbmalloc\n", (unsigned)status, blocks);
    return status == 0 && blocks > 1000 ? 0 : 1;
}
