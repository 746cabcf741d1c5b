// C++ static objects: constructed before main, destroyed after it, in other orders than the C phases; containers that
// grow in a destructor; a static object first made while others are being destroyed.
//
// The last destructor ends the process with 0; every other way out of it is a failure.
#include "tests/process/expect.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace {

// Made first, destroyed last.
struct Verdict {
    int destroyed = 0;
    ~Verdict() { _exit(destroyed == 3 ? 0 : 3); }
} verdict;

struct Table {
    std::map<int, std::string> rows;
    Table() {
        for (int i = 0; i < 1000; i++) rows[i] = std::string(static_cast<size_t>(i), 'a');
    }
    ~Table() {
        for (int i = 0; i < 1000; i += 2) rows.erase(i);
        for (int i = 1000; i < 2000; i++) rows[i] = std::string(100, 'b');
        EXPECT(rows.size() == 1500 && rows[501].size() == 501);
        verdict.destroyed++;
    }
} table;

struct Late {
    std::vector<std::unique_ptr<char[]>> blocks;
    ~Late() {
        for (size_t i = 0; i < 100; i++) blocks.emplace_back(new char[i * 1000 + 1]);
        verdict.destroyed++;
    }
};

struct Grower {
    std::vector<int> numbers{1, 2, 3};
    ~Grower() {
        static Late late;
        late.blocks.emplace_back(new char[10]);
        numbers.resize(200000, 4);
        EXPECT(numbers[199999] == 4);
        verdict.destroyed++;
    }
} grower;

} // namespace

int main() {
    test_begin(30);
    table.rows[5] = std::string(100000, 'c');
    return 1;
}
