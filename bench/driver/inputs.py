"""Generates the input files of the programs: sources, scripts, a repository. They are made once, always with the same
contents, and their sizes are proportional to the scale."""
import os
import random
import shutil
import subprocess


def count(bench, full):
    return str(max(1, int(full * bench.scale)))


def ensure(bench, name, make):
    path = os.path.join(bench.work, name)
    if not os.path.exists(path):
        partial = path + ".partial"
        shutil.rmtree(partial, ignore_errors=True)
        make(bench, partial)
        os.rename(partial, path)


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def cpp_source(bench, path):
    """C++ source with many instances of the standard library's templates, which take a compiler much memory."""
    parts = ["#include <algorithm>\n#include <functional>\n#include <map>\n#include <memory>\n#include <string>\n"
             "#include <unordered_map>\n#include <variant>\n#include <vector>\n"]
    for i in range(int(count(bench, 2))):
        parts.append(f"""
struct Part{i} {{ int key; double weight; std::string name; bool operator<(const Part{i} &o) const {{ return key < o.key; }} }};
template <int N> struct Chain{i} {{ std::vector<Part{i}> parts; Chain{i}<N - 1> rest; double sum() const {{ double s = rest.sum(); for (auto &p : parts) s += p.weight * N; return s; }} }};
template <> struct Chain{i}<0> {{ double sum() const {{ return {i}; }} }};
double work{i}(int n) {{
    std::map<std::string, Part{i}> byName; std::unordered_map<int, std::shared_ptr<Part{i}>> byKey;
    std::vector<std::variant<int, std::string, Part{i}>> all;
    for (int j = 0; j < n; ++j) {{ Part{i} p{{j, j * 0.5, std::to_string(j)}}; byName[p.name] = p; byKey[j] = std::make_shared<Part{i}>(p); all.emplace_back(p); }}
    std::vector<Part{i}> sorted; for (auto &e : byName) sorted.push_back(e.second);
    std::sort(sorted.begin(), sorted.end()); std::stable_sort(sorted.begin(), sorted.end(), [](auto &a, auto &b) {{ return a.weight > b.weight; }});
    std::function<double(double)> f = [&](double x) {{ return x + sorted.size(); }};
    Chain{i}<12> chain; return f(chain.sum()) + std::visit([](auto &v) {{ return double(sizeof v); }}, all[0]);
}}
""")
    write(path, "".join(parts))


def python_script(bench, path):
    write(path, f"""import json, re, collections
def tree(depth):
    return (tree(depth - 1), tree(depth - 1)) if depth else None
def nodes(t):
    return 1 + nodes(t[0]) + nodes(t[1]) if t else 1
total = 0
for i in range({count(bench, 12)}):
    total += nodes(tree(13))
    rows = [{{"id": n, "name": "row %d" % n, "tags": [str(n % 7), str(n % 11)], "value": n * 1.5}} for n in range(6000)]
    again = json.loads(json.dumps(rows))
    words = collections.Counter(re.findall(r"\\w+", " ".join(r["name"] for r in again)))
    total += len(words) + sum(len(r["tags"]) for r in sorted(again, key=lambda r: -r["value"]))
print(total)
""")


def perl_script(bench, path):
    write(path, f"""use strict; my (%h, @a); my $sum = 0;
for my $round (1 .. {count(bench, 8)}) {{
    for my $i (1 .. 60000) {{ my $k = "key" . ($i * 7919 % 50021); $h{{$k}} .= "x" x ($i % 13); push @a, [$i, $k, {{ n => $i }}] if $i % 3 == 0; }}
    for my $k (sort keys %h) {{ $sum += length $h{{$k}}; delete $h{{$k}} if length($h{{$k}}) > 40; }}
    @a = grep {{ $_->[0] % 5 }} @a; my $t = join ",", map {{ $_->[1] }} @a; $sum += () = $t =~ /9\\d+,/g; splice @a, 0, @a / 2;
}} print "$sum\\n";
""")


def lua_script(bench, path):
    write(path, f"""local function tree(d) if d == 0 then return {{}} end return {{tree(d - 1), tree(d - 1)}} end
local function nodes(t) if t[1] then return 1 + nodes(t[1]) + nodes(t[2]) end return 1 end
local sum, kept = 0, tree(14)
for i = 1, {count(bench, 40)} do
  sum = sum + nodes(tree(13))
  local words = {{}}
  for j = 1, 12000 do words[#words + 1] = "word" .. (j * i % 9973) end
  local text = table.concat(words, " ")
  for w in text:gmatch("%w+") do sum = sum + #w end
end
print(sum + nodes(kept))
""")


def node_script(bench, path):
    write(path, f"""let sum = 0; const kept = [];
for (let i = 0; i < {count(bench, 30)}; ++i) {{
  const rows = []; for (let j = 0; j < 8000; ++j) rows.push({{id: j, name: 'row ' + j, tags: [j % 7, j % 11]}});
  const text = JSON.stringify(rows); sum += JSON.parse(text).length;
  const parts = []; for (let j = 0; j < 200; ++j) parts.push(Buffer.alloc(9000 + j * 40, j)); sum += Buffer.concat(parts).length;
  kept.push(Buffer.from(text)); if (kept.length > 12) kept.shift();
  const map = new Map(); for (let j = 0; j < 20000; ++j) map.set('k' + (j * 31 % 7919), j); sum += map.size;
}}
console.log(sum);
""")


def sql_script(bench, path):
    rows = count(bench, 150000)
    write(path, f"""CREATE TABLE t(id INTEGER PRIMARY KEY, k INTEGER, name TEXT, note TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
INSERT INTO t SELECT i, (i * 7919) % 10007, 'name ' || (i * 31 % 5003), substr('abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz', i % 20, i % 31) FROM n;
CREATE INDEX by_k ON t(k); CREATE INDEX by_name ON t(name, k);
SELECT count(*), sum(length(note)) FROM t WHERE k BETWEEN 100 AND 4000;
SELECT count(*) FROM (SELECT a.name, count(*) AS c, group_concat(b.id) FROM t a JOIN t b ON a.k = b.k AND b.id < a.id + 50000 WHERE a.k < 1500 GROUP BY a.name ORDER BY c DESC);
UPDATE t SET note = note || name WHERE k % 3 = 0; DELETE FROM t WHERE k % 5 = 0;
SELECT count(*), sum(length(note)), max(name) FROM t; SELECT count(DISTINCT note) FROM t;
""")


def git_repository(bench, path):
    """A history by fast-import: files of 200 lines, a few lines changed in each commit."""
    dice = random.Random(1)
    files = [[f"line {i} of file {f}: {dice.getrandbits(64):x}" for i in range(200)] for f in range(60)]
    stream = []
    for n in range(int(count(bench, 600))):
        message = f"change {n}"
        stream.append(f"commit refs/heads/main\nmark :{n + 1}\ncommitter A <a@example.org> {1600000000 + n * 60} +0000\ndata {len(message)}\n{message}\n")
        if n:
            stream.append(f"from :{n}\n")
        for f in dice.sample(range(60), 3) if n else range(60):
            for _ in range(5):
                files[f][dice.randrange(200)] = f"line of commit {n}: {dice.getrandbits(96):x}"
            text = "\n".join(files[f]) + "\n"
            stream.append(f"M 100644 inline dir{f % 7}/file{f}.txt\ndata {len(text)}\n{text}\n")
    env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": bench.work, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", "init", "-q", "-b", "main", path], env=env, check=True)
    subprocess.run(["git", "-C", path, "fast-import", "--quiet"], input="".join(stream), text=True, env=env, check=True)


def postscript(bench, path):
    write(path, f"""%!PS
/Times-Roman findfont 9 scalefont setfont
1 1 {count(bench, 60)} {{ /page exch def
  1 1 70 {{ /row exch def 20 row 11 mul moveto page 20 string cvs show ( row ) show row 20 string cvs show
    1 1 12 {{ ( word) show row mul page add 20 string cvs show }} for }} for
  1 1 400 {{ /i exch def newpath 300 400 i 0.5 mul i page add 360 mod 360 arc i 400 div setgray stroke }} for
  /d 200 dict def 1 1 200 {{ dup 20 string cvs cvn exch d 3 1 roll put }} for
  showpage }} for
""")


def smt_problem(bench, path):
    """A pigeonhole problem and the factors of a product of bit vectors, which need search but little memory; and many
    terms."""
    pigeons, width = 6, 16
    lines = [f"(declare-const p{i}_{h} Bool)" for i in range(pigeons) for h in range(pigeons - 1)]
    lines += ["(assert (or " + " ".join(f"p{i}_{h}" for h in range(pigeons - 1)) + "))" for i in range(pigeons)]
    lines += [f"(assert (not (and p{i}_{h} p{j}_{h})))" for h in range(pigeons - 1) for i in range(pigeons) for j in range(i)]
    terms = 450 if bench.scale >= 0.5 else 150
    lines += ["(check-sat)", "(reset)", f"(declare-const a (_ BitVec {width}))", f"(declare-const b (_ BitVec {width}))"]
    lines += [f"(declare-const x{i} Int)" for i in range(terms)]
    lines += [f"(assert (<= (+ x{i} {i % 17}) (* 3 x{i + 1})))" for i in range(terms - 1)]
    lines += [f"(assert (= (bvmul a b) (_ bv{(211 * 241) % (1 << width)} {width})))", f"(assert (bvugt a (_ bv1 {width})))", f"(assert (bvult a (_ bv255 {width})))",
              f"(assert (bvugt b (_ bv1 {width})))", f"(assert (bvult b (_ bv255 {width})))", "(assert (> x0 5))", "(check-sat)"]
    write(path, "\n".join(lines) + "\n")
