#include "core/process/unwind_table.h"

#include "platform/bits.h"
#include "platform/unwind_end.h"

// --- numbers ---------------------------------------------------------------------------------------------------------

uint64_t mb_take(struct mb_unwind_reader *reader, unsigned bytes) {
    uint64_t value = 0;
    if ((size_t)(reader->end - reader->at) < bytes) {
        reader->is_bad = true;
        reader->at = reader->end;
        return 0;
    }
    for (unsigned i = 0; i < bytes; i++) value |= (uint64_t)reader->at[i] << 8 * i;
    reader->at += bytes;
    return value;
}

static uint64_t take_leb(struct mb_unwind_reader *reader, bool is_signed) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint64_t byte = mb_take(reader, 1);
        value |= (byte & 0x7f) << shift;
        if ((byte & 0x80) != 0) continue;
        if (is_signed && (byte & 0x40) != 0 && shift + 7 < 64) value |= UINT64_MAX << (shift + 7);
        return value;
    }
    reader->is_bad = true;
    return 0;
}

uint64_t mb_take_unsigned(struct mb_unwind_reader *reader) { return take_leb(reader, false); }
int64_t mb_take_signed(struct mb_unwind_reader *reader) { return (int64_t)take_leb(reader, true); }

void mb_skip(struct mb_unwind_reader *reader, uint64_t bytes) {
    if ((uint64_t)(reader->end - reader->at) < bytes) reader->is_bad = true;
    reader->at = reader->is_bad ? reader->end : reader->at + bytes;
}

static const uint8_t *relative(const uint8_t *base, uint32_t offset) { return base + (ptrdiff_t)(int32_t)offset; }

// --- the sorted table ------------------------------------------------------------------------------------------------

// The form that linkers emit: the pointer to .eh_frame is relative to its own field, the count has four bytes, and each
// entry is two words relative to the header.
enum { HEADER_FORM = 0x3b031b01, HEADER_BYTES = 12, ENTRY_BYTES = 8, ENCODED_RELATIVE = 0x1b };

static uint32_t entries(const uint8_t *table) { return mb_word32_at(table) == HEADER_FORM ? mb_word32_at(table + 8) : 0; }
static const uint8_t *entry(const uint8_t *table, uint32_t place) { return table + HEADER_BYTES + (size_t)place * ENTRY_BYTES; }
static uintptr_t start_of(const uint8_t *table, uint32_t place) { return (uintptr_t)relative(table, mb_word32_at(entry(table, place))); }

bool mb_unwind_place_of(const void *table, uintptr_t address, uint32_t *place) {
    uint32_t low = 0, high = entries(table);
    if (high == 0 || address < start_of(table, 0)) return false;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (address < start_of(table, middle))
            high = middle;
        else
            low = middle;
    }
    *place = low;
    return true;
}

bool mb_unwind_source_at(const void *table, uint32_t place, uintptr_t address, struct mb_unwind_source *out) {
    uint32_t count = entries(table);
    if (place >= count || address < start_of(table, place)) return false;
    if (place + 1 < count && address >= start_of(table, place + 1)) return false;
    const uint8_t *fde = relative(table, mb_word32_at(entry(table, place) + 4)), *cie = fde + 4 - (size_t)mb_word32_at(fde + 4);
    uint32_t fde_bytes = mb_word32_at(fde), cie_bytes = mb_word32_at(cie);
    if (fde_bytes >= 0xfffffff0 || cie_bytes >= 0xfffffff0 || fde_bytes < 12 || cie_bytes < 8) return false;
    *out = (struct mb_unwind_source){fde, cie, fde_bytes + 4, cie_bytes + 4};
    return true;
}

// --- records ---------------------------------------------------------------------------------------------------------

// An augmentation string that begins with 'z' lists, one letter each, the extra data of every function. Only 'R' (the
// encoding of addresses) and letters that do not matter for a stack walk are accepted.
static bool read_augmentation(struct mb_unwind_reader *reader, const uint8_t *letter) {
    bool is_relative = false;
    for (; *letter != 0; letter++) {
        uint64_t encoding = mb_take(reader, 1);
        if (*letter == 'R')
            is_relative = encoding == ENCODED_RELATIVE;
        else if (*letter == 'P')
            mb_skip(reader, (encoding & 7) == 3 ? 4 : 8);
        else if (*letter != 'L')
            return false;
    }
    return is_relative;
}

bool mb_unwind_read_cie(const struct mb_unwind_source *source, struct mb_unwind_common *out) {
    struct mb_unwind_reader reader = {source->cie + 4, source->cie + source->cie_bytes, false};
    uint64_t mark = mb_take(&reader, 4), version = mb_take(&reader, 1);
    const uint8_t *letters = reader.at;
    while (!reader.is_bad && mb_take(&reader, 1) != 0) continue;
    if (reader.is_bad || mark != 0 || (version != 1 && version != 3) || *letters != 'z') return false;
    out->code_factor = mb_take_unsigned(&reader);
    out->data_factor = mb_take_signed(&reader);
    if ((version == 1 ? mb_take(&reader, 1) : mb_take_unsigned(&reader)) != MB_DWARF_RETURN) return false;
    uint64_t bytes = mb_take_unsigned(&reader);
    struct mb_unwind_reader augmentation = reader;
    mb_skip(&reader, bytes);
    if (reader.is_bad || !read_augmentation(&augmentation, letters + 1) || augmentation.is_bad) return false;
    out->program = reader;
    return true;
}

uintptr_t mb_unwind_read_fde(const struct mb_unwind_source *source, uintptr_t address, struct mb_unwind_reader *program) {
    struct mb_unwind_reader reader = {source->fde + 8, source->fde + source->fde_bytes, false};
    const uint8_t *field = reader.at;
    uintptr_t start = (uintptr_t)relative(field, (uint32_t)mb_take(&reader, 4));
    uint64_t bytes = mb_take(&reader, 4);
    mb_skip(&reader, mb_take_unsigned(&reader));
    if (reader.is_bad || address - start >= bytes) return 0;
    *program = reader;
    return start;
}
