#include "core/insight/profile_write.h"

#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/gzip.h"
#include "core/base/print.h"
#include "core/heap/sampler.h"
#include "core/process/code_file.h"
#include "core/process/foreign.h"
#include "core/profile/profile.h"
#include "platform/bits.h"
#include "platform/os.h"

// --- messages -----------------------------------------------------------------------------------------------------------

// Field numbers of profile.proto, by message.
enum {
    PROFILE_SAMPLE_TYPE = 1,
    PROFILE_SAMPLE,
    PROFILE_MAPPING,
    PROFILE_LOCATION,
    PROFILE_STRING = 6,
    PROFILE_DROP_FRAMES,
    PROFILE_PERIOD_TYPE = 11,
    PROFILE_PERIOD,
    PROFILE_COMMENT,
    PROFILE_DEFAULT_TYPE,
    TYPE_TYPE = 1,
    TYPE_UNIT,
    SAMPLE_LOCATION = 1,
    SAMPLE_VALUE,
    MAPPING_ID = 1,
    MAPPING_START,
    MAPPING_LIMIT,
    MAPPING_OFFSET,
    MAPPING_FILE,
    MAPPING_BUILD_ID,
    LOCATION_ID = 1,
    LOCATION_MAPPING,
    LOCATION_ADDRESS,
};
enum { WIRE_NUMBER = 0, WIRE_BYTES = 2, NUMBER_BYTES = 10 };

// Long enough for a sample of 64 locations and all values.
struct message {
    size_t length;
    unsigned char bytes[600];
};

static void put_number(struct message *m, uint64_t value) {
    if (m->length + NUMBER_BYTES > sizeof m->bytes) return;
    for (; value >= 128; value >>= 7) m->bytes[m->length++] = (unsigned char)(value | 128);
    m->bytes[m->length++] = (unsigned char)value;
}

static void put_field(struct message *m, unsigned field, uint64_t value) {
    put_number(m, field << 3 | WIRE_NUMBER);
    put_number(m, value);
}

static void put_bytes(struct mb_gzip *out, unsigned field, const void *bytes, size_t count) {
    struct message head = {0};
    put_number(&head, field << 3 | WIRE_BYTES);
    put_number(&head, count);
    mb_gzip_put(out, head.bytes, head.length);
    mb_gzip_put(out, bytes, count);
}

static void put_message(struct mb_gzip *out, unsigned field, const struct message *m) { put_bytes(out, field, m->bytes, m->length); }
static void put_string(struct mb_gzip *out, const char *text) { put_bytes(out, PROFILE_STRING, text, strlen(text)); }

static void put_top(struct mb_gzip *out, unsigned field, uint64_t value) {
    struct message m = {0};
    put_field(&m, field, value);
    mb_gzip_put(out, m.bytes, m.length);
}

// --- what every profile has ---------------------------------------------------------------------------------------------

// clang-format off
#define STRING_TABLE(S) \
    S(NOTHING, "") \
    S(ALLOCATED_OBJECTS, "alloc_objects") \
    S(ALLOCATED_SPACE, "alloc_space") \
    S(LIVE_OBJECTS, "inuse_objects") \
    S(LIVE_SPACE, "inuse_space") \
    S(PEAK_OBJECTS, "peak_objects") \
    S(PEAK_SPACE, "peak_space") \
    S(GROWN_OBJECTS, "growth_objects") \
    S(GROWN_SPACE, "growth_space") \
    S(COUNT, "count") \
    S(BYTES, "bytes") \
    S(SPACE, "space") \
    S(DROPPED, "(mb_|__libc_)?(malloc|calloc|realloc|memalign|aligned_alloc|posix_memalign|free_sized)(_.*)?|mb_.*|operator new.*")
// clang-format on
enum string {
#define STRING_NAME(name, text) STRING_##name,
    STRING_TABLE(STRING_NAME)
#undef STRING_NAME
        STRING_COMMENT,
    STRING_FIRST_FILE,
};

static void put_types(struct mb_gzip *out) {
    for (unsigned value = 0; value < 2 * MB_PROFILE_VALUES; value++) {
        struct message m = {0};
        put_field(&m, TYPE_TYPE, STRING_ALLOCATED_OBJECTS + value);
        put_field(&m, TYPE_UNIT, value % 2 == 0 ? STRING_COUNT : STRING_BYTES);
        put_message(out, PROFILE_SAMPLE_TYPE, &m);
    }
}

static void put_strings(struct mb_gzip *out) {
#define STRING_PUT(name, text) put_string(out, text);
    STRING_TABLE(STRING_PUT)
#undef STRING_PUT
}

static void put_facts(struct mb_gzip *out) {
    struct mb_profile_facts facts;
    struct mb_line line = {0};
    struct message period = {0};
    mb_profile_facts(&facts);
    put_field(&period, TYPE_TYPE, STRING_SPACE);
    put_field(&period, TYPE_UNIT, STRING_BYTES);
    put_message(out, PROFILE_PERIOD_TYPE, &period);
    put_top(out, PROFILE_PERIOD, facts.period);
    put_top(out, PROFILE_COMMENT, STRING_COMMENT);
    put_top(out, PROFILE_DEFAULT_TYPE, STRING_LIVE_SPACE);
    put_top(out, PROFILE_DROP_FRAMES, STRING_DROPPED);
    mb_line_text(&line, "mbmalloc:");
    mb_line_pair(&line, "samples", facts.samples);
    mb_line_pair(&line, "lost_samples", facts.lost_samples);
    mb_line_pair(&line, "lost_stacks", facts.lost_stacks);
    mb_line_pair(&line, "lost_frames", facts.lost_frames);
    put_bytes(out, PROFILE_STRING, line.text, line.length);
}

// --- samples ------------------------------------------------------------------------------------------------------------

static void put_packed(struct message *m, unsigned field, const struct message *numbers) {
    if (numbers->length == 0) return;
    put_number(m, field << 3 | WIRE_BYTES);
    put_number(m, numbers->length);
    memcpy(m->bytes + m->length, numbers->bytes, numbers->length);
    m->length += numbers->length;
}

// Locations are named by the index of the code address.
static void put_sample(void *out, const struct mb_profile_stack *stack) {
    struct message locations = {0}, values = {0}, m = {0};
    uint64_t any = 0;
    for (unsigned i = 0; i < stack->frames; i++) put_number(&locations, stack->frame[i]);
    for (unsigned v = 0; v < MB_PROFILE_VALUES; v++) {
        uint64_t weight = atomic_load_explicit(&stack->of[v].weight, memory_order_relaxed);
        uint64_t bytes = atomic_load_explicit(&stack->of[v].bytes, memory_order_relaxed);
        put_number(&values, (weight + (1 << MB_WEIGHT_SHIFT) / 2) >> MB_WEIGHT_SHIFT);
        put_number(&values, bytes);
        any |= weight;
    }
    if (any == 0 || locations.length + values.length + 8 > sizeof m.bytes) return;
    put_packed(&m, SAMPLE_LOCATION, &locations);
    put_packed(&m, SAMPLE_VALUE, &values);
    put_message(out, PROFILE_SAMPLE, &m);
}

// --- code ---------------------------------------------------------------------------------------------------------------

struct code {
    struct mb_gzip *out;
    unsigned mappings;
    uint64_t done[MB_PROFILE_FRAMES / 64]; // bit i: location i is written
};

// An address behind a call; the reader wants one within it.
static void put_location(struct code *code, uint32_t index, unsigned mapping) {
    struct message m = {0};
    put_field(&m, LOCATION_ID, index);
    if (mapping != 0) put_field(&m, LOCATION_MAPPING, mapping);
    put_field(&m, LOCATION_ADDRESS, mb_profile_frame(index) - 1);
    put_message(code->out, PROFILE_LOCATION, &m);
    code->done[index / 64] |= UINT64_C(1) << index % 64;
}

static void put_locations(struct code *code, uintptr_t start, uintptr_t bytes, unsigned mapping) {
    for (uint32_t i = 0; i < MB_PROFILE_FRAMES; i++) {
        uintptr_t address = mb_profile_frame(i);
        bool is_done = (code->done[i / 64] >> i % 64 & 1) != 0;
        if (address != 0 && !is_done && address - 1 - start < bytes) put_location(code, i, mapping);
    }
}

static void put_build_id(struct mb_gzip *out, const struct mb_code_file *file) {
    static const char digits[] = "0123456789abcdef";
    char text[2 * MB_BUILD_ID_MAX];
    for (unsigned i = 0; i < file->build_id_bytes; i++) {
        text[2 * i] = digits[file->build_id[i] >> 4];
        text[2 * i + 1] = digits[file->build_id[i] & 15];
    }
    put_bytes(out, PROFILE_STRING, text, (size_t)2 * file->build_id_bytes);
}

static void put_mapping(struct code *code, const struct dl_phdr_info *object, const ElfW(Phdr) * header) {
    struct message m = {0};
    struct mb_code_file file;
    uintptr_t page = mb_os_page_size(), at = object->dlpi_addr + header->p_vaddr, start = mb_align_down(at, page);
    unsigned before = code->mappings++;
    put_field(&m, MAPPING_ID, before + 1);
    put_field(&m, MAPPING_START, start);
    put_field(&m, MAPPING_LIMIT, mb_align_up(at + header->p_memsz, page));
    put_field(&m, MAPPING_OFFSET, header->p_offset - (at - start));
    put_field(&m, MAPPING_FILE, STRING_FIRST_FILE + 2 * before);
    put_field(&m, MAPPING_BUILD_ID, STRING_FIRST_FILE + 2 * before + 1);
    put_message(code->out, PROFILE_MAPPING, &m);
    mb_code_file_describe(object, &file);
    put_string(code->out, file.file);
    put_build_id(code->out, &file);
    put_locations(code, at, header->p_memsz, before + 1);
}

static int put_object(struct dl_phdr_info *object, size_t bytes, void *code) {
    (void)bytes;
    for (unsigned i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        if (header->p_type == PT_LOAD && (header->p_flags & PF_X) != 0) put_mapping(code, object, header);
    }
    return 0;
}

static void put_code(struct mb_gzip *out) {
    struct code code = {.out = out};
    mb_foreign_visit(put_object, &code);
    put_locations(&code, 0, UINTPTR_MAX, 0); // of just-in-time compilers, and of files that are gone
}

// --- the file -----------------------------------------------------------------------------------------------------------

static int write_all(struct mb_gzip *gzip) {
    put_types(gzip);
    bool walked = mb_profile_walk(put_sample, gzip);
    put_strings(gzip);
    put_facts(gzip);
    put_code(gzip);
    int error = mb_gzip_end(gzip);
    return walked ? error : -EBUSY;
}

int mb_profile_write(int fd) {
    struct mb_profile_facts facts;
    struct mb_gzip gzip;
    mb_profile_facts(&facts);
    if (facts.period == 0) return -ENODATA;
    mb_gzip_begin(&gzip, fd);
    return write_all(&gzip);
}

static void name_file(struct mb_line *out, const char *path) {
    for (; *path != '\0'; path++) {
        bool is_pid = path[0] == '%' && path[1] == 'p';
        if (is_pid)
            mb_line_number(out, (uint64_t)mb_os_pid());
        else
            mb_line_piece(out, path, 1);
        path += is_pid ? 1 : 0;
    }
    out->text[out->length < sizeof out->text ? out->length : sizeof out->text - 1] = '\0';
}

int mb_profile_write_file(const char *path) {
    struct mb_line name = {0};
    name_file(&name, path);
    int fd = mb_os_open_to_write(name.text);
    if (fd < 0) return fd;
    int error = mb_profile_write(fd);
    mb_os_close(fd);
    return error;
}
