// What: looks up symbols in the tables of loaded objects, as dlopen(RTLD_NOLOAD) and dlsym do, but without allocating:
// it is used when memory is gone, and from inside free. The list of objects is read by the C library's dl_iterate_phdr.
// Who: any thread; the loader's list is locked meanwhile.
#include <link.h>
#include <stdint.h>

#include "core/process/foreign.h"
#include "core/process/foreign_tables.h"
#include "platform/bits.h"
#include "platform/os.h"

// Absent in static programs that do not use it.
__attribute__((weak)) int dl_iterate_phdr(int (*)(struct dl_phdr_info *, size_t, void *), void *);

typedef int visit(struct dl_phdr_info *, size_t, void *);

bool mb_foreign_visit(visit *visitor, void *argument) {
    int (*iterate)(visit *, void *) = (int (*)(visit *, void *))mb_foreign_own(MB_OWN_dl_iterate_phdr);
    if (iterate == NULL) iterate = dl_iterate_phdr;
    return iterate != NULL && (iterate(visitor, argument), true);
}

struct search {
    const char *const *files;
    const char *name;
    const void *end;
    const void *redirect_to;
    uint32_t hash;
    void *found;
};

static bool tables_of(const struct dl_phdr_info *object, struct mb_tables *out) {
    const ElfW(Dyn) *dynamic = NULL;
    for (unsigned i = 0; i < object->dlpi_phnum; i++) {
        if (object->dlpi_phdr[i].p_type == PT_DYNAMIC) dynamic = (const void *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr);
    }
    return mb_tables_read(dynamic, object->dlpi_addr, out);
}

static bool contains(const struct dl_phdr_info *object, const void *p) {
    for (unsigned i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        if (header->p_type == PT_LOAD && (uintptr_t)p - object->dlpi_addr - header->p_vaddr < header->p_memsz) return true;
    }
    return false;
}

// The definition in an object, if that is one to be searched.
static const ElfW(Sym) *definition_in(const struct dl_phdr_info *object, const struct search *search) {
    struct mb_tables tables;
    if (!mb_tables_is_wanted(object->dlpi_name, search->files) || !tables_of(object, &tables)) return NULL;
    return mb_tables_find(&tables, search->name, search->hash);
}

static int look_into(struct dl_phdr_info *object, size_t bytes, void *argument) {
    (void)bytes;
    struct search *search = argument;
    if (contains(object, search->end)) return 1;
    const ElfW(Sym) *symbol = definition_in(object, search);
    if (symbol == NULL) return 0;
    search->found = (void *)(object->dlpi_addr + symbol->st_value);
    return 1;
}

void *mb_foreign_symbol(const char *const *files, const char *name, const void *end) {
    struct search search = {.files = files, .name = name, .end = end, .hash = mb_tables_hash(name)};
    mb_foreign_visit(look_into, &search);
    return search.found;
}

struct many {
    const char *const *names;
    void **found;
    size_t count;
    const void *after;
    bool passed;
};

static int look_for_all(struct dl_phdr_info *object, size_t bytes, void *argument) {
    (void)bytes;
    struct many *many = argument;
    struct mb_tables tables;
    size_t missing = 0;
    if (!many->passed) {
        many->passed = contains(object, many->after);
        return 0;
    }
    if (!tables_of(object, &tables)) return 0;
    for (size_t i = 0; i < many->count; i++) {
        if (many->found[i] != NULL) continue;
        const ElfW(Sym) *symbol = mb_tables_find(&tables, many->names[i], mb_tables_hash(many->names[i]));
        if (symbol != NULL) many->found[i] = (void *)(object->dlpi_addr + symbol->st_value);
        else missing++;
    }
    return missing == 0;
}

void mb_foreign_next_symbols(const char *const *names, size_t count, const void *after, void **found) {
    struct many many = {.names = names, .found = found, .count = count, .after = after};
    for (size_t i = 0; i < count; i++) found[i] = NULL;
    mb_foreign_visit(look_for_all, &many);
}

void *mb_foreign_next_symbol(const char *name, const void *after) {
    void *found;
    mb_foreign_next_symbols(&name, 1, after, &found);
    return found;
}

// --- files -----------------------------------------------------------------------------------------------------------

struct place {
    const void *inside;
    const char *file;
};

static int note_file(struct dl_phdr_info *object, size_t bytes, void *argument) {
    (void)bytes;
    struct place *place = argument;
    if (!contains(object, place->inside)) return 0;
    place->file = object->dlpi_name;
    return 1;
}

const char *mb_foreign_file_of(const void *inside) {
    struct place place = {inside, NULL};
    mb_foreign_visit(note_file, &place);
    return place.file;
}

// --- changing what a symbol means ------------------------------------------------------------------------------------

static unsigned access_of(const struct dl_phdr_info *object, const void *p) {
    for (unsigned i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        if (header->p_type != PT_LOAD || (uintptr_t)p - object->dlpi_addr - header->p_vaddr >= header->p_memsz) continue;
        return ((header->p_flags & PF_R) != 0 ? MB_OS_READ : 0u) | ((header->p_flags & PF_W) != 0 ? MB_OS_WRITE : 0u) |
               ((header->p_flags & PF_X) != 0 ? MB_OS_EXEC : 0u);
    }
    return MB_OS_NONE;
}

// The store is one word, which the loader may be reading for another thread.
static bool set_value(const struct dl_phdr_info *object, const ElfW(Sym) *symbol, uintptr_t value) {
    ElfW(Addr) *at = (ElfW(Addr) *)(uintptr_t)&symbol->st_value;
    size_t page_bytes = mb_os_page_size();
    char *page = (char *)((uintptr_t)at & ~(uintptr_t)(page_bytes - 1));
    unsigned access = access_of(object, at);
    if (access == MB_OS_NONE || mb_os_protect(page, page_bytes, access | MB_OS_WRITE) != 0) return false;
    __atomic_store_n(at, value, __ATOMIC_RELAXED);
    if ((access & MB_OS_WRITE) == 0) mb_os_protect(page, page_bytes, access);
    return true;
}

static int redirect_in(struct dl_phdr_info *object, size_t bytes, void *argument) {
    (void)bytes;
    struct search *search = argument;
    const ElfW(Sym) *symbol = definition_in(object, search);
    if (symbol == NULL) return 0;
    uintptr_t value = (uintptr_t)search->redirect_to - object->dlpi_addr;
    if (symbol->st_value == value || set_value(object, symbol, value)) search->found = (void *)(object->dlpi_addr + value);
    return 1;
}

bool mb_foreign_redirect(const char *const *files, const char *name, const void *to) {
    struct search search = {.files = files, .name = name, .redirect_to = to, .hash = mb_tables_hash(name)};
    mb_foreign_visit(redirect_in, &search);
    return search.found != NULL;
}
