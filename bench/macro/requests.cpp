// What: a server's requests: each allocates headers, strings, a growing body and a list of results and frees all of it
// at its end. One request in 16 leaves a result in a cache of bounded size, where it outlives thousands of requests.
//   bench_requests [thousands of requests per thread]
// Who: worker threads share only the cache, which has a lock; a thread that replaces an entry frees another's block.
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bench/support/blocks.h"
#include "bench/support/random.h"
#include "bench/support/report.h"
#include "bench/support/scale.h"

namespace {

enum { WORKERS = 4, CACHED = 20000 };

struct Cache {
    std::mutex lock;
    std::vector<std::string> entries = std::vector<std::string>(CACHED);

    void put(uint32_t slot, std::string &&text) {
        std::lock_guard<std::mutex> hold(lock);
        entries[slot].swap(text);
    }
};

struct Node {
    Node *next;
    char payload[40];
};

std::map<std::string, std::string> parse_headers(bench::Random &random) {
    std::map<std::string, std::string> headers;
    for (uint32_t i = 0, n = 6 + random.below(14); i < n; ++i) {
        headers["x-header-number-" + std::to_string(i)] = std::string(8 + random.below(120), 'v');
    }
    return headers;
}

Node *query(bench::Random &random) {
    Node *list = nullptr;
    for (uint32_t i = 0, n = random.below(150); i < n; ++i) {
        auto *node = static_cast<Node *>(bench::allocate(sizeof(Node)));
        node->next = list;
        list = node;
    }
    return list;
}

std::string render(bench::Random &random, const Node *list) {
    std::string body;
    for (; list != nullptr; list = list->next) body.append(8 + random.below(40), 'b');
    return body;
}

void drop(Node *list) {
    while (list != nullptr) {
        Node *next = list->next;
        std::free(list);
        list = next;
    }
}

void request(bench::Random &random, Cache &cache) {
    const auto headers = parse_headers(random);
    Node *list = query(random);
    std::string body = render(random, list);
    if (random.one_in(16)) cache.put(random.below(CACHED), std::move(body));
    drop(list);
}

void work(int64_t requests, uint64_t seed, Cache &cache) {
    bench::Random random(seed);
    for (int64_t i = 0; i < requests; ++i) request(random, cache);
}

} // namespace

int main(int count, char **arguments) {
    const int64_t requests = bench::scaled((count > 1 ? std::atoll(arguments[1]) : 40) * 1000);
    {
        Cache cache;
        std::vector<std::thread> workers;
        for (uint64_t i = 0; i < WORKERS; ++i) workers.emplace_back(work, requests, i + 1, std::ref(cache));
        for (std::thread &worker : workers) worker.join();
    }
    bench::finish_idle();
}
