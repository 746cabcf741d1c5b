#include "core/process/code_file.h"

#include <elf.h>
#include <link.h>
#include <string.h>

#include "core/process/foreign.h"
#include "core/process/stack_objects.h"
#include "platform/bits.h"
#include "platform/os.h"

struct search {
    uintptr_t address;
    struct mb_code_file *out;
    bool found;
};

static bool covers(const struct dl_phdr_info *object, uintptr_t address) {
    for (unsigned i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        if (header->p_type == PT_LOAD && address - object->dlpi_addr - header->p_vaddr < header->p_memsz) return true;
    }
    return false;
}

// --- build-id --------------------------------------------------------------------------------------------------------

static bool is_build_id(const ElfW(Nhdr) * note) {
    return note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(note + 1, "GNU", 4) == 0;
}

static void read_notes(const char *at, const char *end, struct mb_code_file *out) {
    while ((size_t)(end - at) >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *note = (const void *)at;
        const char *text = at + sizeof *note + mb_align_up(note->n_namesz, 4);
        if (is_build_id(note)) {
            out->build_id_bytes = (unsigned)mb_min(note->n_descsz, MB_BUILD_ID_MAX);
            memcpy(out->build_id, text, out->build_id_bytes);
            return;
        }
        at = text + mb_align_up(note->n_descsz, 4);
    }
}

static void read_build_id(const ElfW(Phdr) * headers, unsigned count, struct mb_code_file *out) {
    for (unsigned i = 0; i < count && out->build_id_bytes == 0; i++) {
        const char *notes = (const char *)out->base + headers[i].p_vaddr;
        if (headers[i].p_type == PT_NOTE) read_notes(notes, notes + headers[i].p_memsz, out);
    }
}

// --- files -----------------------------------------------------------------------------------------------------------

static void name_file(const char *name, struct mb_code_file *out) {
    size_t length = mb_min(strlen(name), MB_CODE_FILE_BYTES - 1);
    if (length == 0)
        length = mb_os_program_file(out->file, MB_CODE_FILE_BYTES - 1);
    else
        memcpy(out->file, name, length);
    out->file[length] = '\0';
}

void mb_code_file_describe(const struct dl_phdr_info *object, struct mb_code_file *out) {
    *out = (struct mb_code_file){.base = object->dlpi_addr};
    name_file(object->dlpi_name != NULL ? object->dlpi_name : "", out);
    read_build_id(object->dlpi_phdr, object->dlpi_phnum, out);
}

static int look(struct dl_phdr_info *object, size_t bytes, void *argument) {
    struct search *search = argument;
    (void)bytes;
    if (!covers(object, search->address)) return 0;
    search->found = true;
    mb_code_file_describe(object, search->out);
    return 1;
}

// The object's program headers follow from the ELF header, which is mapped at its start.
static void from_map(const struct mb_object *object, struct dl_phdr_info *out) {
    const struct link_map *map = object->map;
    const ElfW(Ehdr) *elf = object->start;
    *out = (struct dl_phdr_info){.dlpi_addr = map->l_addr, .dlpi_name = map->l_name};
    if (memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0) return;
    out->dlpi_phdr = (const void *)((const char *)elf + elf->e_phoff);
    out->dlpi_phnum = elf->e_phnum;
}

bool mb_code_object_of(uintptr_t address, struct dl_phdr_info *out) {
    struct mb_object object;
    if (!mb_object_needs_no_lock() || !mb_object_find((const void *)address, &object) || object.map == NULL) return false;
    from_map(&object, out);
    return true;
}

bool mb_code_file_of(uintptr_t address, struct mb_code_file *out) {
    struct dl_phdr_info object;
    if (mb_code_object_of(address, &object)) return mb_code_file_describe(&object, out), true;
    if (!mb_object_can_find()) return false;
    struct search search = {.address = address, .out = out};
    return mb_foreign_visit(look, &search) && search.found;
}
