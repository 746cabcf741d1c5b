#include "preload/tool/code.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool tool_code_open(const char *path, struct tool_code *out) {
    struct stat status;
    *out = (struct tool_code){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    if (fstat(fd, &status) == 0 && (size_t)status.st_size >= sizeof(Elf64_Ehdr)) {
        void *at = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (at != MAP_FAILED) *out = (struct tool_code){at, (size_t)status.st_size};
    }
    close(fd);
    if (out->at == NULL) return false;
    if (memcmp(out->at, ELFMAG, SELFMAG) == 0 && out->at[EI_CLASS] == ELFCLASS64) return true;
    tool_code_close(out);
    return false;
}

void tool_code_close(struct tool_code *code) {
    if (code->at != NULL) munmap((void *)(uintptr_t)code->at, code->bytes);
    code->at = NULL;
}

// The table of `count` records of `size` bytes at the given offset; NULL if it is not wholly inside the file.
static const void *part_of(const struct tool_code *code, uint64_t offset, uint64_t size, uint64_t count) {
    bool fits = offset <= code->bytes && (count == 0 || size <= (code->bytes - offset) / count);
    return fits ? code->at + offset : NULL;
}

static const Elf64_Ehdr *head_of(const struct tool_code *code) { return (const void *)code->at; }

static const Elf64_Phdr *segment(const struct tool_code *code, unsigned i) {
    const Elf64_Ehdr *head = head_of(code);
    const Elf64_Phdr *all = part_of(code, head->e_phoff, sizeof *all, head->e_phnum);
    return all != NULL && i < head->e_phnum ? &all[i] : NULL;
}

uint64_t tool_code_shift(const struct tool_code *code, uint64_t offset) {
    const Elf64_Phdr *s;
    for (unsigned i = 0; (s = segment(code, i)) != NULL; i++) {
        bool within = s->p_type == PT_LOAD && offset + 4096 > s->p_offset && offset < s->p_offset + s->p_filesz;
        if (within && (s->p_flags & PF_X) != 0) return s->p_vaddr - s->p_offset;
    }
    return 0;
}

// --- symbols ---------------------------------------------------------------------------------------------------------

static bool covers(const struct tool_code *code, const Elf64_Shdr *table, uint64_t address) {
    uint64_t count = table->sh_size / sizeof(Elf64_Sym);
    const Elf64_Sym *symbol = part_of(code, table->sh_offset, sizeof *symbol, count);
    for (uint64_t i = 0; symbol != NULL && i < count; i++) {
        unsigned type = ELF64_ST_TYPE(symbol[i].st_info);
        if ((type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE) && address - symbol[i].st_value < symbol[i].st_size)
            return true;
    }
    return false;
}

bool tool_code_has_symbol(const struct tool_code *code, uint64_t address) {
    const Elf64_Ehdr *head = head_of(code);
    const Elf64_Shdr *section = part_of(code, head->e_shoff, sizeof *section, head->e_shnum);
    for (unsigned i = 0; section != NULL && i < head->e_shnum; i++) {
        bool symbols = section[i].sh_type == SHT_SYMTAB || section[i].sh_type == SHT_DYNSYM;
        if (symbols && covers(code, &section[i], address)) return true;
    }
    return false;
}

// --- unwind tables ---------------------------------------------------------------------------------------------------

// .eh_frame_hdr: a header, then a table sorted by address. Each entry holds the distances from the section to a
// function and to that function's record in .eh_frame.
struct unwind_head {
    uint8_t version, frame_encoding, count_encoding, table_encoding;
    int32_t frames;
    uint32_t count;
};
struct unwind_row {
    int32_t function, record;
};
enum { UDATA4 = 0x03, DATAREL_SDATA4 = 0x3b };

static uint64_t search(const struct tool_code *code, const Elf64_Phdr *s, uint64_t address) {
    const struct unwind_head *head = part_of(code, s->p_offset, sizeof *head, 1);
    if (head == NULL || head->version != 1 || head->count_encoding != UDATA4 || head->table_encoding != DATAREL_SDATA4) return address;
    const struct unwind_row *row = part_of(code, s->p_offset + sizeof *head, sizeof *row, head->count);
    size_t low = 0, high = row != NULL ? head->count : 0; // rows before `low` begin at or before the address
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((int64_t)(address - s->p_vaddr) >= row[middle].function)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? s->p_vaddr + (uint64_t)(int64_t)row[low - 1].function : address;
}

uint64_t tool_code_function(const struct tool_code *code, uint64_t address) {
    const Elf64_Phdr *s;
    for (unsigned i = 0; (s = segment(code, i)) != NULL; i++) {
        if (s->p_type == PT_GNU_EH_FRAME) return search(code, s, address);
    }
    return address;
}
