#include "core/insight/profile_code.h"

#include <link.h>
#include <stdbool.h>

#include "core/insight/profile_message.h"
#include "core/process/code_file.h"
#include "core/process/foreign.h"
#include "core/process/stack_objects.h"
#include "core/profile/profile.h"
#include "platform/bits.h"
#include "platform/os.h"

struct code {
    struct mb_gzip *out;
    unsigned mappings, string;
    uint64_t waiting[MB_PROFILE_FRAMES / 64]; // bit i: location i is not written yet
};

// An address behind a call; the reader wants one within it.
static void put_location(struct code *code, uint32_t index, unsigned mapping) {
    struct mb_message m = {0};
    mb_put_field(&m, LOCATION_ID, index);
    if (mapping != 0) mb_put_field(&m, LOCATION_MAPPING, mapping);
    mb_put_field(&m, LOCATION_ADDRESS, mb_profile_frame(index) - 1);
    mb_put_message(code->out, PROFILE_LOCATION, &m);
    code->waiting[index / 64] &= ~(UINT64_C(1) << index % 64);
}

static void put_locations(struct code *code, uintptr_t start, uintptr_t bytes, unsigned mapping) {
    for (uint32_t word = 0; word < MB_PROFILE_FRAMES / 64; word++) {
        for (uint64_t bits = code->waiting[word]; bits != 0; bits &= bits - 1) {
            uint32_t i = word * 64 + mb_ctz64(bits);
            if (mb_profile_frame(i) - 1 - start < bytes) put_location(code, i, mapping);
        }
    }
}

static void put_build_id(struct mb_gzip *out, const struct mb_code_file *file) {
    static const char digits[] = "0123456789abcdef";
    char text[2 * MB_BUILD_ID_MAX];
    for (unsigned i = 0; i < file->build_id_bytes; i++) {
        text[2 * i] = digits[file->build_id[i] >> 4];
        text[2 * i + 1] = digits[file->build_id[i] & 15];
    }
    mb_put_bytes(out, PROFILE_STRING, text, (size_t)2 * file->build_id_bytes);
}

static void put_mapping(struct code *code, const struct dl_phdr_info *object, const ElfW(Phdr) * header) {
    struct mb_message m = {0};
    struct mb_code_file file;
    uintptr_t page = mb_os_page_size(), at = object->dlpi_addr + header->p_vaddr, start = mb_align_down(at, page);
    unsigned before = code->mappings++;
    mb_put_field(&m, MAPPING_ID, before + 1);
    mb_put_field(&m, MAPPING_START, start);
    mb_put_field(&m, MAPPING_LIMIT, mb_align_up(at + header->p_memsz, page));
    mb_put_field(&m, MAPPING_OFFSET, header->p_offset - (at - start));
    mb_put_field(&m, MAPPING_FILE, code->string + 2 * before);
    mb_put_field(&m, MAPPING_BUILD_ID, code->string + 2 * before + 1);
    mb_put_message(code->out, PROFILE_MAPPING, &m);
    mb_code_file_describe(object, &file);
    mb_put_string(code->out, file.file);
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

static void put_objects_of_frames(struct code *code) {
    for (uint32_t word = 0; word < MB_PROFILE_FRAMES / 64; word++) {
        while (code->waiting[word] != 0) {
            struct dl_phdr_info object;
            uint32_t i = word * 64 + mb_ctz64(code->waiting[word]);
            uintptr_t address = mb_profile_frame(i);
            if (address > 1 && mb_code_object_of(address - 1, &object)) put_object(&object, sizeof object, code);
            if ((code->waiting[word] >> i % 64 & 1) != 0) put_location(code, i, 0);
        }
    }
}

void mb_profile_put_code(struct mb_gzip *out, unsigned string) {
    struct code code = {.out = out, .string = string};
    mb_profile_frames_used(code.waiting);
    if (mb_object_may_visit())
        mb_foreign_visit(put_object, &code);
    else
        put_objects_of_frames(&code);
    put_locations(&code, 0, UINTPTR_MAX, 0); // of just-in-time compilers, and of files that are gone
}
