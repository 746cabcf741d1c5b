// What: symbolic algebra: expression trees with reference-counted nodes of 32 bytes are differentiated and simplified
// again and again. Nearly all nodes are short-lived; shared subtrees live longer.
//   bench_symbolic [times]
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "bench/support/blocks.h"
#include "bench/support/random.h"
#include "bench/support/report.h"
#include "bench/support/scale.h"

namespace {

enum Kind : uint32_t { NUMBER, VARIABLE, SUM, PRODUCT };

struct Node {
    uint32_t references;
    Kind kind;
    int64_t value;
    Node *left, *right;
};

void release(Node *node) {
    while (node != nullptr && --node->references == 0) {
        release(node->left);
        Node *right = node->right;
        std::free(node);
        node = right;
    }
}

// A reference-counting pointer.
class Term {
public:
    explicit Term(Node *node = nullptr) : node_(node) {}
    Term(const Term &other) : node_(other.node_) { if (node_ != nullptr) ++node_->references; }
    Term(Term &&other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    Term &operator=(Term other) noexcept { std::swap(node_, other.node_); return *this; }
    ~Term() { release(node_); }

    const Node *operator->() const { return node_; }
    Node *take() { return std::exchange(node_, nullptr); }
    bool is(int64_t number) const { return node_->kind == NUMBER && node_->value == number; }

    Term left() const { return shared(node_->left); }
    Term right() const { return shared(node_->right); }

private:
    static Term shared(Node *node) {
        ++node->references;
        return Term(node);
    }

    Node *node_;
};

Term make(Kind kind, int64_t value, Term left = Term(), Term right = Term()) {
    auto *node = static_cast<Node *>(bench::allocate(sizeof(Node)));
    *node = {1, kind, value, left.take(), right.take()};
    return Term(node);
}

Term number(int64_t value) { return make(NUMBER, value); }

Term sum(Term a, Term b) {
    if (a.is(0)) return b;
    if (b.is(0)) return a;
    if (a->kind == NUMBER && b->kind == NUMBER) return number(a->value + b->value);
    return make(SUM, 0, std::move(a), std::move(b));
}

Term product(Term a, Term b) {
    if (a.is(0) || b.is(0)) return number(0);
    if (a.is(1)) return b;
    if (b.is(1)) return a;
    if (a->kind == NUMBER && b->kind == NUMBER) return number(a->value * b->value % 1000003);
    return make(PRODUCT, 0, std::move(a), std::move(b));
}

Term derivative(const Term &term, int64_t variable) {
    switch (term->kind) {
    case NUMBER: return number(0);
    case VARIABLE: return number(term->value == variable ? 1 : 0);
    case SUM: return sum(derivative(term.left(), variable), derivative(term.right(), variable));
    case PRODUCT: break;
    }
    return sum(product(derivative(term.left(), variable), term.right()), product(term.left(), derivative(term.right(), variable)));
}

// Expands products of sums into sums of products, down to `depth`.
Term expand(const Term &term, int depth) {
    if (depth == 0 || term->kind == NUMBER || term->kind == VARIABLE) return term;
    Term left = expand(term.left(), depth - 1), right = expand(term.right(), depth - 1);
    if (term->kind == SUM) return sum(std::move(left), std::move(right));
    if (left->kind != SUM) return product(std::move(left), std::move(right));
    return sum(expand(product(left.left(), right), depth - 1), expand(product(left.right(), right), depth - 1));
}

Term random_term(bench::Random &random, int depth) {
    if (depth == 0) return random.one_in(3) ? number(random.below(5)) : make(VARIABLE, random.below(4));
    Term left = random_term(random, depth - 1), right = random_term(random, depth - 1);
    return random.one_in(2) ? sum(std::move(left), std::move(right)) : product(std::move(left), std::move(right));
}

void algebra(bench::Random &random) {
    Term term = random_term(random, 7);
    for (int i = 0; i < 3; ++i) term = expand(derivative(term, random.below(4)), 4);
}

} // namespace

int main(int count, char **arguments) {
    const int64_t times = bench::scaled(count > 1 ? std::atoll(arguments[1]) : 4000);
    bench::Random random(29);
    for (int64_t i = 0; i < times; ++i) algebra(random);
    bench::finish_idle();
}
