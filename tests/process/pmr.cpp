// std::pmr over a zone: containers use it, and what they leave goes with it.
#include <mbmalloc/pmr.hpp>

#include <map>
#include <string>
#include <vector>

#include "tests/process/expect.h"

int main() {
    mbmalloc::zone_resource zone("words", 64 << 20);
    {
        std::pmr::map<int, std::pmr::string> words(&zone);
        for (int i = 0; i < 1000; i++) words.emplace(i, std::string(static_cast<size_t>(i), 'x'));
        EXPECT(words.at(999).size() == 999);
    }
    mb_zone_statistics now{};
    now.size = sizeof now;
    EXPECT(mb_zone_statistics_get(zone.zone(), &now) == 1 && now.live_blocks == 0 && now.allocations > 1000);
    auto *kept = new (zone.allocate(sizeof(std::pmr::vector<int>))) std::pmr::vector<int>(100000, 1, &zone);
    EXPECT(kept->size() == 100000);
    bool refused = false;
    try {
        static_cast<void>(zone.allocate(65 << 20));
    } catch (const std::bad_alloc &) {
        refused = true;
    }
    EXPECT(refused);
    return 0;
}
