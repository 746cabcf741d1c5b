// An unwind table (.eh_frame_hdr with its .eh_frame) that ends a stack walk at any address, for code that has no tables
// of its own.
//
// What: one CIE which says that the return address is undefined, and one FDE that covers the address space from 1 on.
// Constant data. Source of the format: Linux Standard Base 5.0, 10.6; DWARF 5, 6.4.
#ifndef MB_PLATFORM_UNWIND_END_H
#define MB_PLATFORM_UNWIND_END_H

#include <stdint.h>

#if defined(__aarch64__)
enum { MB_DWARF_FRAME = 29, MB_DWARF_STACK = 31, MB_DWARF_RETURN = 30, MB_DWARF_STACK_OFFSET = 0 };
#else
enum { MB_DWARF_FRAME = 6, MB_DWARF_STACK = 7, MB_DWARF_RETURN = 16, MB_DWARF_STACK_OFFSET = 8 };
#endif

struct mb_unwind_table {
    uint8_t version, frame_encoding, count_encoding, table_encoding;
    int32_t frame; // from here
    uint32_t cie_bytes, cie_mark;
    uint8_t cie_version, augmentation, code_factor, data_factor, return_column;
    uint8_t rules[7];
    uint32_t fde_bytes, fde_to_cie;
    uint64_t first, count;
    uint32_t end;
} __attribute__((packed, aligned(8)));

static const struct mb_unwind_table mb_unwind_end = {
    .version = 1,
    .frame_encoding = 0x1b, // relative to the field, four bytes
    .count_encoding = 0xff, // none: read one after the other
    .table_encoding = 0xff,
    .frame = 4,
    .cie_bytes = 16,
    .cie_version = 1,
    .code_factor = 1,
    .data_factor = 0x78, // -8
    .return_column = MB_DWARF_RETURN,
    .rules = {0x0c, MB_DWARF_STACK, MB_DWARF_STACK_OFFSET, 0x07, MB_DWARF_RETURN, 0, 0}, // def_cfa, undefined
    .fde_bytes = 20,
    .fde_to_cie = 24, // from this field to the CIE
    .first = 1,
    .count = UINT64_MAX - 1,
};

#endif
