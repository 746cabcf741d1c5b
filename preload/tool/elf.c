// What the `mbmalloc` command reads from an ELF file: whether it is static, which names of malloc's family it defines,
// and which libraries it needs.
#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "preload/tool/tool.h"

const char *const tool_name_symbol[TOOL_NAMES] = {
#define SYMBOL(id, symbol, spelt) [TOOL_##id] = symbol,
    TOOL_NAME_TABLE(SYMBOL)
#undef SYMBOL
};
const char *const tool_name_spelt[TOOL_NAMES] = {
#define SPELT(id, symbol, spelt) [TOOL_##id] = spelt,
    TOOL_NAME_TABLE(SPELT)
#undef SPELT
};

// --- the file --------------------------------------------------------------------------------------------------------

struct image {
    const char *bytes;
    size_t size;
};

static const void *part(const struct image *image, size_t offset, size_t bytes) {
    return offset <= image->size && bytes <= image->size - offset ? image->bytes + offset : NULL;
}

static bool open_image(const char *path, struct image *out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0) return false;
    bool readable = fstat(fd, &status) == 0 && status.st_size > 0;
    void *map = readable ? mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    close(fd);
    if (map == MAP_FAILED) return false;
    *out = (struct image){map, (size_t)status.st_size};
    return true;
}

static void close_image(const struct image *image) { munmap((void *)(uintptr_t)image->bytes, image->size); }

// The ELF header; NULL if it is not a 64-bit ELF file.
static const Elf64_Ehdr *header_64(const struct image *image) {
    const Elf64_Ehdr *header = part(image, 0, sizeof *header);
    bool is_64 = header != NULL && memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 && header->e_ident[EI_CLASS] == ELFCLASS64;
    return is_64 ? header : NULL;
}

// --- its tables ------------------------------------------------------------------------------------------------------

struct table {
    const void *entry;
    size_t bytes, strings_bytes;
    const char *strings;
};

// Finds the section of a type, and the string table that its entries refer to; false if the file has no such section.
static bool find_table(const struct image *image, const Elf64_Ehdr *header, uint32_t kind, struct table *out) {
    for (size_t i = 0; i < header->e_shnum; i++) {
        const Elf64_Shdr *section = part(image, header->e_shoff + i * sizeof *section, sizeof *section);
        if (section == NULL || section->sh_type != kind) continue;
        const Elf64_Shdr *strings = part(image, header->e_shoff + section->sh_link * sizeof *strings, sizeof *strings);
        if (strings == NULL) return false;
        *out = (struct table){part(image, section->sh_offset, section->sh_size), section->sh_size, strings->sh_size,
                              part(image, strings->sh_offset, strings->sh_size)};
        bool ends = out->strings != NULL && out->strings_bytes > 0 && out->strings[out->strings_bytes - 1] == '\0';
        return ends && out->entry != NULL;
    }
    return false;
}

static const char *string_at(const struct table *table, uint64_t offset) {
    return offset < table->strings_bytes ? table->strings + offset : "";
}

static uint32_t bit_of(const char *name) {
    for (unsigned i = 0; i < TOOL_NAMES; i++) {
        if (strcmp(name, tool_name_symbol[i]) == 0) return UINT32_C(1) << i;
    }
    return 0;
}

static uint32_t names_defined(const struct image *image, const Elf64_Ehdr *header) {
    struct table table;
    uint32_t names = 0;
    if (!find_table(image, header, SHT_DYNSYM, &table)) return 0;
    const Elf64_Sym *symbol = table.entry;
    for (size_t i = 0; i < table.bytes / sizeof *symbol; i++) {
        if (symbol[i].st_shndx != SHN_UNDEF) names |= bit_of(string_at(&table, symbol[i].st_name));
    }
    return names;
}

static void each_dynamic(const struct image *image, int64_t tag, void (*visit)(void *context, const char *text), void *context) {
    const Elf64_Ehdr *header = header_64(image);
    struct table table;
    if (header == NULL || !find_table(image, header, SHT_DYNAMIC, &table)) return;
    const Elf64_Dyn *entry = table.entry;
    for (size_t i = 0; i < table.bytes / sizeof *entry && entry[i].d_tag != DT_NULL; i++) {
        if (entry[i].d_tag == tag) visit(context, string_at(&table, entry[i].d_un.d_val));
    }
}

void tool_elf_needed(const char *path, void (*visit)(void *context, const char *name), void *context) {
    struct image image;
    if (!open_image(path, &image)) return;
    each_dynamic(&image, DT_NEEDED, visit, context);
    close_image(&image);
}

// --- what is known ---------------------------------------------------------------------------------------------------

static void read_segments(const struct image *image, const Elf64_Ehdr *header, struct tool_elf *out) {
    bool dynamic = false;
    for (size_t i = 0; i < header->e_phnum; i++) {
        const Elf64_Phdr *segment = part(image, header->e_phoff + i * sizeof *segment, sizeof *segment);
        if (segment == NULL) return;
        dynamic |= segment->p_type == PT_DYNAMIC;
        if (segment->p_type != PT_INTERP) continue;
        const char *name = part(image, segment->p_offset, segment->p_filesz);
        if (name != NULL) snprintf(out->interpreter, sizeof out->interpreter, "%.*s", (int)segment->p_filesz, name);
    }
    out->is_static = out->interpreter[0] == '\0' && (header->e_type == ET_EXEC || dynamic);
}

static void keep_name(void *elf, const char *name) {
    struct tool_elf *out = elf;
    snprintf(out->soname, sizeof out->soname, "%s", name);
}

bool tool_elf_read(const char *path, struct tool_elf *out) {
    struct image image;
    *out = (struct tool_elf){0};
    if (!open_image(path, &image)) return false;
    const Elf64_Ehdr *header = part(&image, 0, sizeof *header);
    out->is_elf = header != NULL && memcmp(header->e_ident, ELFMAG, SELFMAG) == 0;
    if (out->is_elf) out->machine = header->e_machine;
    out->is_64 = header_64(&image) != NULL;
    if (out->is_64) {
        read_segments(&image, header, out);
        out->defines = names_defined(&image, header);
        each_dynamic(&image, DT_SONAME, keep_name, out);
    }
    close_image(&image);
    return true;
}
