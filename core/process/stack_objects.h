// Functions that the private copy of libgcc's unwinder calls instead of the C library's, under names of its own
// (CMakeLists.txt, MB_UNWIND): where the unwind tables for an address are. Any thread; see core/process/stack.h.
#ifndef MB_CORE_PROCESS_STACK_OBJECTS_H
#define MB_CORE_PROCESS_STACK_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// As glibc's struct dl_find_object from 2.35 on.
struct mb_object {
    unsigned long long flags;
    const void *start, *end;
    const void *map;
    const void *unwind_table; // .eh_frame_hdr
    unsigned long long reserved[7];
};

// The loaded object that has the address; false: none.
bool mb_object_find(const void *address, struct mb_object *out);

// Whether finding an object takes no lock. / Whether the loader's lock may be taken: not in a forked child, where a
// thread of the parent may have held it at the fork.
bool mb_object_needs_no_lock(void);
bool mb_object_may_visit(void);

// Whether mb_object_find may be called here and now: see core/process/stack.h.
bool mb_object_can_find(void);

// The unwinder's _dl_find_object, which always finds one: an address that no object has gets a table that ends the
// stack. libgcc would else read the code there to see whether it is a signal frame, and a wrong address would be a
// fault.
int mb_unwind_find_object(const void *address, struct mb_object *out);
bool mb_object_ends_stack(const struct mb_object *object);

#endif
