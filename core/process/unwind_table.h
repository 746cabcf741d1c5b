// Reads the unwind tables (.eh_frame_hdr, .eh_frame) as far as compilers and linkers write them: which records an
// address of code has, and what stands in them. Other forms are refused.
//
// Who: any thread, in signal handlers too: it reads constant data of loaded objects and nothing else.
// Source of the format: Linux Standard Base 5.0, 10.6; DWARF 5, 6.4.
#ifndef MB_CORE_PROCESS_UNWIND_TABLE_H
#define MB_CORE_PROCESS_UNWIND_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mb_unwind_reader {
    const uint8_t *at, *end;
    bool is_bad; // its end has been passed, or something in it is not known here
};

// The next bytes as a number, lowest first / a number in LEB128 / without a look at them. Behind the end: 0, and
// is_bad.
uint64_t mb_take(struct mb_unwind_reader *reader, unsigned bytes);
uint64_t mb_take_unsigned(struct mb_unwind_reader *reader);
int64_t mb_take_signed(struct mb_unwind_reader *reader);
void mb_skip(struct mb_unwind_reader *reader, uint64_t bytes);

// The part of the tables that decides: a function's record (FDE) and the one that it shares with others (CIE), whole.
struct mb_unwind_source {
    const uint8_t *fde, *cie;
    uint32_t fde_bytes, cie_bytes;
};

// The entry of the table for an address / whether that is still this one. False: there is none, or the table is of
// another form.
bool mb_unwind_place_of(const void *table, uintptr_t address, uint32_t *place);
bool mb_unwind_source_at(const void *table, uint32_t place, uintptr_t address, struct mb_unwind_source *out);

struct mb_unwind_common {
    struct mb_unwind_reader program;
    uint64_t code_factor;
    int64_t data_factor;
};

bool mb_unwind_read_cie(const struct mb_unwind_source *source, struct mb_unwind_common *out);
// Where the function begins; 0: the address is not in it.
uintptr_t mb_unwind_read_fde(const struct mb_unwind_source *source, uintptr_t address, struct mb_unwind_reader *program);

#endif
