// Symbols of loaded objects, read from their tables.
//
// What: what dlopen(RTLD_NOLOAD) and dlsym would answer, but without allocating, which they do: this is asked when memory is
// gone, and from inside free. Only objects with a GNU hash table are searched.
//
//   header  bucket_count  first_hashed  bloom_words  bloom_shift  | bloom filter | buckets | chain of hashes
//           a bucket holds the index of its first symbol; the chain's hash words go with the symbols and end in an odd one
//
// Who: any thread; the loader's list is locked while it is walked.
#include <link.h>
#include <stdint.h>
#include <string.h>

#include "core/process/foreign.h"
#include "platform/bits.h"
#include "platform/os.h"

// Absent in static programs that do not use it.
__attribute__((weak)) int dl_iterate_phdr(int (*)(struct dl_phdr_info *, size_t, void *), void *);

struct search {
    const char *const *files;
    const char *name;
    const void *end;
    const void *redirect_to;
    uint32_t hash;
    void *found;
};

struct tables {
    const ElfW(Sym) *symbols;
    const char *strings;
    const uint32_t *hash;
};

static uint32_t hash_of(const char *name) {
    uint32_t hash = 5381;
    for (; *name != '\0'; name++) hash = hash * 33 + (unsigned char)*name;
    return hash;
}

static bool is_wanted(const char *path, const char *const *files) {
    if (files == NULL) return true;
    if (path == NULL) return false;
    const char *slash = strrchr(path, '/'), *file = slash != NULL ? slash + 1 : path;
    for (; *files != NULL; files++) {
        if (strncmp(file, *files, strlen(*files)) == 0) return true;
    }
    return false;
}

// The loader has made these addresses absolute, except in objects that it did not load itself (the kernel's).
static const void *address_in(const struct dl_phdr_info *object, const ElfW(Dyn) *entry) {
    uintptr_t value = entry->d_un.d_ptr;
    return (const void *)(value < object->dlpi_addr ? value + object->dlpi_addr : value);
}

static bool tables_of(const struct dl_phdr_info *object, struct tables *out) {
    const ElfW(Dyn) *entry = NULL;
    for (unsigned i = 0; i < object->dlpi_phnum; i++) {
        if (object->dlpi_phdr[i].p_type == PT_DYNAMIC) entry = (const void *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr);
    }
    *out = (struct tables){NULL, NULL, NULL};
    for (; entry != NULL && entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_SYMTAB) out->symbols = address_in(object, entry);
        if (entry->d_tag == DT_STRTAB) out->strings = address_in(object, entry);
        if (entry->d_tag == DT_GNU_HASH) out->hash = address_in(object, entry);
    }
    return out->symbols != NULL && out->strings != NULL && out->hash != NULL;
}

static const ElfW(Sym) *symbol_in(const struct tables *t, const char *name, uint32_t hash) {
    uint32_t bucket_count = t->hash[0], first_hashed = t->hash[1], bloom_words = t->hash[2];
    const uint32_t *buckets = t->hash + 4 + bloom_words * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
    const uint32_t *chain = buckets + bucket_count;
    uint32_t i = bucket_count != 0 ? buckets[hash % bucket_count] : 0;
    if (i < first_hashed) return NULL;
    for (;; i++) {
        const ElfW(Sym) *symbol = &t->symbols[i];
        uint32_t theirs = chain[i - first_hashed];
        if ((theirs | 1) == (hash | 1) && strcmp(t->strings + symbol->st_name, name) == 0) return symbol;
        if ((theirs & 1) != 0) return NULL;
    }
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
    struct tables tables;
    if (!is_wanted(object->dlpi_name, search->files) || !tables_of(object, &tables)) return NULL;
    const ElfW(Sym) *symbol = symbol_in(&tables, search->name, search->hash);
    return symbol != NULL && symbol->st_shndx != SHN_UNDEF ? symbol : NULL;
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
    if (dl_iterate_phdr == NULL) return NULL;
    struct search search = {.files = files, .name = name, .end = end, .hash = hash_of(name)};
    dl_iterate_phdr(look_into, &search);
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
    struct tables tables;
    size_t missing = 0;
    if (!many->passed) {
        many->passed = contains(object, many->after);
        return 0;
    }
    if (!tables_of(object, &tables)) return 0;
    for (size_t i = 0; i < many->count; i++) {
        if (many->found[i] != NULL) continue;
        const ElfW(Sym) *symbol = symbol_in(&tables, many->names[i], hash_of(many->names[i]));
        if (symbol != NULL && symbol->st_shndx != SHN_UNDEF) many->found[i] = (void *)(object->dlpi_addr + symbol->st_value);
        else missing++;
    }
    return missing == 0;
}

void mb_foreign_next_symbols(const char *const *names, size_t count, const void *after, void **found) {
    struct many many = {.names = names, .found = found, .count = count, .after = after};
    for (size_t i = 0; i < count; i++) found[i] = NULL;
    if (dl_iterate_phdr != NULL) dl_iterate_phdr(look_for_all, &many);
}

void *mb_foreign_next_symbol(const char *name, const void *after) {
    void *found;
    mb_foreign_next_symbols(&name, 1, after, &found);
    return found;
}

// --- files --------------------------------------------------------------------------------------------------------------

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
    if (dl_iterate_phdr != NULL) dl_iterate_phdr(note_file, &place);
    return place.file;
}

// --- changing what a symbol means ---------------------------------------------------------------------------------------

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
    if (dl_iterate_phdr == NULL) return false;
    struct search search = {.files = files, .name = name, .redirect_to = to, .hash = hash_of(name)};
    dl_iterate_phdr(redirect_in, &search);
    return search.found != NULL;
}
