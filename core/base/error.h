// Error codes of the region family, common to all members, and the policy for misuse: report, abort or ignore.
#ifndef MB_CORE_BASE_ERROR_H
#define MB_CORE_BASE_ERROR_H

enum mb_error {
    MB_OK = 0,
    MB_BAD_SIZE,    // 0, or beyond what the address space can hold
    MB_BAD_ALIGN,   // not a power of two
    MB_BAD_RANGE,   // not inside the range (or its committed part), or not page aligned
    MB_BAD_CONFIG,  // unknown flags, a layer that cannot act over its base, or a config of a later version
    MB_BAD_POINTER, // not the start of a block of this allocator
    MB_BAD_ORDER,   // a stack arena's block that is not the newest
    MB_DOUBLE_FREE, // the block is free already
    MB_CORRUPT,     // a canary, link, poison or header was overwritten
    MB_FULL,        // the capacity is used up
    MB_UNSUPPORTED, // this system, or this member, cannot do it
    MB_REFUSED,     // the system refused; the region's os_error says why
    MB_INJECTED,    // a fault-injection layer said no
};

// What a member does when it detects misuse or damage that it could survive.
enum mb_policy {
    MB_POLICY_ABORT, // one line on stderr, then abort: the default
    MB_POLICY_LOG,   // one line on stderr, count, return the error
    MB_POLICY_COUNT, // count (mb_allocator_corruption_events), return the error
};

#endif
