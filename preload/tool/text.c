// Helpers of the `mbmalloc` command: reading files of /proc, printing sizes, finding the library, reading ELF files.
#include "preload/tool/tool.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool tool_read(const char *path, char *out, size_t bytes) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    size_t length = 0;
    ssize_t got;
    while (length < bytes - 1 && (got = read(fd, out + length, bytes - 1 - length)) > 0) length += (size_t)got;
    close(fd);
    out[length] = '\0';
    return true;
}

bool tool_read_of(int pid, const char *name, char *out, size_t bytes) {
    char path[100];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    return tool_read(path, out, bytes);
}

bool tool_link_of(int pid, const char *name, char *out, size_t bytes) {
    char path[100];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    ssize_t length = readlink(path, out, bytes - 1);
    if (length < 0) return false;
    out[length] = '\0';
    return true;
}

const char *tool_size(uint64_t bytes) {
    static char text[8][24];
    static unsigned turn;
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    char *out = text[turn++ % 8];
    double value = (double)bytes;
    unsigned power = 0;
    while (value >= 1024 && power < 4) value /= 1024, power++;
    snprintf(out, sizeof text[0], power == 0 ? "%.0f %s" : "%.1f %s", value, units[power]);
    return out;
}

const char *tool_bold(void) { return isatty(1) ? "\033[1m" : ""; }
const char *tool_plain(void) { return isatty(1) ? "\033[0m" : ""; }

// --- the library -----------------------------------------------------------------------------------------------------

static bool is_file(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

bool tool_library(char *out, size_t bytes) {
    static const char *const places[] = {"%s/libmbmalloc.so", "%s/../lib/libmbmalloc.so", "%s/../lib64/libmbmalloc.so",
                                         "%s/../lib/x86_64-linux-gnu/libmbmalloc.so", "%s/../lib/aarch64-linux-gnu/libmbmalloc.so"};
    const char *named = getenv("MBMALLOC_LIBRARY");
    char self[PATH_MAX], real[PATH_MAX];
    if (named != NULL) {
        snprintf(out, bytes, "%s", named);
        return is_file(out);
    }
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0) return false;
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        snprintf(out, bytes, places[i], self);
        if (!is_file(out)) continue;
        if (realpath(out, real) != NULL) snprintf(out, bytes, "%s", real);
        return true;
    }
    return false;
}

// --- ELF -------------------------------------------------------------------------------------------------------------

struct image {
    const char *bytes;
    size_t size;
};

static const void *part(const struct image *image, size_t offset, size_t bytes) {
    return offset <= image->size && bytes <= image->size - offset ? image->bytes + offset : NULL;
}

// Whether the file's dynamic symbol table defines malloc.
static bool defines_malloc(const struct image *image, const Elf64_Ehdr *header) {
    for (size_t i = 0; i < header->e_shnum; i++) {
        const Elf64_Shdr *section = part(image, header->e_shoff + i * sizeof *section, sizeof *section);
        if (section == NULL || section->sh_type != SHT_DYNSYM) continue;
        const Elf64_Shdr *strings = part(image, header->e_shoff + section->sh_link * sizeof *strings, sizeof *strings);
        const char *names = strings != NULL ? part(image, strings->sh_offset, strings->sh_size) : NULL;
        const Elf64_Sym *symbols = part(image, section->sh_offset, section->sh_size);
        for (size_t s = 0; names != NULL && symbols != NULL && s < section->sh_size / sizeof *symbols; s++) {
            bool in_table = symbols[s].st_name + sizeof "malloc" <= strings->sh_size;
            if (symbols[s].st_shndx != SHN_UNDEF && in_table && strcmp(names + symbols[s].st_name, "malloc") == 0) return true;
        }
    }
    return false;
}

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

bool tool_elf_read(const char *path, struct tool_elf *out) {
    *out = (struct tool_elf){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0) return false;
    bool readable = fstat(fd, &status) == 0 && status.st_size > 0;
    void *map = readable ? mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    close(fd);
    if (map == MAP_FAILED) return false;
    struct image image = {map, (size_t)status.st_size};
    const Elf64_Ehdr *header = part(&image, 0, sizeof *header);
    out->is_elf = header != NULL && memcmp(header->e_ident, ELFMAG, SELFMAG) == 0;
    out->is_64 = out->is_elf && header->e_ident[EI_CLASS] == ELFCLASS64;
    if (out->is_elf) out->machine = header->e_machine;
    if (out->is_64) {
        read_segments(&image, header, out);
        out->own_malloc = defines_malloc(&image, header);
    }
    munmap(map, image.size);
    return true;
}
