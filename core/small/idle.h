// Giving back the free pages of slabs that are partly live.
//
// What: blocks of one class that outlive their neighbours would else hold whole slabs. Free blocks are bits, so a page
// without a live block can go at any time: the blocks in it stay free, and the page comes back, zeroed, when one of
// them is handed out. Only slabs that nobody allocates from are looked at, and only those in which nothing has happened
// since the last look.
// Who: any thread; a slab is made busy meanwhile, so that nobody makes it CURRENT.
#ifndef MB_CORE_SMALL_IDLE_H
#define MB_CORE_SMALL_IDLE_H

#include <stddef.h>

// Looks at the next slabs, so many at most, round and round; what has come to hold nothing goes back whole. Bytes of
// pages given back.
size_t mb_idle_look(size_t slabs);

// Gives back every free page of every slab that nobody allocates from, however lately it was used.
size_t mb_idle_purge_all(void);

#endif
