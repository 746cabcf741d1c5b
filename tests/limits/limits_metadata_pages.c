// The allocator's own tables are sparsely touched. If the system uses huge pages for all memory (transparent_hugepage
// "always"), a page of descriptors for each large block must not become 2 MiB. The mapping of the descriptors therefore
// excludes huge pages once one would fit, and stays a single mapping.
#include <stdio.h>
#include <string.h>

#include "core/front/malloc.h"
#include "core/region/unit.h"
#include "platform/os.h"
#include "tests/limits/measure.h"

enum { BLOCKS = 3000 };

// Of the mapping that holds an address: its length, and whether it has a flag. False: no such mapping, or the kernel
// does not tell.
static bool mapping_at(uintptr_t address, const char *flag, size_t *bytes, bool *has) {
    char line[4096];
    bool inside = false;
    FILE *file = fopen("/proc/self/smaps", "r");
    if (file == NULL) return false;
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned long first, end;
        if (sscanf(line, "%lx-%lx ", &first, &end) == 2) {
            inside = address >= first && address < end;
            if (inside) *bytes = end - first;
        }
        if (!inside || strncmp(line, "VmFlags:", 8) != 0) continue;
        *has = strstr(line, flag) != NULL;
        fclose(file);
        return true;
    }
    fclose(file);
    return false;
}

int main(void) {
    for (unsigned i = 0; i < BLOCKS; i++) CHECK(mb_malloc(MIB) != NULL, "no block");
    size_t units = mb_space.bytes >> MB_UNIT_SHIFT, bytes = 0;
    bool small = false;
    if (!mapping_at((uintptr_t)mb_space.table, " nh", &bytes, &small)) skip_test("no /proc/self/smaps with flags");
    if (mb_os_advise_huge((void *)mb_space.table, MB_UNIT_BYTES, false) != 0) skip_test("a kernel without huge pages");
    printf("%zu units, a mapping of %zu KiB%s\n", units, bytes / KIB, small ? ", small pages" : "");
    CHECK(small, "the descriptors may get huge pages");
    CHECK(bytes >= units * sizeof(struct mb_unit), "the descriptors are more than one mapping");
    return 0;
}
