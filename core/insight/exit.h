// Statistics when the process ends: options stats=exit and stats_file.
//
// What: the library's destructor writes them, or our _exit (preload/shared/exit.c), or a handler of SIGHUP, SIGINT or
// SIGTERM, which is installed if the program has none. Nothing is written after another signal, exec or quick_exit.
// With stats=exit a duplicate of standard error is kept, because programs close it before the destructors run.
// Who: whichever thread ends the process; once in each process.
#ifndef MB_CORE_INSIGHT_EXIT_H
#define MB_CORE_INSIGHT_EXIT_H

// Writes what the options ask for, unless that was done already. In a child of vfork it does nothing.
void mb_exit_report(void);

#endif
