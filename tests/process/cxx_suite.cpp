// All 20 replaceable operators new and delete (C++17): every pairing, alignment, std::bad_alloc on absurd sizes, the
// nothrow forms, and new-handlers that free memory, remove themselves, throw, and are called again.
#include "tests/process/cxx_suite.h"
#include "tests/process/expect.h"

#include <cerrno>
#include <cstring>
#include <exception>
#include <limits>
#include <new>
#include <string>
#include <sys/resource.h>
#include <vector>

namespace {

constexpr std::align_val_t wide{256};
const std::size_t sizes[] = {0, 1, 24, 1000, 40000, 300000, 5000000};
constexpr std::size_t size_max = std::numeric_limits<std::size_t>::max();
// The first is a multiple of every alignment used here: libstdc++ rounds its size up without a check.
const std::size_t absurd[] = {size_max - 255, size_max - 4095, std::size_t{1} << 63, (std::size_t{1} << 63) - 1,
                              std::size_t{1} << 60};

void *filled(void *p, std::size_t bytes, std::size_t align) {
    p = keep(p);
    EXPECT(p != nullptr && reinterpret_cast<std::uintptr_t>(p) % align == 0);
    std::memset(p, 0x5C, bytes);
    return p;
}

void pair_plain(std::size_t n) {
    ::operator delete(filled(::operator new(n), n, 16));
    ::operator delete(filled(::operator new(n), n, 16), n);
    ::operator delete[](filled(::operator new[](n), n, 16));
    ::operator delete[](filled(::operator new[](n), n, 16), n);
    ::operator delete(filled(::operator new(n, std::nothrow), n, 16), std::nothrow);
    ::operator delete[](filled(::operator new[](n, std::nothrow), n, 16), std::nothrow);
}

void pair_aligned(std::size_t n) {
    ::operator delete(filled(::operator new(n, wide), n, 256), wide);
    ::operator delete(filled(::operator new(n, wide), n, 256), n, wide);
    ::operator delete[](filled(::operator new[](n, wide), n, 256), wide);
    ::operator delete[](filled(::operator new[](n, wide), n, 256), n, wide);
    ::operator delete(filled(::operator new(n, wide, std::nothrow), n, 256), wide, std::nothrow);
    ::operator delete[](filled(::operator new[](n, wide, std::nothrow), n, 256), wide, std::nothrow);
}

void delete_null() {
    ::operator delete(nullptr);
    ::operator delete[](nullptr);
    ::operator delete(nullptr, std::size_t{8});
    ::operator delete[](nullptr, std::size_t{8});
    ::operator delete(nullptr, std::nothrow);
    ::operator delete[](nullptr, std::nothrow);
    ::operator delete(nullptr, wide);
    ::operator delete[](nullptr, wide);
    ::operator delete(nullptr, std::size_t{8}, wide);
    ::operator delete[](nullptr, std::size_t{8}, wide);
    ::operator delete(nullptr, wide, std::nothrow);
    ::operator delete[](nullptr, wide, std::nothrow);
}

// The four throwing forms and the four that do not, as one table.
void *plain(std::size_t n) { return ::operator new(n); }
void *array(std::size_t n) { return ::operator new[](n); }
void *aligned(std::size_t n) { return ::operator new(n, wide); }
void *aligned_array(std::size_t n) { return ::operator new[](n, wide); }
void *plain_nothrow(std::size_t n) { return ::operator new(n, std::nothrow); }
void *array_nothrow(std::size_t n) { return ::operator new[](n, std::nothrow); }
void *aligned_nothrow(std::size_t n) { return ::operator new(n, wide, std::nothrow); }
void *aligned_array_nothrow(std::size_t n) { return ::operator new[](n, wide, std::nothrow); }

using maker = void *(*)(std::size_t);
const maker throwing[] = {plain, array, aligned, aligned_array};
const maker silent[] = {plain_nothrow, array_nothrow, aligned_nothrow, aligned_array_nothrow};

template <typename Exception> bool throws(maker make, std::size_t n) {
    try {
        keep(make(opaque(n)));
    } catch (const Exception &) {
        return true;
    }
    return false;
}

void fail_without_handler() {
    for (std::size_t n : absurd) {
        for (maker make : throwing) EXPECT(throws<std::bad_alloc>(make, n));
        for (maker make : silent) EXPECT(keep(make(opaque(n))) == nullptr);
    }
    EXPECT(throws<std::bad_alloc>(plain, size_max) && throws<std::bad_alloc>(array, size_max));
    void *(*form)(std::size_t, std::align_val_t) = ::operator new;
    if (from_mbmalloc(reinterpret_cast<void *>(form))) {
        EXPECT(throws<std::bad_alloc>(aligned, size_max) && throws<std::bad_alloc>(aligned_array, size_max));
    }
    EXPECT(throws<std::bad_alloc>([](std::size_t n) { return static_cast<void *>(new int[n]); }, std::size_t{1} << 62));
}

int handler_calls;

void give_up_at_third_call() {
    if (++handler_calls == 3) std::set_new_handler(nullptr);
}

// The handler is called again and again; when it removes itself, bad_alloc follows.
void handler_removes_itself() {
    for (maker make : throwing) {
        handler_calls = 0;
        std::set_new_handler(give_up_at_third_call);
        EXPECT(throws<std::bad_alloc>(make, absurd[0]) && handler_calls == 3);
    }
    for (maker make : silent) {
        handler_calls = 0;
        std::set_new_handler(give_up_at_third_call);
        EXPECT(keep(make(opaque(absurd[0]))) == nullptr && handler_calls == 3);
    }
    std::set_new_handler(nullptr);
}

struct handler_exception : std::bad_alloc {
    std::string text = std::string(100, 'x'); // leaks where the exception is not destroyed
};

void throw_own() { throw handler_exception(); }

void handler_throws() {
    std::set_new_handler(throw_own);
    for (maker make : throwing) EXPECT(throws<handler_exception>(make, absurd[1]));
    for (maker make : silent) EXPECT(keep(make(opaque(absurd[1]))) == nullptr);
    EXPECT(std::uncaught_exceptions() == 0); // what a silent form ends is over
    std::set_new_handler(nullptr);
}

std::vector<void *> reserve;

void free_reserve() {
    handler_calls++;
    if (reserve.empty()) std::set_new_handler(nullptr);
    for (void *p : reserve) ::operator delete(p);
    reserve.clear();
}

constexpr std::size_t piece = std::size_t{32} << 20;

// Under a limit on the address space: fills it, then asks for more; the handler frees everything, and new succeeds.
void handler_frees_memory() {
    rlimit before, tight;
    EXPECT(getrlimit(RLIMIT_AS, &before) == 0);
    tight = before;
    tight.rlim_cur = rlim_t{1} << 30;
    reserve.reserve(1000);
    if (setrlimit(RLIMIT_AS, &tight) != 0) return;
    while (void *p = ::operator new(piece, std::nothrow)) reserve.push_back(p);
    EXPECT(reserve.size() > 2 && reserve.size() < 64);
    handler_calls = 0;
    std::set_new_handler(free_reserve);
    void *p = ::operator new(2 * piece);
    EXPECT(keep(p) != nullptr && handler_calls == 1);
    ::operator delete(p);
    std::set_new_handler(nullptr);
    EXPECT(setrlimit(RLIMIT_AS, &before) == 0);
}

void use_containers() {
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < 2000; i++) lines.push_back(std::string(i % 300, static_cast<char>('a' + i % 26)));
    lines.erase(lines.begin(), lines.begin() + 1000);
    EXPECT(lines.size() == 1000 && lines[0].size() == 100);
    struct alignas(128) Wide {
        char bytes[128];
    };
    std::vector<Wide> wide_ones(100);
    EXPECT(reinterpret_cast<std::uintptr_t>(keep(wide_ones.data())) % 128 == 0);
}

} // namespace

void cxx_suite_run(void) {
    for (std::size_t n : sizes) {
        pair_plain(opaque(n));
        pair_aligned(opaque(n));
    }
    delete_null();
    errno = 0;
    use_containers();
    EXPECT(errno == 0);
    fail_without_handler();
    handler_removes_itself();
    handler_throws();
    handler_frees_memory();
    use_containers();
}
