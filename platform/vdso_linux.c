// What: finds clock_gettime in the vDSO, the ELF shared object that the kernel maps into every process.
// Who: any thread. The address is cached in a relaxed atomic, which every thread writes with the same value.
// Invariant: a vDSO that does not have the expected layout is not used; the system call gives the same time.
#include "platform/vdso_linux.h"

#include <elf.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "platform/auxv_linux.h"
#include "platform/syscall_linux.h"

#if defined(__x86_64__)
static const char clock_name[] = "__vdso_clock_gettime";
#else
static const char clock_name[] = "__kernel_clock_gettime";
#endif

typedef int clock_function(int clock, struct timespec *out);

struct image {
    uintptr_t slide; // load address minus the addresses in the file
    const Elf64_Dyn *dynamic;
    const Elf64_Sym *symbols;
    const char *strings;
};

static bool find_segments(const Elf64_Ehdr *header, struct image *image) {
    const Elf64_Phdr *segment = (const Elf64_Phdr *)((uintptr_t)header + header->e_phoff);
    bool loaded = false;
    for (int i = 0; i < header->e_phnum; i++, segment++) {
        if (segment->p_type == PT_LOAD && !loaded) {
            image->slide = (uintptr_t)header + segment->p_offset - segment->p_vaddr;
            loaded = true;
        }
        if (segment->p_type == PT_DYNAMIC)
            image->dynamic = (const Elf64_Dyn *)((uintptr_t)header + segment->p_offset);
    }
    return loaded && image->dynamic != NULL;
}

static bool find_tables(struct image *image) {
    for (const Elf64_Dyn *entry = image->dynamic; entry->d_tag != DT_NULL; entry++) {
        uintptr_t address = image->slide + entry->d_un.d_ptr;
        if (entry->d_tag == DT_SYMTAB) image->symbols = (const Elf64_Sym *)address;
        if (entry->d_tag == DT_STRTAB) image->strings = (const char *)address;
    }
    // Every linker puts the string table directly behind the symbol table, which gives the number of symbols.
    return image->symbols != NULL && (uintptr_t)image->symbols < (uintptr_t)image->strings;
}

static uintptr_t find_function(const char *name) {
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)mb_auxv(AT_SYSINFO_EHDR);
    struct image image = {0, NULL, NULL, NULL};
    if (header == NULL || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return 0;
    if (!find_segments(header, &image) || !find_tables(&image)) return 0;
    for (const Elf64_Sym *symbol = image.symbols; (uintptr_t)(symbol + 1) <= (uintptr_t)image.strings; symbol++) {
        bool is_function = ELF64_ST_TYPE(symbol->st_info) == STT_FUNC && symbol->st_shndx != SHN_UNDEF;
        if (is_function && strcmp(image.strings + symbol->st_name, name) == 0) return image.slide + symbol->st_value;
    }
    return 0;
}

int mb_vdso_clock_gettime(int clock, struct timespec *out) {
    enum { NOT_LOOKED_FOR = 0, NOT_THERE = 1 };
    static _Atomic uintptr_t found; // written by any thread, always with the same value
    uintptr_t address = atomic_load_explicit(&found, memory_order_relaxed);
    if (address == NOT_LOOKED_FOR) {
        address = find_function(clock_name);
        if (address == 0) address = NOT_THERE;
        atomic_store_explicit(&found, address, memory_order_relaxed);
    }
    if (address != NOT_THERE) return ((clock_function *)address)(clock, out);
    return mb_syscall_error(mb_syscall2(__NR_clock_gettime, clock, mb_arg(out)));
}
