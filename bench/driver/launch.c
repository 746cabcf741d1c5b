// What: runs one command with a library preloaded and writes its times, peak memory and page faults (wait4).
//   bench_launch RESULT SECONDS LIBRARY|- COMMAND [ARGUMENTS...]
// RESULT receives one line: status wall_ns user_us sys_us peak_kib minor major. status: exit code, 128 + signal, or 124
// after SECONDS, when the command's process group is killed.
// Why not in Python: a child's peak memory starts at that of the process that forked it.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t group;
static volatile sig_atomic_t time_is_up;

static void stop_group(int signal_number) {
    time_is_up = signal_number == SIGALRM;
    if (group > 0) kill(-(pid_t)group, SIGKILL);
}

static void watch(unsigned seconds) {
    struct sigaction action = {.sa_handler = stop_group};
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    alarm(seconds);
}

static long long now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

static long long microseconds(struct timeval t) {
    return (long long)t.tv_sec * 1000000 + t.tv_usec;
}

static _Noreturn void become(const char *library, char **command) {
    setpgid(0, 0);
    if (strcmp(library, "-") != 0) setenv("LD_PRELOAD", library, 1);
    execvp(command[0], command);
    perror(command[0]);
    _exit(127);
}

static int status_of(int wait_status) {
    if (time_is_up) return 124;
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

static int write_result(const char *path, int status, long long wall_ns, const struct rusage *usage) {
    FILE *file = fopen(path, "w");
    if (file == NULL) return 1;
    fprintf(file, "%d %lld %lld %lld %ld %ld %ld\n", status, wall_ns, microseconds(usage->ru_utime),
            microseconds(usage->ru_stime), usage->ru_maxrss, usage->ru_minflt, usage->ru_majflt);
    return fclose(file) != 0;
}

int main(int count, char **arguments) {
    if (count < 5) {
        fprintf(stderr, "usage: bench_launch RESULT SECONDS LIBRARY|- COMMAND [ARGUMENTS...]\n");
        return 2;
    }
    watch((unsigned)strtoul(arguments[2], NULL, 10));
    const long long begin = now_ns();
    const pid_t child = fork();
    if (child < 0) return 1;
    if (child == 0) become(arguments[3], arguments + 4);
    setpgid(child, child); // the child calls it too, since either may run first
    group = child;
    int status = 0;
    struct rusage usage;
    while (wait4(child, &status, 0, &usage) < 0) {
        if (errno != EINTR) return 1;
    }
    const long long wall_ns = now_ns() - begin;
    kill(-child, SIGKILL); // processes that the command left running
    return write_result(arguments[1], status_of(status), wall_ns, &usage);
}
