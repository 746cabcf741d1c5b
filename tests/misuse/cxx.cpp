// What: misuse as C++ programs commit it: through delete expressions, where the compiler chooses the function and the
// size. The same frame as misuse.c: a name runs a case, --list tells what must come of it.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <unistd.h>

namespace {

enum End { DIES = 0, LIVES = 3, TOLD = 4 };

template <class T> T *hide(T *p) {
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}

void announce(const void *p) {
    char line[32];
    int n = std::snprintf(line, sizeof line, "0x%lx\n", static_cast<unsigned long>(reinterpret_cast<std::uintptr_t>(p)));
    ssize_t written = write(1, line, static_cast<std::size_t>(n));
    (void)written;
}

template <class T> T *named(T *p) {
    announce(p);
    return hide(p);
}

// One block under two names, between which the compiler sees no connection.
template <class T> struct Two {
    T *p, *again;
};
template <class T> Two<T> two(T *p) { return {hide(p), hide(p)}; }

struct Node {
    Node *next = nullptr;
    long key = 0;
    char name[40] = {};
};

struct Cookie { // its arrays carry a count in front
    long value = 1;
    ~Cookie() { value = 0; }
};

struct alignas(128) Wide {
    char bytes[256] = {};
};

struct Page {
    char bytes[20000] = {};
};

struct Left {
    virtual ~Left() = default;
    long l = 0;
};
struct Right {
    long r = 0;
    ~Right() {} // not virtual: deleting through it is wrong twice
};
struct Both : Left, Right {
    long b = 0;
};

void twice() {
    Two<Node> node = two(new Node);
    delete node.p;
    delete named(node.again);
}
void twice_array() {
    Two<int> numbers = two(new int[500]);
    delete[] numbers.p;
    delete[] named(numbers.again);
}
void twice_aligned() {
    Two<Wide> wide = two(new Wide);
    delete wide.p;
    delete named(wide.again);
}
void twice_large() {
    Two<void> large = two(::operator new(5 << 20));
    ::operator delete(large.p);
    ::operator delete(named(large.again));
}
void two_owners() {
    std::unique_ptr<int[]> a(new int[100]);
    std::unique_ptr<int[]> b(named(a.get()));
}
void list_with_a_cycle() {
    Two<Node> a = two(new Node), b = two(new Node);
    a.p->next = b.p;
    delete a.p;
    delete b.p;
    delete named(a.again);
}
void vector_interior() {
    std::vector<long> v(1000);
    ::operator delete(named(v.data() + 10));
}
void string_inside_itself() {
    static std::string s("short");
    ::operator delete(named(&s[0]));
}
void automatic_object() {
    Node n;
    ::operator delete(named(&n), sizeof n);
}
void static_object() {
    static Page page;
    ::operator delete(named(&page), sizeof page);
}
void second_base() {
    Right *r = hide(new Both);
    announce(r);
    delete r;
}
void array_by_scalar_delete() {
    Cookie *p = hide(new Cookie[100]);
    announce(p);
    delete p;
}
void other_type_too_big() {
    void *p = hide(new Node);
    delete static_cast<Page *>(named(p));
}
void other_type_too_small() {
    void *p = hide(new Page);
    delete static_cast<long *>(named(p));
}
void malloc_and_sized_delete() {
    void *p = hide(std::malloc(100));
    delete static_cast<Page *>(named(p));
}
struct Plain {
    int a = 1;
};
struct Longer : Plain {
    int more[200];
};
void base_without_virtual_destructor() {
    Plain *p = hide<Plain>(new Longer);
    announce(p);
    delete p;
}
void array_of_chars_by_delete() {
    char *p = named(new char[1000]);
    delete p;
}
struct Tail {
    int n;
    char d[1];
};
void struct_with_a_tail() {
    Tail *p = static_cast<Tail *>(named(::operator new(sizeof(Tail) + 500)));
    p->n = 1;
    delete p;
}
void many_times() {
    announce(nullptr);
    for (int i = 0; i < 100000; i++) {
        Tail *p = static_cast<Tail *>(hide(::operator new(sizeof(Tail) + static_cast<std::size_t>(i % 3000 + 400))));
        if (i == 0) announce(p);
        delete p;
    }
}
void other_alignment() {
    void *p = hide(::operator new[](100, std::align_val_t(64)));
    ::operator delete[](p, std::align_val_t(16));
}
void after_placement() {
    static char room[sizeof(Node)];
    Node *p = new (room) Node;
    delete named(p);
}

void every_form() {
    for (int i = 0; i < 20000; i++) {
        delete hide(new Node);
        delete[] hide(new Node[static_cast<std::size_t>(i % 50 + 1)]);
        delete[] hide(new Cookie[static_cast<std::size_t>(i % 70)]);
        delete hide(new Wide);
        delete[] hide(new Wide[3]);
        delete hide(new (std::nothrow) Node);
        ::operator delete(hide(::operator new(static_cast<std::size_t>(i), std::align_val_t(64))), std::align_val_t(64));
        delete static_cast<Left *>(hide(new Both));
    }
}
void null() {
    delete hide(static_cast<Node *>(nullptr));
    delete[] hide(static_cast<Cookie *>(nullptr));
    delete hide(static_cast<Wide *>(nullptr));
    void *const none = nullptr;
    ::operator delete(hide(none), std::size_t(64));
    ::operator delete[](hide(none), std::size_t(64));
    ::operator delete(hide(none), std::nothrow);
    ::operator delete[](hide(none), std::nothrow);
    ::operator delete(hide(none), std::size_t(64), std::align_val_t(4096));
    ::operator delete[](hide(none), std::align_val_t(4096), std::nothrow);
}
void containers() {
    std::vector<std::string> v;
    for (int i = 0; i < 100000; i++) v.push_back(std::string(static_cast<std::size_t>(i % 300), 'x'));
    v.erase(v.begin(), v.begin() + 70000);
    v.shrink_to_fit();
    std::vector<std::shared_ptr<Page>> shared(500, std::make_shared<Page>());
    shared.resize(10);
}

const struct {
    const char *name;
    End end;
    const char *text;
    void (*run)();
    const char *options = "";
} cases[] = {
    {"cxx/twice", DIES, "double free", twice},
    {"cxx/twice-array", DIES, "double free", twice_array},
    {"cxx/twice-aligned", DIES, "double free", twice_aligned},
    {"cxx/twice-large", DIES, "double free", twice_large},
    {"cxx/two-owners", DIES, "double free", two_owners},
    {"cxx/list-with-a-cycle", DIES, "double free", list_with_a_cycle},
    {"cxx/vector-interior", DIES, "invalid free (interior pointer)", vector_interior},
    {"cxx/string-inside-itself", DIES, "invalid free (not a heap block)|invalid free (misaligned pointer)", string_inside_itself},
    {"cxx/automatic-object", DIES, "invalid free (not a heap block)|invalid free (misaligned pointer)", automatic_object},
    {"cxx/static-object", DIES, "invalid free (not a heap block)|invalid free (misaligned pointer)", static_object},
    {"cxx/second-base", DIES, "invalid free (interior pointer)|invalid free (misaligned pointer)", second_base},
    {"cxx/array-by-scalar-delete", DIES, "invalid free (interior pointer)|invalid free (misaligned pointer)", array_by_scalar_delete},
    {"cxx/other-type-too-big", TOLD, "sized free with wrong size", other_type_too_big},
    {"cxx/other-type-too-big-abort", DIES, "sized free with wrong size", other_type_too_big, "sized=abort"},
    {"cxx/other-type-too-small", TOLD, "sized free with wrong size", other_type_too_small},
    {"cxx/other-type-too-small-abort", DIES, "sized free with wrong size", other_type_too_small, "sized=abort"},
    {"cxx/malloc-and-sized-delete", TOLD, "sized free with wrong size", malloc_and_sized_delete},
    {"cxx/malloc-and-sized-delete-abort", DIES, "sized free with wrong size", malloc_and_sized_delete, "sized=abort"},
    {"cxx/base-without-virtual-destructor", TOLD, "sized free with wrong size", base_without_virtual_destructor},
    {"cxx/base-without-virtual-destructor-abort", DIES, "sized free with wrong size", base_without_virtual_destructor, "sized=abort"},
    {"cxx/base-without-virtual-destructor-ignore", LIVES, "", base_without_virtual_destructor, "sized=ignore"},
    {"cxx/array-of-chars-by-delete", TOLD, "sized free with wrong size", array_of_chars_by_delete},
    {"cxx/struct-with-a-tail", TOLD, "sized free with wrong size", struct_with_a_tail},
    {"cxx/many-times", TOLD, "sized free with wrong size", many_times},
    {"cxx/other-alignment", LIVES, "", other_alignment},
    {"cxx/after-placement", DIES, "invalid free (not a heap block)|invalid free (misaligned pointer)", after_placement},
    {"cxx/legal-every-form", LIVES, "", every_form},
    {"cxx/legal-null", LIVES, "", null},
    {"cxx/legal-containers", LIVES, "", containers},
};

} // namespace

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    for (const auto &c : cases) {
        if (std::strcmp(argv[1], "--list") == 0) std::printf("%s\t%d\t%s\t%s\n", c.name, static_cast<int>(c.end), c.options, c.text);
        if (std::strcmp(argv[1], c.name) != 0) continue;
        c.run();
        _exit(c.end == DIES ? 1 : 0);
    }
    return std::strcmp(argv[1], "--list") == 0 ? 0 : 2;
}
