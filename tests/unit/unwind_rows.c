// Prints what the unwind tables say about addresses in a library, for unwind_rows.py. usage: unwind_rows LIBRARY <
// addresses in it, one a line
#include <dlfcn.h>
#include <inttypes.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/process/stack_objects.h"
#include "core/process/unwind_row.h"

static void show(uintptr_t address) {
    struct mb_object object;
    struct mb_unwind_source source;
    struct mb_unwind_row row = {.kind = MB_ROW_UNKNOWN};
    uint32_t place;
    if (mb_object_find((const void *)address, &object) && mb_unwind_place_of(object.unwind_table, address, &place) &&
        mb_unwind_source_at(object.unwind_table, place, address, &source))
        row = mb_unwind_row_of(&source, address);
    if (row.kind == MB_ROW_UNKNOWN) return (void)puts("unknown");
    if (row.kind == MB_ROW_END) return (void)puts("end");
    printf("%s%+d c%+d ", row.cfa_is_stored ? "exp" : row.cfa_is_of_frame ? "rbp" : "rsp", row.cfa_offset, row.return_offset);
    if (row.frame == MB_FRAME_AT_CFA) return (void)printf("c%+d\n", row.frame_offset);
    puts(row.frame == MB_FRAME_SAME ? "u" : row.frame == MB_FRAME_LOST ? "lost" : "exp");
}

int main(int argc, char **argv) {
    const struct link_map *library = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
    uintptr_t offset;
    if (library == NULL) return 2;
    while (scanf("%" SCNxPTR, &offset) == 1) show(library->l_addr + offset);
    return 0;
}
