# What: prints a large C program: awk -v functions=N -f gen_c.awk. The same N always gives the same text.
# The program prints one checksum. Random numbers are our own, so every awk writes the same.
function rnd(bound) { state = (state * 16807) % 2147483647; return state % bound }

function pick(list,    words, n) { n = split(list, words, " "); return words[1 + rnd(n)] }

function expression(depth) {
    if (depth == 0) return pick("a b c s->x s->y s->z[i&7] table[i&63] 17u 4099u 65537u i")
    return "(" expression(depth - 1) " " pick("+ - * ^ & |") " " expression(depth - 1) ")"
}

function one(n,    i) {
    printf "static unsigned f%d(struct state *s, unsigned a, unsigned b)\n{\n    unsigned c = %du, i;\n", n, rnd(100000)
    printf "    static const char *const name[] = { \"f%d-%d\", \"%d\" };\n", n, rnd(99999), rnd(99999)
    printf "    for (i = 0; i < %d; i++) {\n        switch ((a ^ i) %% 7u) {\n", 3 + rnd(20)
    for (i = 0; i < 7; i++) printf "        case %d: %s = %s; break;\n", i, pick("a b c s->x s->y s->z[i&7]"), expression(2 + rnd(2))
    printf "        default: c ^= (unsigned)name[i & 1u][i %% 3u];\n        }\n"
    printf "        if (%s > %s) c += %s; else b -= %s;\n    }\n", expression(2), expression(1), expression(2), expression(1)
    if (n > 0) printf "    if (c %% 3u == 0u && s->depth++ < 40u) c ^= f%d(s, b, c);\n", rnd(n)
    printf "    s->x += c;\n    return a ^ b ^ c;\n}\n\n"
}

BEGIN {
    state = 20011
    print "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <math.h>\n"
    print "struct state { unsigned x, y, z[8], depth; };\n"
    printf "static const unsigned table[64] = {"
    for (i = 0; i < 64; i++) printf " %du,", rnd(2147483647)
    print " };\n"
    for (n = 0; n < functions; n++) one(n)
    print "typedef unsigned work(struct state *, unsigned, unsigned);\n\nstatic work *const all[] = {"
    for (n = 0; n < functions; n++) printf "    f%d,\n", n
    print "};\n\nint main(void)\n{\n    struct state s = { 1, 2, { 3 }, 0 };\n    unsigned sum = 0, i;"
    print "    for (i = 0; i < sizeof all / sizeof *all; i++) {\n        s.depth = 0;\n        sum = sum * 31u + all[i](&s, sum, i);\n    }"
    print "    printf(\"%u\\n\", sum);\n    return 0;\n}"
}
