// What: finds the C library's own definition of a function that another object (a profiler, a sandbox, a tracer) may
// have wrapped. Such a wrapper may allocate, or hold a lock while it calls malloc, so the allocator must not call it.
// How: reads the loader's list of objects itself, without the loader's lock and without a call. The C library and every
// object before it in the list stay loaded from the start to the end of the process; only a name that the C library
// lacks is looked for in objects behind it.
// Who: any thread, before the first constructor too. Results are cached, and then sealed (mb_foreign_note_libc,
// core/base/sealed.h).
#include <elf.h>
#include <link.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "core/process/foreign.h"
#include "core/process/foreign_tables.h"
#include "platform/compiler.h"

// --- a loaded object -------------------------------------------------------------------------------------------------

static bool starts_with(const char *text, const char *start) {
    while (*start != '\0' && *text == *start) text++, start++;
    return *start == '\0';
}

bool mb_tables_is_wanted(const char *path, const char *const *files) {
    if (files == NULL) return true;
    if (path == NULL) return false;
    const char *file = path;
    for (const char *at = path; *at != '\0'; at++) {
        if (*at == '/') file = at + 1;
    }
    while (*files != NULL && !starts_with(file, *files)) files++;
    return *files != NULL;
}

// The loader has made these addresses absolute, except in objects that it did not load itself (the kernel's).
static const void *address_in(uintptr_t base, const ElfW(Dyn) * entry) {
    uintptr_t value = entry->d_un.d_ptr;
    return (const void *)(value < base ? value + base : value);
}

bool mb_tables_read(const ElfW(Dyn) * entry, uintptr_t base, struct mb_tables *out) {
    *out = (struct mb_tables){NULL, NULL, NULL, NULL};
    for (; entry != NULL && entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_SYMTAB) out->symbols = address_in(base, entry);
        if (entry->d_tag == DT_STRTAB) out->strings = address_in(base, entry);
        if (entry->d_tag == DT_GNU_HASH) out->hash = address_in(base, entry);
        if (entry->d_tag == DT_VERSYM) out->versions = address_in(base, entry);
    }
    return out->symbols != NULL && out->strings != NULL && out->hash != NULL;
}

uint32_t mb_tables_hash(const char *name) {
    uint32_t hash = 5381;
    for (; *name != '\0'; name++) hash = hash * 33 + (unsigned char)*name;
    return hash;
}

static bool same(const char *a, const char *b) {
    while (*a != '\0' && *a == *b) a++, b++;
    return *a == *b;
}

// A version that only programs use that were linked long ago: glibc's memcpy of 2.2.5 is the one for every processor.
enum { HIDDEN = 0x8000 };
static bool is_old(const struct mb_tables *t, uint32_t symbol) { return t->versions != NULL && (t->versions[symbol] & HIDDEN) != 0; }

const ElfW(Sym) * mb_tables_find(const struct mb_tables *t, const char *name, uint32_t hash) {
    uint32_t bucket_count = t->hash[0], first_hashed = t->hash[1], bloom_words = t->hash[2];
    const uint32_t *buckets = t->hash + 4 + bloom_words * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
    const uint32_t *chain = buckets + bucket_count;
    uint32_t i = bucket_count != 0 ? buckets[hash % bucket_count] : 0;
    if (i < first_hashed || i == 0) return NULL;
    const ElfW(Sym) *old = NULL;
    for (;; i++) {
        const ElfW(Sym) *symbol = &t->symbols[i];
        uint32_t theirs = chain[i - first_hashed];
        bool match = (theirs | 1) == (hash | 1) && symbol->st_shndx != SHN_UNDEF && same(t->strings + symbol->st_name, name);
        if (match && !is_old(t, i)) return symbol;
        if (match) old = symbol;
        if ((theirs & 1) != 0) return old;
    }
}

// --- the loader's list -----------------------------------------------------------------------------------------------

// glibc's: one record for each namespace, from version 2 on in a list. musl's is a pointer to the like.
struct debug_record {
    struct r_debug first;
    struct debug_record *next;
};
extern struct r_debug _r_debug;
extern struct r_debug *_dl_debug_addr;
extern ElfW(Dyn) _DYNAMIC[]; // our own
#pragma weak _r_debug
#pragma weak _dl_debug_addr
#pragma weak _DYNAMIC

static bool lists_us(const struct link_map *map) {
    while (map != NULL && map->l_ld != _DYNAMIC) map = map->l_next;
    return map != NULL;
}

// The first object of the link-map namespace that contains this library.
static const struct link_map *first_object(void) {
    if (_DYNAMIC == NULL) return NULL;
    if (&_r_debug == NULL) return &_dl_debug_addr != NULL && _dl_debug_addr != NULL ? _dl_debug_addr->r_map : NULL;
    const struct debug_record *record = (const struct debug_record *)&_r_debug;
    while (record != NULL && !lists_us(record->first.r_map)) record = record->first.r_version >= 2 ? record->next : NULL;
    return record != NULL ? record->first.r_map : NULL;
}

// For a function with several implementations (STT_GNU_IFUNC) the symbol is the resolver, which returns the one for
// this processor.
static void *chosen(uintptr_t base, const ElfW(Sym) * symbol) {
    uintptr_t address = base + symbol->st_value;
    if (ELF64_ST_TYPE(symbol->st_info) != STT_GNU_IFUNC) return (void *)address;
    return ((void *(*)(void))address)();
}

static void *own_symbol(const char *name) {
    uint32_t hash = mb_tables_hash(name);
    for (const struct link_map *map = first_object(); map != NULL; map = map->l_next) {
        struct mb_tables tables;
        if (!mb_tables_is_wanted(map->l_name, mb_libc_files) || !mb_tables_read(map->l_ld, map->l_addr, &tables)) continue;
        const ElfW(Sym) *symbol = mb_tables_find(&tables, name, hash);
        if (symbol != NULL) return chosen(map->l_addr, symbol);
    }
    return NULL;
}

// --- names -----------------------------------------------------------------------------------------------------------

static const char names[MB_OWN_COUNT][MB_OWN_NAME_BYTES] = {
#define MB_OWN_TEXT(name) #name,
    MB_OWN_TABLE(MB_OWN_TEXT)
#undef MB_OWN_TEXT
};

void *mb_foreign_own(enum mb_own own) {
    void *noted = mb_foreign_noted(own);
    return MB_LIKELY(noted != NULL) ? noted : own_symbol(names[own]);
}
