// What: the table of address ranges where the arena's window may start.
//
// x86-64 and aarch64 with 47 or 48 bits of addresses: programs and their brk heap lie below 1 TiB or at 0x55..
// (0xaa..), libraries and stacks at 0x7f.. (0xff..), growing down; 1 to 4 TiB and 32 to 64 TiB are empty. With 39 to 42
// bits (some aarch64) programs lie at two thirds of 512 GiB, and 64 to 320 GiB are empty. Sanitizers on x86-64: the
// shadow of ASan ends at 0x10007fff8000. TSan ends a program that maps memory outside of 0 to 512 GiB, 0x55.. and
// 0x7e80.. upwards; MSan one that maps outside of 0x0.., 0x51.. to 0x5f.. and 0x7...
#include "platform/window.h"

#include "platform/bits.h"
#include "platform/compiler.h"
#include "platform/sanitizer.h"

#define GIB ((uintptr_t)1 << 30)
#define TIB ((uintptr_t)1 << 40)

static const struct mb_os_window wide[MB_OS_WINDOW_CANDIDATES] = {
    {1 * TIB, 3 * TIB, TIB, 0},
    {32 * TIB, 63 * TIB, TIB, 0},
};

// Ranges that sanitizers leave free: ThreadSanitizer, and the others.
#if defined(__x86_64__)
static const struct mb_os_window beside_tsan[MB_OS_WINDOW_CANDIDATES] = {
    {0x7e8000000000u, 0x7e9000000000u, 256 * GIB, 0},
    {64 * GIB, 128 * GIB, 256 * GIB, 0},
};
static const struct mb_os_window beside_shadow[MB_OS_WINDOW_CANDIDATES] = {
    {0x7e8000000000u, 0x7e9000000000u, 256 * GIB, 0},
    {32 * TIB, 63 * TIB, TIB, 0},
};
#else
static const struct mb_os_window beside_tsan[MB_OS_WINDOW_CANDIDATES] = {{0, 0, 0, 0}, {0, 0, 0, 0}};
static const struct mb_os_window beside_shadow[MB_OS_WINDOW_CANDIDATES] = {{0, 0, 0, 0}, {0, 0, 0, 0}};
#endif

static const struct mb_os_window narrow[MB_OS_WINDOW_CANDIDATES] = {
    {64 * GIB, 128 * GIB, 64 * GIB, 0},
    {128 * GIB, 256 * GIB, 64 * GIB, 0},
};

static uintptr_t random_start(const struct mb_os_window *window, uint64_t random) {
    const uintptr_t step = (uintptr_t)2 << 20;
    uintptr_t steps = (window->last - window->first) / step;
    return steps == 0 ? window->first : window->first + random % steps * step;
}

void mb_os_window_candidates(uint64_t random, struct mb_os_window out[MB_OS_WINDOW_CANDIDATES]) {
    int on_stack;
    bool is_wide = (uintptr_t)&on_stack >= 64 * TIB; // stacks lie at the top
    const struct mb_os_window *windows = is_wide ? wide : narrow;
    if (is_wide && mb_sanitizer_watches()) windows = mb_sanitizer_is_tsan() ? beside_tsan : beside_shadow;
    for (int i = 0; i < MB_OS_WINDOW_CANDIDATES; i++) {
        out[i] = windows[i];
        out[i].start = random_start(&out[i], random >> (i * 24));
    }
}
