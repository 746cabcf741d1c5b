// A SIGSEGV handler that passes the faulting address to a function and then lets the fault take its course.
//
// What: afterwards the handler that was installed before is called as the kernel would have called it; if there was
// none, the default action is restored, and the faulting instruction runs again and ends the process. A handler that
// the program installs later replaces this one.
// Who: any thread, in its signal handler: takes no lock, allocates nothing.
#include <signal.h>
#include <stdint.h>

#include "platform/compiler.h"
#include "platform/os.h"
#include "platform/syscall_linux.h"

// The kernel's struct sigaction (not the libc's).
struct kernel_action {
    void (*handler)(int, siginfo_t *, void *);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

enum { RESTORER_IS_NAMED = 0x04000000 };

#if defined(__x86_64__)
// rt_sigreturn, for x86-64, which has none in the vDSO. Unwinders recognise a signal frame by exactly these bytes.
__asm__(".text\n"
        ".type mb_os_return_from_signal, @function\n"
        "nop\n"
        "mb_os_return_from_signal:\n"
        "mov $15, %rax\n"
        "syscall\n"
        ".size mb_os_return_from_signal, . - mb_os_return_from_signal\n");
#else
// The same for aarch64. Its vDSO has one, but what lies there is a caller from outside for a walk up the stack.
__asm__(".text\n"
        ".type mb_os_return_from_signal, %function\n"
        "nop\n"
        "mb_os_return_from_signal:\n"
        "mov x8, #139\n"
        "svc #0\n"
        ".size mb_os_return_from_signal, . - mb_os_return_from_signal\n");
#endif
void mb_os_return_from_signal(void) __attribute__((visibility("hidden")));

static struct {
    mb_os_fault_look *look;        // written before the handler is installed
    struct kernel_action previous; // likewise
} fault_shared MB_SEALED;

static void set_default(void) {
    static const struct kernel_action normal;
    mb_syscall4(__NR_rt_sigaction, SIGSEGV, mb_arg(&normal), 0, sizeof normal.mask);
}

// A true fault repeats when the handler returns; a SIGSEGV that was sent by kill does not, and is sent again.
static void by_default(const siginfo_t *info) {
    set_default();
    if (info->si_code <= 0) mb_syscall3(__NR_tgkill, mb_syscall0(__NR_getpid), mb_syscall0(__NR_gettid), SIGSEGV);
}

static void on_fault(int number, siginfo_t *info, void *context) {
    const struct kernel_action *previous = &fault_shared.previous;
    bool nobody = (uintptr_t)previous->handler == (uintptr_t)SIG_DFL || (uintptr_t)previous->handler == (uintptr_t)SIG_IGN;
    if (info->si_code > 0) fault_shared.look(info->si_addr);
    if (nobody) return by_default(info);
    previous->handler(number, info, context);
}

bool mb_os_on_fault(mb_os_fault_look *look) {
    struct kernel_action action = {
        .handler = on_fault, .flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | RESTORER_IS_NAMED, .restorer = mb_os_return_from_signal};
    fault_shared.look = look;
    if (mb_syscall4(__NR_rt_sigaction, SIGSEGV, 0, mb_arg(&fault_shared.previous), sizeof action.mask) != 0) return false;
    action.mask = fault_shared.previous.mask;
    return mb_syscall4(__NR_rt_sigaction, SIGSEGV, mb_arg(&action), 0, sizeof action.mask) == 0;
}
