// The metadata of slabs: bits and notes, apart from all blocks. What a slab had that is gone is the next one's of its
// class.
//
// Who: any thread.
#ifndef MB_CORE_HARDENED_RECORD_H
#define MB_CORE_HARDENED_RECORD_H

// mb_hard_record_bytes of memory; NULL: refused.
void *mb_hard_record_take(unsigned class_index);
void mb_hard_record_give(unsigned class_index, void *record);

// In a forked child, alone: it does without those that were free, because one of them may have been on its way in or
// out.
void mb_hard_records_recover(void);

#endif
