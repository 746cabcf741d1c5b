// _exit and _Exit: a program that ends by them runs no destructor, and its statistics may be asked for.
//
// What: the libc's do the same system call; its own exit does not come here.
// Who: any thread, a signal handler or a vforked child included.
#include "core/insight/exit.h"
#include "core/insight/monitor.h"
#include "platform/compiler.h"
#include "platform/os.h"

MB_EXPORT _Noreturn void _exit(int status) {
    mb_exit_report();
    mb_monitor_end();
    mb_os_exit(status);
}

MB_EXPORT _Noreturn void _Exit(int status) __attribute__((alias("_exit")));
