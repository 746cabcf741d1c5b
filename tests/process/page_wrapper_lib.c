// A library that wraps madvise, as tools do that observe memory; it comes after ours in the loader's search order.
#include <sys/syscall.h>
#include <unistd.h>

int madvise(void *p, size_t bytes, int advice);
int advice_seen(void);

static int seen;

int madvise(void *p, size_t bytes, int advice) {
    seen++;
    return (int)syscall(SYS_madvise, p, bytes, advice);
}

int advice_seen(void) { return seen; }
