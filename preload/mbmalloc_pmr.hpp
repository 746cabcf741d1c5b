// A std::pmr::memory_resource over a zone of mbmalloc, for C++17 and later. Header only.
//
//   mbmalloc::zone_resource zone("parser", 1 << 30);
//   std::pmr::vector<int> numbers(&zone);           // its memory goes with the zone, freed or not
//
// Any thread may use it at any time.
#ifndef MBMALLOC_PMR_HPP
#define MBMALLOC_PMR_HPP

#include <cstddef>
#include <memory_resource>
#include <new>

#include <mbmalloc.h>

namespace mbmalloc {

class zone_resource : public std::pmr::memory_resource {
  public:
    // A zone of at most `max_bytes`. Throws std::bad_alloc if the system refuses the address space.
    zone_resource(const char *name, std::size_t max_bytes) : zone_(mb_zone_create(name, max_bytes)) {
        if (zone_ == nullptr) throw std::bad_alloc();
    }
    ~zone_resource() override { mb_zone_destroy(zone_); }
    zone_resource(const zone_resource &) = delete;
    zone_resource &operator=(const zone_resource &) = delete;

    mb_zone *zone() const noexcept { return zone_; }

  private:
    void *do_allocate(std::size_t bytes, std::size_t align) override {
        void *p = mb_zone_aligned_alloc(zone_, align, bytes);
        if (p == nullptr) throw std::bad_alloc();
        return p;
    }
    void do_deallocate(void *p, std::size_t, std::size_t) override { mb_zone_free(zone_, p); }
    bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override { return this == &other; }

    mb_zone *zone_;
};

} // namespace mbmalloc

#endif
