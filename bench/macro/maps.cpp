// What: C++ containers: std::map and std::unordered_map of numbers and of strings, which are filled, searched, partly
// erased and filled again.
//   bench_maps [times]
// Who: two threads, each with its own containers.
#include <cstdlib>
#include <map>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "bench/support/random.h"
#include "bench/support/report.h"
#include "bench/support/scale.h"

namespace {

enum { WORKERS = 2 };

const int keys = static_cast<int>(bench::scaled(120000, 1000));

template <class Map>
void fill(Map &map, bench::Random &random, int count) {
    for (int i = 0; i < count; ++i) map[random.below(static_cast<uint32_t>(keys) * 4)] = std::string(random.below(60), 's');
}

// Erases every key with one remainder.
template <class Map>
void thin_out(Map &map, uint32_t residue) {
    for (auto at = map.begin(); at != map.end();) at = at->first % 3 == residue ? map.erase(at) : std::next(at);
}

template <class Map>
size_t search(const Map &map, bench::Random &random, int count) {
    size_t found = 0;
    for (int i = 0; i < count; ++i) found += map.count(random.below(static_cast<uint32_t>(keys) * 4));
    return found;
}

template <class Map>
size_t life(bench::Random &random) {
    Map map;
    size_t found = 0;
    for (uint32_t residue = 0; residue < 3; ++residue) {
        fill(map, random, keys);
        found += search(map, random, keys / 2);
        thin_out(map, residue);
    }
    return found;
}

void work(int64_t times, uint64_t seed) {
    bench::Random random(seed);
    for (int64_t i = 0; i < times; ++i) {
        if (life<std::map<uint32_t, std::string>>(random) + life<std::unordered_map<uint32_t, std::string>>(random) == 0) std::abort();
    }
}

} // namespace

int main(int count, char **arguments) {
    const int64_t times = count > 1 ? std::atoll(arguments[1]) : 1;
    std::vector<std::thread> workers;
    for (uint64_t i = 0; i < WORKERS; ++i) workers.emplace_back(work, times, i + 1);
    for (std::thread &worker : workers) worker.join();
    bench::finish_idle();
}
