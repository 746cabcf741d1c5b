// Included by the compiler after explore_atomics.h when the hardened front's slabs are compiled for
// explore_quarantine.c: replaces their locks, walls and records, and the way the arena takes units back, by the
// explorer's.
#ifndef MB_TESTS_RACE_EXPLORE_HARDENED_H
#define MB_TESTS_RACE_EXPLORE_HARDENED_H

#define mb_lock explore_lock
#define mb_unlock explore_unlock
#define mb_lock_reset explore_lock_reset
#define mb_arena_abandon explore_arena_abandon
#define mb_arena_give_bare explore_arena_give_bare
#define mb_arena_give_cold explore_arena_give_cold
#define mb_arena_give_renewed explore_arena_give_renewed
#define mb_hard_classes explore_hard_classes
#define mb_hard_record_take explore_hard_record_take
#define mb_hard_record_give explore_hard_record_give
#define mb_hard_wrong_written explore_hard_wrong_written
#define mb_hard_is_ending explore_hard_is_ending
#define mb_wall_up explore_wall_up
#define mb_wall_down explore_wall_down
#define mb_wall_by_advice explore_wall_by_advice
#define mb_wall_wanted explore_wall_wanted
#define mb_wall_forget explore_wall_forget

// At most two units wait; the older one may leave at any time.
#define MB_HARD_WAITING MB_REAL_HARD_WAITING
#define MB_HARD_WAITING_YOUNGEST MB_REAL_HARD_WAITING_YOUNGEST
#define MB_HARD_WAITING_FEWEST MB_REAL_HARD_WAITING_FEWEST
#include "core/hardened/waiting.h"
#undef MB_HARD_WAITING
#undef MB_HARD_WAITING_YOUNGEST
#undef MB_HARD_WAITING_FEWEST
enum { MB_HARD_WAITING = 2, MB_HARD_WAITING_YOUNGEST = 1, MB_HARD_WAITING_FEWEST = 0 };

#endif
