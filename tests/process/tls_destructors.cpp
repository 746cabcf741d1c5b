// C++ thread_local objects whose destructors allocate and free, and that create further thread_local objects while the
// thread dies; 10,000 threads without growth.
#include "tests/process/expect.h"

#include <atomic>
#include <string>
#include <vector>

namespace {

constexpr int warm_up = 2000, threads_total = 10000, at_once = 4;
constexpr long growth_limit = 2 * 1024 * 1024; // large blocks come and go, and how many at once is chance
std::atomic<int> first_destroyed{0}, late_destroyed{0};

// First touched inside another object's destructor.
struct Late {
    std::vector<std::string> lines;
    ~Late() {
        for (int i = 0; i < 10; i++) lines.push_back(std::string(40 + static_cast<size_t>(i) * 20, 'x'));
        EXPECT(lines.back().size() == 220);
        late_destroyed++;
    }
};

Late &late() {
    static thread_local Late object;
    return object;
}

struct First {
    std::vector<int> numbers;
    ~First() {
        numbers.resize(20000, 7);
        EXPECT(numbers.back() == 7);
        late().lines.emplace_back(300, 'y');
        delete[] static_cast<char *>(keep(new char[70000]));
        first_destroyed++;
    }
};

thread_local First first;

void *live_briefly(void *) {
    first.numbers.push_back(1);
    return nullptr;
}

void run_threads(int count) {
    pthread_t threads[at_once];
    for (int done = 0; done < count; done += at_once) {
        for (pthread_t &thread : threads) thread = thread_start(live_briefly, nullptr);
        for (pthread_t thread : threads) thread_join(thread);
    }
}

} // namespace

int main() {
    test_begin(60);
    run_threads(warm_up);
    long before = rss_bytes();
    run_threads(threads_total);
    expect_growth_below(before, growth_limit, "thread_local destructors");
    EXPECT(first_destroyed == warm_up + threads_total && late_destroyed == warm_up + threads_total);
    return 0;
}
