// Answers the `mbmalloc` command, which asks by the shared page of core/told/monitor_page.h: option monitor=1.
//
// What: at the start the library creates the page (in /run/user or /dev/shm) and a thread that sleeps until a request
// comes. A forked child gets a page of its own, which malloc's slow path looks at. Without the option there is neither.
// Who: the monitor's thread, or any thread in a slow path; each request is answered once.
#ifndef MB_CORE_INSIGHT_MONITOR_H
#define MB_CORE_INSIGHT_MONITOR_H

// Once, from the library's constructor, if the option is set. / At exit: removes the file.
void mb_monitor_start(void);
void mb_monitor_end(void);

#endif
