// Statistics when the process ends: options stats=exit and stats_file.
//
// What: they are written by the library's destructor, by our _exit (preload/shared/exit.c) and by handlers of SIGHUP, SIGINT and SIGTERM where the program has
// none; not where it ends otherwise (another signal, exec, quick_exit). With stats=exit a copy of standard error is kept, because programs
// close it before the destructors run.
// Who: whichever thread ends the process; once in each process.
#ifndef MB_CORE_INSIGHT_EXIT_H
#define MB_CORE_INSIGHT_EXIT_H

// Writes what the options ask for, if nobody has. In a child of vfork: nothing.
void mb_exit_report(void);

#endif
