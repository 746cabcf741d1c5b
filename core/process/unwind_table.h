// Reads the unwind tables (.eh_frame_hdr, .eh_frame) in the forms that compilers and linkers emit: which records belong
// to a code address, and their contents. Other forms are refused.
//
// Who: any thread, also in signal handlers: it reads only constant data of loaded objects.
// Source of the format: Linux Standard Base 5.0, 10.6; DWARF 5, 6.4.
#ifndef MB_CORE_PROCESS_UNWIND_TABLE_H
#define MB_CORE_PROCESS_UNWIND_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mb_unwind_reader {
    const uint8_t *at, *end;
    bool is_bad; // a read went beyond the end, or a form is not supported
};

// Read the next bytes: as a little-endian number, as an unsigned or signed number in LEB128, or skip them. Beyond the
// end the result is 0 and is_bad is set.
uint64_t mb_take(struct mb_unwind_reader *reader, unsigned bytes);
uint64_t mb_take_unsigned(struct mb_unwind_reader *reader);
int64_t mb_take_signed(struct mb_unwind_reader *reader);
void mb_skip(struct mb_unwind_reader *reader, uint64_t bytes);

// The two records that determine a row, with their lengths: the function's own (FDE) and the one that it shares with
// others (CIE).
struct mb_unwind_source {
    const uint8_t *fde, *cie;
    uint32_t fde_bytes, cie_bytes;
};

// mb_unwind_place_of finds the table entry for an address; mb_unwind_source_at finds the records of an entry and checks
// that they still cover the address. False: there is no such entry, or the table has another form.
bool mb_unwind_place_of(const void *table, uintptr_t address, uint32_t *place);
bool mb_unwind_source_at(const void *table, uint32_t place, uintptr_t address, struct mb_unwind_source *out);

struct mb_unwind_common {
    struct mb_unwind_reader program;
    uint64_t code_factor;
    int64_t data_factor;
};

bool mb_unwind_read_cie(const struct mb_unwind_source *source, struct mb_unwind_common *out);
// The start of the function; 0 if the address is not in it.
uintptr_t mb_unwind_read_fde(const struct mb_unwind_source *source, uintptr_t address, struct mb_unwind_reader *program);

#endif
