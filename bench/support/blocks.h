// What: malloc as benchmarks use it: writes the block's first byte, and ends the benchmark when malloc fails.
#ifndef MB_BENCH_SUPPORT_BLOCKS_H
#define MB_BENCH_SUPPORT_BLOCKS_H

#include <cstddef>
#include <cstdio>
#include <cstdlib>

namespace bench {

[[noreturn]] inline void out_of_memory(size_t bytes) {
    std::fprintf(stderr, "no memory for %zu bytes\n", bytes);
    std::_Exit(3);
}

inline void *checked(void *p, size_t bytes) {
    if (__builtin_expect(p == nullptr, 0)) out_of_memory(bytes);
    *static_cast<volatile char *>(p) = 1;
    return p;
}

inline void *allocate(size_t bytes) { return checked(std::malloc(bytes), bytes); }

// Writes one byte of every page of [from, to), so that the pages exist.
inline void touch_pages(void *p, size_t from, size_t to) {
    for (size_t at = from; at < to; at += 4096) static_cast<volatile char *>(p)[at] = 1;
}

} // namespace bench

#endif
