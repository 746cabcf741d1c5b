// What C++ programs allocate, with a known profile, for heap_profile.sh:
//
//   objects()  holds 150,000 objects of 100 bytes by new, 1,000 arrays of 10,000 by new[]       25,000,000 bytes
//   aligned()  holds 20,000 objects of 1,024 bytes, aligned to 256                               20,480,000
//   shared()   holds 200,000 by make_shared, of 128 bytes with its counters (libstdc++)          25,600,000
//   grows()    holds a vector of 2^22 numbers of 8 bytes that has doubled 22 times                33,554,432, has taken 67,108,856
//   deleted()  holds nothing, has taken 150,000 objects of 100 bytes and freed them by another thread
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#define PLACE __attribute__((noinline))
#define NO_TAIL_CALL() __asm__ volatile("" : : : "memory")

struct object {
    char bytes[100];
};
struct alignas(256) wide_object {
    char bytes[1024];
};
struct counted_object {
    char bytes[112];
};

static std::vector<object *> objects_kept;
static std::vector<char *> arrays_kept;
static std::vector<wide_object *> wide_kept;
static std::vector<std::shared_ptr<counted_object>> shared_kept;
static std::vector<std::uint64_t> grown;

PLACE static void objects() {
    for (auto &kept : objects_kept) kept = new object;
    for (auto &kept : arrays_kept) kept = new char[10000];
    NO_TAIL_CALL();
}
PLACE static void aligned() {
    for (auto &kept : wide_kept) kept = new wide_object;
    NO_TAIL_CALL();
}
PLACE static void shared() {
    for (auto &kept : shared_kept) kept = std::make_shared<counted_object>();
    NO_TAIL_CALL();
}
PLACE static void grows() {
    for (std::uint64_t i = 0; i < UINT64_C(1) << 22; i++) grown.push_back(i);
    NO_TAIL_CALL();
}
PLACE static void deleted() {
    static std::vector<object *> gone(150000);
    for (auto &one : gone) one = new object;
    std::thread([] {
        for (auto *one : gone) delete one;
    }).join();
    NO_TAIL_CALL();
}

int main() {
    objects_kept.resize(150000);
    arrays_kept.resize(1000);
    wide_kept.resize(20000);
    shared_kept.resize(200000);
    objects();
    aligned();
    shared();
    grows();
    deleted();
    return 0;
}
