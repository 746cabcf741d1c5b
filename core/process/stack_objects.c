#include "core/process/stack_objects.h"

#include <link.h>
#include <pthread.h>
#include <sys/auxv.h>

#include "core/base/check.h"
#include "core/process/foreign.h"
#include "platform/compiler.h"
#include "platform/os.h"
#include "platform/os_process.h"
#include "platform/signal_return.h"
#include "platform/unwind_end.h"

// glibc's from 2.35 on: lock-free.
struct dl_find_object;
__attribute__((weak)) int _dl_find_object(void *address, struct dl_find_object *out);

// --- without it ------------------------------------------------------------------------------------------------------

struct search {
    uintptr_t address;
    struct mb_object *out;
};

static bool covers(const struct dl_phdr_info *info, uintptr_t address, struct mb_object *out) {
    uintptr_t start = UINTPTR_MAX, end = 0, table = 0;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t at = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_GNU_EH_FRAME) table = at;
        if (header->p_type != PT_LOAD) continue;
        if (at < start) start = at;
        if (at + header->p_memsz > end) end = at + header->p_memsz;
    }
    *out = (struct mb_object){.start = (const void *)start, .end = (const void *)end, .unwind_table = (const void *)table};
    return start <= address && address < end;
}

static int look(struct dl_phdr_info *info, size_t bytes, void *state) {
    const struct search *search = state;
    (void)bytes;
    return covers(info, search->address, search->out) ? 1 : 0;
}

static bool find_by_visit(const void *address, struct mb_object *out) {
    struct search search = {(uintptr_t)address, out};
    out->end = NULL;
    return mb_foreign_visit(look, &search) && (uintptr_t)out->start <= search.address && search.address < (uintptr_t)out->end;
}

bool mb_object_find(const void *address, struct mb_object *out) {
    if (_dl_find_object != NULL) return _dl_find_object((void *)(uintptr_t)address, (void *)out) == 0;
    return find_by_visit(address, out);
}

static bool constructed; // by the thread that runs the constructors

__attribute__((constructor)) static void note_constructed(void) { constructed = true; }

// In a static program the libc allocates before it knows the program's own object.
static bool is_early(void) { return !constructed && getauxval(AT_BASE) == 0; }

bool mb_object_needs_no_lock(void) { return _dl_find_object != NULL; }
bool mb_object_may_visit(void) { return mb_foreign_sealed.pid == (uint32_t)mb_os_pid(); }
bool mb_object_can_find(void) { return !is_early() && (_dl_find_object != NULL || mb_object_may_visit()); }

// --- what the unwinder calls -----------------------------------------------------------------------------------------

// The byte before the code that a handler of signals returns to, where no table describes it: the unwinder knows its
// instructions.
static bool is_before_signal_return(const void *address, bool found) {
    const uint32_t *code = (const uint32_t *)((uintptr_t)address + 1);
    return mb_can_be_signal_return(code) && (found || mb_os_readable(code, MB_SIGNAL_RETURN_BYTES)) && mb_is_signal_return(code);
}

int mb_unwind_find_object(const void *address, struct mb_object *out) {
    bool found = mb_object_find(address, out);
    if (found && out->unwind_table != NULL) return 0;
    if (is_before_signal_return(address, found)) return -1;
    out->unwind_table = &mb_unwind_end;
    return 0;
}

bool mb_object_ends_stack(const struct mb_object *object) { return object->unwind_table == &mb_unwind_end; }

// Where the unwinder's compiler knew no _dl_find_object.
int mb_unwind_visit(int (*visitor)(struct dl_phdr_info *, size_t, void *), void *argument);
int mb_unwind_visit(int (*visitor)(struct dl_phdr_info *, size_t, void *), void *argument) {
    mb_foreign_visit(visitor, argument);
    return 0;
}

// The function fills a table with constants, so two threads may do it at the same time.
int mb_unwind_once(pthread_once_t *control, void (*fill)(void));
int mb_unwind_once(pthread_once_t *control, void (*fill)(void)) {
    if (__atomic_load_n(control, __ATOMIC_ACQUIRE) != 0) return 0;
    fill();
    __atomic_store_n(control, 1, __ATOMIC_RELEASE);
    return 0;
}

// Malformed tables: the process would end on the first C++ exception that passes there.
_Noreturn void mb_unwind_abort(void);
_Noreturn void mb_unwind_abort(void) { mb_fatal("call stack: malformed unwind tables near", __builtin_return_address(0)); }

// Only for tables that are registered with this copy of the unwinder, which no other code does.
#define MB_NEVER(name)                                                                                                                     \
    void *mb_unwind_##name(void);                                                                                                          \
    void *mb_unwind_##name(void) { return NULL; }
MB_NEVER(key)
MB_NEVER(lock)
MB_NEVER(unlock)
MB_NEVER(malloc)
MB_NEVER(free)
