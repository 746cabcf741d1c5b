// Answers a tool that asks by the page of core/told/monitor_page.h: option monitor=1.
//
// What: makes the page when the library starts (below /run/user or /dev/shm), a thread that sleeps until somebody asks, and in each forked child a page of
// its own, which malloc's slow path serves. Nothing else of it exists without the option.
// Who: the monitor's thread, or whichever thread comes by; one request is answered once.
#ifndef MB_CORE_INSIGHT_MONITOR_H
#define MB_CORE_INSIGHT_MONITOR_H

// Once, from the library's constructor, if the option is set. / At exit: removes the file.
void mb_monitor_start(void);
void mb_monitor_end(void);

#endif
