// _exit and _Exit, replaced so that statistics which were asked for (stats=exit) are written: a program that ends by
// them runs no destructors.
//
// What: then the same system call as the C library's. The C library's own exit does not call these.
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
