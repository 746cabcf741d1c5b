// The tables of a loaded object: where a name is defined in it. Only objects with a GNU hash table are searched.
//
//   header  bucket_count  first_hashed  bloom_words  bloom_shift  | bloom filter | buckets | chain of hashes
//           a bucket holds the index of its first symbol; the chain's hash words go with the symbols and end in an odd one
//
// Who: any thread, as long as the object is loaded.
#ifndef MB_CORE_PROCESS_FOREIGN_TABLES_H
#define MB_CORE_PROCESS_FOREIGN_TABLES_H

#include <link.h>
#include <stdbool.h>
#include <stdint.h>

struct mb_tables {
    const ElfW(Sym) * symbols;
    const char *strings;
    const uint32_t *hash;
    const ElfW(Half) * versions; // of each symbol; NULL: the object has none
};

// From an object's dynamic section, NULL: none. `base`: what its addresses are relative to.
bool mb_tables_read(const ElfW(Dyn) * dynamic, uintptr_t base, struct mb_tables *out);

uint32_t mb_tables_hash(const char *name);

// The definition, and of several versions the one that programs are linked with; NULL: none.
const ElfW(Sym) * mb_tables_find(const struct mb_tables *tables, const char *name, uint32_t hash);

// Whether the path's last part begins with one of `files` (ends with NULL); NULL `files`: any path.
bool mb_tables_is_wanted(const char *path, const char *const *files);

#endif
