#include "core/process/tunables.h"

#include <stddef.h>
#include <stdint.h>

#include "core/heap/perturb.h"
#include "core/process/thread.h"
#include "core/region/margin.h"
#include "platform/malloc_names.h"
#include "platform/os.h"

// glibc's limits, for blocks of 8-byte words.
enum { FAST_MAX = 160, MAPPED_MIN_MAX = 32 << 20 };

// --- the environment -------------------------------------------------------------------------------------------------

static unsigned digit_of(char c) {
    if (c >= '0' && c <= '9') return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f') return (unsigned)(c - 'a' + 10);
    return c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10) : 16;
}

// As strtoul with base 0; what follows the number is ignored. False: no number.
static bool number_at(const char *text, uint64_t *out) {
    unsigned base = 10;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        base = 16, text += 2;
    else if (text[0] == '0')
        base = 8;
    const char *first = text;
    for (*out = 0; digit_of(*text) < base; text++) *out = *out * base + digit_of(*text);
    return text != first;
}

static const char *behind(const char *text, const char *start) {
    while (*start != '\0' && *text == *start) text++, start++;
    return *start == '\0' ? text : NULL;
}

// The value of a name in GLIBC_TUNABLES: name=value:name=value.
static const char *tunable(const char *text, const char *name) {
    while (text != NULL && *text != '\0') {
        const char *value = behind(text, name);
        if (value != NULL) return value;
        while (*text != '\0' && *text++ != ':') continue;
    }
    return NULL;
}

static bool asked_for(const char *variable, const char *tunables, const char *name, uint64_t *out) {
    const char *value = tunable(tunables, name);
    if (value == NULL) value = mb_os_env(variable);
    return value != NULL && number_at(value, out);
}

void mb_tunables_init(void) {
    const char *tunables = mb_os_env("GLIBC_TUNABLES");
    uint64_t value;
    if (asked_for("MALLOC_PERTURB_", tunables, "glibc.malloc.perturb=", &value)) mb_tunables_set(M_PERTURB, (int)value);
    if (asked_for("MALLOC_TRIM_THRESHOLD_", tunables, "glibc.malloc.trim_threshold=", &value)) mb_margin_bound(value);
}

// --- mallopt ---------------------------------------------------------------------------------------------------------

static void perturb(uint32_t byte) {
    if (byte == mb_perturb_byte()) return;
    mb_perturb_set(byte);
    mb_thread_change_token();
}

bool mb_tunables_set(int parameter, int value) {
    switch (parameter) {
    case M_PERTURB: perturb((uint32_t)value & 0xff); return true;
    case M_TRIM_THRESHOLD: mb_margin_bound((size_t)value); return true; // -1: no bound
    case M_MXFAST: return value >= 0 && value <= FAST_MAX;
    case M_MMAP_THRESHOLD: return value >= 0 && value <= MAPPED_MIN_MAX;
    default: return true; // as glibc, whatever it is
    }
}
