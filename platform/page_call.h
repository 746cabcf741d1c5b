// The system calls by which a program changes pages that it has: what each leaves behind, and the calls themselves.
//
// What: an effect stays with the address range until it is mapped afresh, and with whoever uses it then. What changes contents alone
// (MADV_DONTNEED, MADV_POPULATE_WRITE and their kin) leaves nothing; what this file does not know counts as a change.
// Who: any thread, a signal handler included; no state.
#ifndef MB_PLATFORM_PAGE_CALL_H
#define MB_PLATFORM_PAGE_CALL_H

enum mb_page_effect {
    MB_PAGES_STAY,  // as they were
    MB_PAGES_HINT,  // what pages cost, or whether a core dump has them
    MB_PAGES_STATE, // what pages do: access, fork, locks, placement
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

// The kernel's answer: a value, or a negative errno value.
long mb_page_call(enum mb_page_call call, const long arguments[6]);

#endif
