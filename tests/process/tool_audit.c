// An audit library of the loader (ld.so(8), LD_AUDIT) that allocates in each of its calls, by the malloc of its own
// namespace.
#include <link.h>
#include <stdlib.h>
#include <string.h>

static void allocate(void) {
    char *p = malloc(100), *volatile q;
    memset(p, 1, 100);
    q = realloc(p, 200000);
    free(q);
    free(calloc(3, 30));
}

unsigned la_version(unsigned version) {
    allocate();
    return version < LAV_CURRENT ? version : LAV_CURRENT;
}

unsigned la_objopen(struct link_map *map, Lmid_t namespace, uintptr_t *cookie) {
    (void)map, (void)namespace, (void)cookie;
    allocate();
    return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}

#define BIND(name, symbol_type)                                                                                                            \
    uintptr_t name(symbol_type *symbol, unsigned index, uintptr_t *from, uintptr_t *to, unsigned *flags, const char *text) {               \
        (void)index, (void)from, (void)to, (void)flags, (void)text;                                                                        \
        allocate();                                                                                                                        \
        return symbol->st_value;                                                                                                           \
    }
BIND(la_symbind64, Elf64_Sym)

void la_activity(uintptr_t *cookie, unsigned flag) {
    (void)cookie, (void)flag;
    allocate();
}
