// What: random numbers and block sizes for the benchmarks. The same seed gives each allocator the same work.
// Who: one thread per object.
#ifndef MB_BENCH_SUPPORT_RANDOM_H
#define MB_BENCH_SUPPORT_RANDOM_H

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace bench {

class Random {
public:
    explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 0x632be59bd9b4e019u) {}

    // splitmix64
    uint64_t next() {
        uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }

    // 0 .. n-1
    uint32_t below(uint32_t n) { return static_cast<uint32_t>(((next() >> 32) * n) >> 32); }

    bool one_in(uint32_t n) { return below(n) == 0; }

private:
    uint64_t state_;
};

// 8 to 1023 bytes; small sizes are far more frequent, as in programs.
inline size_t small_size(Random &random) {
    const uint32_t bits = 3 + std::min(random.below(7), random.below(7));
    return (size_t{1} << bits) + random.below(1u << bits);
}

// Like small_size, but one block in 100 has up to 8 KiB, and one in 1000 up to 64 KiB.
inline size_t mixed_size(Random &random) {
    const uint32_t draw = random.below(1000);
    if (draw == 0) return 8192 + random.below(57344);
    if (draw <= 10) return 1024 + random.below(7168);
    return small_size(random);
}

} // namespace bench

#endif
