// What the kernel says about this process: resident bytes, mappings, commit charge, faults, time.
// Who: any thread. Invariant: nothing here allocates, so it may be asked when no memory is left.
#ifndef MB_TESTS_LIMITS_MEASURE_H
#define MB_TESTS_LIMITS_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SKIP_CODE = 77 };
static const size_t KIB = 1024;
static const size_t MIB = 1024 * 1024;

// Ends the test with one line that names the place in the source and the figures.
#define CHECK(cond, ...)                                              \
    do {                                                              \
        if (!(cond)) check_failed(__FILE__, __LINE__, #cond, __VA_ARGS__); \
    } while (0)

_Noreturn void check_failed(const char *file, int line, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
_Noreturn void skip_test(const char *format, ...) __attribute__((format(printf, 1, 2)));

size_t measure_rss_bytes(void);    // resident bytes, exact (smaps_rollup; statm if the kernel lacks that)
size_t measure_vm_bytes(void);     // address space in use, as RLIMIT_AS counts it
size_t measure_maps(void);         // lines of /proc/self/maps
size_t measure_charge_bytes(void); // bytes of the mappings that carry commit charge (VmFlags "ac")
uint64_t measure_minor_faults(void);
uint64_t measure_now_ms(void);
uint64_t measure_cpu_ns(void); // CPU time of the process
void measure_sleep_ms(unsigned ms);

// The first number in a /proc file, or `missing`.
size_t measure_number_in(const char *path, size_t missing);

// Polls until RSS is at most `bytes` or `ms` have passed. Returns the last RSS.
size_t measure_wait_rss(size_t bytes, unsigned ms);

// Whether malloc is the library under test. If the test was told to preload it and it is not loaded, ends the test.
bool measure_under_mbmalloc(void);

#endif
