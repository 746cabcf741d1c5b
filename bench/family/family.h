// What: the benchmarks of the region family beside malloc and free of glibc, of jemalloc (loaded by dlopen) and of
// mbmalloc itself, all in one process and one run. `bench_family` prints every figure and then how many times faster
// each member is than the faster of glibc and jemalloc.
//
// A contender is a class with `void *allocate(size_t bytes)` and `void free_all()`, which gives up all its blocks. Each
// .cpp file registers its benchmarks for all contenders: a new member needs one class, and a line in each of these
// files.
#ifndef MB_BENCH_FAMILY_FAMILY_H
#define MB_BENCH_FAMILY_FAMILY_H

#include <benchmark/benchmark.h>
#include <cstdlib>
#include <string>

#include <mbmalloc.h>

extern "C" void *mb_malloc(size_t bytes); // core/front/malloc.h is not C++
extern "C" void mb_free(void *p);

namespace family {

constexpr size_t batch = 1000;      // blocks between two free_all
constexpr size_t largest = 256;     // bytes

[[noreturn]] void fail(const char *what);

// --- malloc and free ------------------------------------------------------------------------------------------------

struct glibc {
    static void *take(size_t bytes) { return std::malloc(bytes); }
    static void give(void *p, size_t = 0) { std::free(p); }
};

struct mbmalloc {
    static void *take(size_t bytes) { return mb_malloc(bytes); }
    static void give(void *p, size_t = 0) { mb_free(p); }
};

// Called through pointers, which costs as much as a call through the PLT.
struct jemalloc {
    static bool load(); // false where there is none
    static void *take(size_t bytes) { return malloc_(bytes); }
    static void give(void *p, size_t = 0) { free_(p); }

  private:
    static void *(*malloc_)(size_t);
    static void (*free_)(void *);
};

// Remembers each block of a batch and frees it, as users of malloc do.
template <class Malloc> class Heap {
  public:
    void *allocate(size_t bytes) { return blocks_[count_++] = Malloc::take(bytes); }
    void free_all() {
        for (size_t i = 0; i < count_; i++) Malloc::give(blocks_[i]);
        count_ = 0;
    }

  private:
    void *blocks_[batch];
    size_t count_ = 0;
};

// --- members of the family ------------------------------------------------------------------------------------------

class Region {
  public:
    Region() {
        if (mb_region_new(&region_, 2 * batch * largest) != MB_OK) fail("region");
    }
    ~Region() { mb_region_drop(&region_); }
    void *allocate(size_t bytes) { return mb_region_allocate(&region_, bytes, 16); }
    void free_all() { mb_region_reset(&region_); }
    void *base() { return mb_region_base(&region_); }
    size_t capacity() { return mb_region_capacity(&region_); }

  private:
    mb_region region_;
};

class Bump {
  public:
    Bump() { mb_bump_init(&bump_, region_.base(), region_.capacity()); }
    void *allocate(size_t bytes) { return mb_bump_alloc(&bump_, bytes, 16); }
    void free_all() { mb_bump_reset(&bump_); }

  private:
    Region region_;
    mb_bump bump_;
};

// Any member that can be reset, used through struct mb_allocator. `Make` has `mb_allocator *allocator()`.
template <class Make> class Member {
  public:
    void *allocate(size_t bytes) { return mb_allocator_allocate(made_.allocator(), bytes, 16); }
    void free_all() { mb_allocator_reset(made_.allocator()); }

  private:
    Make made_;
};

class Locked {
  public:
    Locked() {
        if (mb_locked_new(&locked_, bytes) != MB_OK) fail("locked region");
    }
    ~Locked() { mb_locked_drop(&locked_); }
    static bool allowed() { // by RLIMIT_MEMLOCK
        mb_locked locked;
        return mb_locked_new(&locked, bytes) == MB_OK && mb_locked_drop(&locked) == MB_OK;
    }
    mb_allocator *allocator() { return mb_locked_allocator(&locked_); }

  private:
    static constexpr size_t bytes = 2 * batch * largest;
    mb_locked locked_;
};

// --- questions ------------------------------------------------------------------------------------------------------

void register_allocate_and_reset();
void register_allocate_and_free();
void register_shared();
void register_layers();

} // namespace family

#endif
