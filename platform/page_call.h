// System calls that change pages which a program already has (mprotect, madvise, mlock ...): which lasting effect each
// has, and a way to make them without libc.
//
// What: an effect stays with the address range until it is mapped afresh, also when the memory is freed and used for
// another block. Calls that change only contents (MADV_DONTNEED, MADV_POPULATE_WRITE and their kin) have none. A call
// that this file does not know counts as one with an effect.
// Who: any thread, a signal handler included; no state.
#ifndef MB_PLATFORM_PAGE_CALL_H
#define MB_PLATFORM_PAGE_CALL_H

enum mb_page_effect {
    MB_PAGES_STAY,  // no lasting effect
    MB_PAGES_HINT,  // performance (huge pages), or whether a core dump has them
    MB_PAGES_STATE, // behaviour: access rights, fork, locks, NUMA placement
};

enum mb_page_effect mb_page_effect_of_advice(int advice);
enum mb_page_effect mb_page_effect_of_protection(int protection);
enum mb_page_effect mb_page_effect_of_mapping(int flags);

enum mb_page_call {
    MB_CALL_MMAP,
    MB_CALL_MUNMAP,
    MB_CALL_MREMAP,
    MB_CALL_MPROTECT,
    MB_CALL_PKEY_MPROTECT,
    MB_CALL_MADVISE,
    MB_CALL_MLOCK,
    MB_CALL_MLOCK2,
    MB_CALL_MBIND,
    MB_CALL_PRCTL,
};

// Makes the system call and returns the kernel's result: a value or a negative errno value.
long mb_page_call(enum mb_page_call call, const long arguments[6]);

#endif
