// What: one thread allocates, another frees. The blocks, of one size or of mixed sizes, go through a locked queue or a
// ring buffer. In another test threads only free what the main thread has allocated.
// Who: the producer pushes, the consumer pops; a null pointer is the end. Each message is an array of 64 blocks, so
// that the cost of the channel is small.
#include <memory>
#include <thread>
#include <vector>

#include "bench/micro/micro.h"
#include "bench/support/channel.h"

namespace micro {
namespace {

enum { PARCEL = 64 };

struct Parcel {
    void *blocks[PARCEL];
};

using Size = size_t (*)(bench::Random &);

size_t size_64(bench::Random &) { return 64; }

Parcel *make_parcel(bench::Random &random, Size size) {
    auto *parcel = static_cast<Parcel *>(bench::allocate(sizeof(Parcel)));
    for (void *&p : parcel->blocks) p = bench::allocate(size(random));
    return parcel;
}

void free_parcel(Parcel *parcel) {
    for (void *p : parcel->blocks) std::free(p);
    std::free(parcel);
}

template <class Channel>
void hand_over(int64_t operations, Size size) {
    Channel channel(64);
    std::thread consumer([&channel] {
        while (void *parcel = channel.pop()) free_parcel(static_cast<Parcel *>(parcel));
    });
    bench::Random random(11);
    for (int64_t i = 0; i < operations / PARCEL; ++i) channel.push(make_parcel(random, size));
    channel.push(nullptr);
    consumer.join();
}

// Two threads free all that the main thread has allocated, by turns in parcels.
void free_round(std::vector<Parcel *> &parcels) {
    const auto free_every_second = [&parcels](size_t first) {
        for (size_t i = first; i < parcels.size(); i += 2) free_parcel(parcels[i]);
    };
    std::thread other(free_every_second, 1), another(free_every_second, 0);
    other.join();
    another.join();
}

void free_only(int64_t operations, Size size) {
    bench::Random random(13);
    std::vector<Parcel *> parcels(1000);
    for (int64_t done = 0; done < operations; done += static_cast<int64_t>(parcels.size()) * PARCEL) {
        for (Parcel *&parcel : parcels) parcel = make_parcel(random, size);
        free_round(parcels);
    }
}

} // namespace

void register_cross_thread() {
    const int64_t operations = bench::scaled(6400000, 64000);
    const struct { const char *name; Size size; } sizes[] = {{"64", size_64}, {"mixed", bench::mixed_size}};
    for (const auto &one : sizes) {
        const Size size = one.size;
        add_once(std::string("cross/queue/") + one.name, operations, [size](int64_t n) { hand_over<bench::Queue>(n, size); });
        add_once(std::string("cross/ring/") + one.name, operations, [size](int64_t n) { hand_over<bench::Ring>(n, size); });
        add_once(std::string("cross/free_only/") + one.name, operations, [size](int64_t n) { free_only(n, size); });
    }
}

} // namespace micro
