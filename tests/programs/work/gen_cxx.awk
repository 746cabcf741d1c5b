# What: prints a C++17 program that is heavy on templates: awk -v types=N -f gen_cxx.awk. The same N always gives the
# same text. Each of the N types drags its own containers, visitors and closures along; the program prints a checksum.
function rnd(bound) { state = (state * 16807) % 2147483647; return state % bound }

function head(    i) {
    i = split("algorithm array functional iostream map memory numeric optional set sstream string tuple type_traits unordered_map utility variant vector", name, " ")
    for (n = 1; n <= i; n++) print "#include <" name[n] ">"
    print ""
    print "template <int N, class Tag> struct fib { static constexpr unsigned long value = fib<N - 1, Tag>::value + fib<N - 2, Tag>::value; };"
    print "template <class Tag> struct fib<0, Tag> { static constexpr unsigned long value = Tag::seed; };"
    print "template <class Tag> struct fib<1, Tag> { static constexpr unsigned long value = 1; };"
    print "template <class... T> struct list {};"
    print "template <class L, class T> struct append;"
    print "template <class... A, class T> struct append<list<A...>, T> { using type = list<A..., T>; };"
    print "template <int N> struct numbers { using type = typename append<typename numbers<N - 1>::type, std::integral_constant<int, N>>::type; };"
    print "template <> struct numbers<0> { using type = list<>; };"
    print "template <class... T> unsigned long total(list<T...>) { return (0ul + ... + static_cast<unsigned long>(T::value)); }"
    print "template <class K> unsigned long exercise()"
    print "{"
    print "    std::map<std::string, std::vector<K>> by_name;"
    print "    std::unordered_map<unsigned long, std::unique_ptr<K>> by_id;"
    print "    std::vector<std::function<unsigned long(const K &)>> steps;"
    print "    for (unsigned long i = 0; i < 40; i++) {"
    print "        by_name[K::name() + std::to_string(i % 7)].push_back(K(i));"
    print "        by_id.emplace(i * 7919, std::make_unique<K>(i));"
    print "        steps.push_back([i](const K &k) { return k.weight() * i + std::get<0>(k.parts); });"
    print "    }"
    print "    unsigned long sum = 0;"
    print "    for (auto &[name, row] : by_name) {"
    print "        std::sort(row.begin(), row.end(), [](const K &a, const K &b) { return a.weight() > b.weight(); });"
    print "        for (const K &k : row) sum = sum * 33 + steps[k.weight() % steps.size()](k) + name.size();"
    print "    }"
    print "    for (unsigned long i = 0; i < 40; i++) sum ^= by_id[i * 7919]->weight() << (i % 40);"
    print "    return sum;"
    print "}\n"
}

function one(n) {
    printf "struct k%d {\n    static constexpr unsigned long seed = %d;\n    static std::string name() { return \"k%d\"; }\n", n, rnd(1000), n
    printf "    std::tuple<unsigned long, std::string, std::array<int, %d>, std::optional<double>> parts;\n", 1 + n % 9
    printf "    std::variant<int, std::string, std::vector<std::pair<int, std::string>>> extra;\n"
    printf "    explicit k%d(unsigned long i) : parts(i, name(), {}, 0.5), extra(std::string(i %% 40, 'x')) {}\n", n
    printf "    unsigned long weight() const\n    {\n"
    printf "        return std::visit([this](const auto &e) { return sizeof e + std::get<1>(parts).size() + std::get<0>(parts) %% %d; }, extra);\n    }\n};\n\n", 11 + n
}

BEGIN {
    state = 4711
    head()
    for (n = 0; n < types; n++) one(n)
    print "int main()\n{\n    unsigned long sum = total(numbers<200>::type{});"
    for (n = 0; n < types; n++) printf "    sum = sum * 31 + exercise<k%d>() + fib<%d, k%d>::value;\n", n, 30 + n % 50, n
    print "    std::cout << \"sum \" << sum << '\\n';\n}"
}
