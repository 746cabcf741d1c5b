// Purges the free pages of slabs that are partly in use.
//
// What: blocks of one class that outlive their neighbours would otherwise keep whole slabs resident. Free blocks are
// bits in the descriptor, so a page without a live block can be purged at any time: its blocks stay free, and the page
// comes back, zeroed, when one of them is handed out. Only slabs from which no heap allocates are purged, and only if
// nothing has happened in them since the last visit.
// Who: any thread; a slab is marked busy meanwhile, so that no thread makes it CURRENT.
#ifndef MB_CORE_SMALL_IDLE_H
#define MB_CORE_SMALL_IDLE_H

#include <stddef.h>

// Looks at the next slabs, so many at most, round and round; what has come to hold nothing goes back whole. Bytes of
// pages given back.
size_t mb_idle_look(size_t slabs);

// Purges every free page of every slab from which no heap allocates, however recently it was used.
size_t mb_idle_purge_all(void);

#endif
