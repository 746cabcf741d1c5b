#include "tests/unit/kernel.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// --- /proc/self/smaps -----------------------------------------------------------------------------------------------

static bool parse_header(const char *line, struct kernel_mapping *out) {
    unsigned long first, last;
    char access[5];
    if (sscanf(line, "%lx-%lx %4s", &first, &last, access) != 3) return false;
    memset(out, 0, sizeof *out);
    out->first = first;
    out->last = last;
    memcpy(out->access, access, sizeof access);
    return true;
}

static void parse_detail(const char *line, struct kernel_mapping *out) {
    sscanf(line, "Rss: %zu", &out->rss_kib);
    sscanf(line, "AnonHugePages: %zu", &out->huge_kib);
    sscanf(line, "Locked: %zu", &out->locked_kib);
    if (strncmp(line, "VmFlags:", 8) == 0) snprintf(out->flags, sizeof out->flags, "%s", line + 8);
}

// Read without stdio, whose buffer might be mapped just where nothing should be.
struct smaps {
    int fd;
    size_t filled, next;
    char buffer[4096], line[512];
};

static struct smaps open_smaps(void) {
    struct smaps smaps = {.fd = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC)};
    if (smaps.fd >= 0) return smaps;
    perror("/proc/self/smaps");
    exit(1);
}

static bool fill(struct smaps *smaps) {
    ssize_t got = read(smaps->fd, smaps->buffer, sizeof smaps->buffer);
    smaps->filled = got > 0 ? (size_t)got : 0;
    smaps->next = 0;
    return got > 0;
}

// The rest of a longer line (a file name) is dropped.
static bool next_line(struct smaps *smaps) {
    size_t length = 0;
    for (;;) {
        if (smaps->next == smaps->filled && !fill(smaps)) return false;
        char c = smaps->buffer[smaps->next++];
        if (c == '\n') break;
        if (length < sizeof smaps->line - 1) smaps->line[length++] = c;
    }
    smaps->line[length] = '\0';
    return true;
}

bool kernel_mapping_at(const void *p, struct kernel_mapping *out) {
    struct smaps smaps = open_smaps();
    struct kernel_mapping now;
    bool found = false;
    while (next_line(&smaps)) {
        if (parse_header(smaps.line, &now)) {
            if (found) break; // all details of the one we look for have been read
            found = now.first <= (uintptr_t)p && (uintptr_t)p < now.last;
            if (found) *out = now;
        } else if (found) {
            parse_detail(smaps.line, out);
        }
    }
    close(smaps.fd);
    return found;
}

struct kernel_mapping kernel_mapping_of(const void *p) {
    struct kernel_mapping mapping;
    if (kernel_mapping_at(p, &mapping)) return mapping;
    fprintf(stderr, "nothing is mapped at %p\n", p);
    exit(1);
}

bool kernel_has_flag(const void *p, const char *two_letters) {
    char wanted[8];
    struct kernel_mapping mapping = kernel_mapping_of(p);
    snprintf(wanted, sizeof wanted, " %s ", two_letters);
    return strstr(mapping.flags, wanted) != NULL;
}

size_t kernel_mappings_in(const void *p, size_t bytes) {
    struct smaps smaps = open_smaps();
    struct kernel_mapping now;
    size_t count = 0;
    while (next_line(&smaps)) {
        if (!parse_header(smaps.line, &now)) continue;
        count += now.first < (uintptr_t)p + bytes && now.last > (uintptr_t)p;
    }
    close(smaps.fd);
    return count;
}

void kernel_small_pages(bool only) { prctl(PR_SET_THP_DISABLE, only, 0, 0, 0); }

// --- children -------------------------------------------------------------------------------------------------------

static _Noreturn void run_child(bool (*act)(void *), void *argument) {
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGSEGV, SIG_DFL); // sanitizers catch it
    signal(SIGBUS, SIG_DFL);
    alarm(150);
    _exit(act(argument) ? 0 : 1);
}

int child_outcome(bool (*act)(void *), void *argument) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) run_child(act, argument);
    if (child < 0 || waitpid(child, &status, 0) != child) return -2;
    if (WIFSIGNALED(status)) return WTERMSIG(status);
    return WEXITSTATUS(status) == 0 ? 0 : -1;
}

bool child_reads(void *p) {
    volatile const char *byte = p;
    (void)*byte;
    return true;
}

bool child_writes(void *p) {
    volatile char *byte = p;
    *byte = 1;
    return true;
}

// --- refusals -------------------------------------------------------------------------------------------------------

// Installs a filter that answers `verdict` where the call matches, as kernel.h says.
static int filter(long number, int argument, uint32_t value, uint32_t verdict, unsigned flags) {
    unsigned argument_at = argument < 0 ? 0 : (unsigned)offsetof(struct seccomp_data, args) + 8 * (unsigned)argument;
    unsigned char skip = argument < 0 ? 0 : 1; // without an argument the second comparison always leads to the verdict
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument_at),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip),
        BPF_STMT(BPF_RET | BPF_K, verdict),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

bool kernel_refuse(long number, int argument, uint32_t value, int error) {
    uint32_t verdict = error == 0 ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | (uint32_t)error;
    return filter(number, argument, value, verdict, 0) == 0;
}

static struct {
    _Atomic int listener; // -1 until the filter is there
    int64_t (*answer)(const uint64_t arguments[6]);
} stand_in = {-1, NULL};

static void *answer_all(void *unused) {
    struct seccomp_notif request;
    struct seccomp_notif_resp response;
    while (atomic_load(&stand_in.listener) < 0) usleep(100);
    for (;;) {
        memset(&request, 0, sizeof request);
        memset(&response, 0, sizeof response);
        if (syscall(SYS_ioctl, stand_in.listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0) continue;
        int64_t result = stand_in.answer((const uint64_t *)request.data.args);
        response.id = request.id;
        if (result < 0)
            response.error = (int32_t)result;
        else
            response.val = result;
        syscall(SYS_ioctl, stand_in.listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
    }
    return unused;
}

bool kernel_stand_in(long number, int argument, uint32_t value, int64_t (*answer)(const uint64_t arguments[6])) {
    pthread_t thread; // made before the filter, so that it is free of it
    stand_in.answer = answer;
    if (pthread_create(&thread, NULL, answer_all, NULL) != 0) return false;
    int listener = filter(number, argument, value, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    atomic_store(&stand_in.listener, listener);
    return listener >= 0;
}
