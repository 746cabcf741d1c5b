// The file that an address of code was loaded from, and the offset in it, for reports whose addresses are turned into
// names outside of the process.
//
// Who: any thread, a signal handler too. With glibc 2.35 and later no lock is taken; else the loader's list of objects
// is locked while it is read.
#ifndef MB_CORE_PROCESS_CODE_FILE_H
#define MB_CORE_PROCESS_CODE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MB_CODE_FILE_BYTES = 256, MB_BUILD_ID_MAX = 20 };

struct mb_code_file {
    char file[MB_CODE_FILE_BYTES];
    uintptr_t base; // what is added to the file's addresses
    uint8_t build_id[MB_BUILD_ID_MAX];
    unsigned build_id_bytes; // 0: it has none
};

struct dl_phdr_info;
void mb_code_file_describe(const struct dl_phdr_info *object, struct mb_code_file *out);

// The loaded object that contains the address, found without a lock: the caller may hold one of our locks, for which a
// thread that holds the loader's lock may wait. False: there is none, or (before glibc 2.35, and with musl) only the
// loader's list would tell.
bool mb_code_object_of(uintptr_t address, struct dl_phdr_info *out);

// False: no loaded file has the address.
bool mb_code_file_of(uintptr_t address, struct mb_code_file *out);

#endif
