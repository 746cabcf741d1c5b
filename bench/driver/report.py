"""Writes report.md: the conditions of the run, the summary, then tables with the figures of every test."""
import math

from allocators import OWN, is_rival
from figures import geomean, median, trimmed_geomean

MACRO = ("macro", "program")
ALL = ("micro", *MACRO)


def number(value, digits=2):
    return "-" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def short(value):
    """Four significant digits, enough to compute the ratios again."""
    if value is None:
        return "-"
    digits = 3 if value <= 0 else max(0, 3 - math.floor(math.log10(value)))
    return f"{value:.{min(digits, 6)}f}"


def spread(ratio):
    return f" ({number(ratio.low)} to {number(ratio.high)})" if ratio.has_spread else ""


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join(["---"] + ["---:"] * (len(head) - 1)) + "|"]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows]) + "\n"


def conditions(header):
    machine = header["machine"]
    about = [f"Processor {machine['processor']}, {machine['cpus']} CPUs, {machine['memory_gib']} GiB, kernel {machine['kernel']}, {machine['libc']}, "
             f"huge pages {machine['huge_pages']}, commit {header['commit']}",
             "; ".join(f"{name} {about['version']}".strip() for name, about in header["allocators"].items())
             + ". The rivals are those of the distribution: newer releases of most exist, and another one is measured as `NAME=PATH.so`",
             f"{header['rounds']} interleaved rounds, scale {header['scale']}, {header['idle_ms']} ms idle phase. Command: `{header['command']}`"]
    return "\n".join(f"- {line}" for line in about) + "\n"


def summary(figures):
    head = ["allocator", "CPU micro", "CPU macro", "CPU all", "peak micro", "peak macro", "peak all", "faults all", "wall all"]
    rows = []
    for name in figures.allocators:
        row = [name] + [number(figures.chooser("cpu", groups, name)[0], 3) for groups in (("micro",), MACRO, ALL)]
        row += [number(figures.chooser("peak", groups, name)[0], 3) for groups in (("micro",), MACRO, ALL)]
        rows.append(row + [number(figures.against(metric, ALL, name, OWN), 3) for metric in ("faults", "wall")])
    return table(head, rows)


def by_part(figures, metric):
    """The ratio to the best rival for each kind of load, and for all by three means: a single bad test moves the
    geometric mean most."""
    if not figures.parts():
        return ""
    rows = []
    for name in figures.allocators:
        row = [name] + [number(figures.chooser_of_part(metric, part, name), 3) for part in figures.parts()]
        rows.append(row + [number(figures.chooser_of_part(metric, None, name, mean), 3) for mean in (geomean, trimmed_geomean, median)])
    head = [f"{part} ({len(figures.of_part(part))})" for part in figures.parts()]
    return table(["allocator", *head, "all", "all, trimmed mean", "all, median"], rows)


def goal(what, value, limit):
    verdict = "no figure" if value is None else "met" if value <= limit else "**missed**"
    return [what, number(value, 3), f"<= {limit:.2f}", verdict]


def over_limit(figures, metric, limit):
    """Tests above the limit: in time if the lower quartile is above it, too, in memory if by more than 1 MiB."""
    found = []
    for test in figures.counted(ALL):
        ratio = figures.ratio(metric, test)
        if ratio is None or ratio.value <= limit:
            continue
        if (metric == "cpu" and not ratio.low <= limit) or (metric == "peak" and ratio.difference > 1024):
            found.append(f"{test} {ratio.value:.2f}")
    return found


def goals(figures):
    rows = [goal("CPU chooser ratio, micro", figures.chooser("cpu", ("micro",))[0], 0.93),
            goal("CPU chooser ratio, macro", figures.chooser("cpu", MACRO)[0], 0.97),
            goal("peak RSS chooser ratio", figures.chooser("peak", ALL)[0], 1.00)]
    for other, limit in (("jemalloc", 0.75), ("tcmalloc", 0.70)):
        rows.append(goal(f"peak RSS over {other}", figures.against("peak", ALL, OWN, other), limit))
    for what, metric, limit in (("CPU", "cpu", 1.10), ("peak RSS", "peak", 1.15)):
        found = over_limit(figures, metric, limit)
        rows.append([f"tests above {limit:.2f} in {what}", str(len(found)), "0", "**missed**: " + ", ".join(found) if found else "met"])
    return table(["goal", "figure", "wanted", ""], rows)


def worst(figures):
    rows = []
    for what, metric in (("CPU", "cpu"), ("peak RSS", "peak")):
        for test, ratio in figures.worst(metric, 5):
            rows.append([f"{what}: {test}", f"{ratio.value:.2f}{spread(ratio)}", ratio.rival])
    return table(["where mbmalloc is furthest behind", "chooser ratio (quartiles)", "best rival"], rows)


def per_test(figures, metric, factor, tests):
    """A table with a row for each test. Its last column divides two figures of the row; the ratio in the summary is
    computed from even rounds only."""
    rows = []
    for test in tests:
        row = [test]
        for name in figures.allocators:
            value = figures.median(metric, test, name)
            low, high = figures.quartiles(metric, test, name) if value else (0, 0)
            half = f" ±{(high - low) / 2 / value * 100:.0f}%" if value and high > low else ""
            row.append(short(value * factor(test)) + half if value is not None else "-")
        best = figures.best_rival(metric, test)
        ours, theirs = figures.median(metric, test, OWN), figures.median(metric, test, best) if best else None
        row += [f"{ours / theirs:.2f}" if ours and theirs else "-", best or "-"]
        ratio = figures.ratio(metric, test) if any(is_rival(name) for name in figures.allocators) else None
        rows.append(row + [f"{ratio.value:.2f}{spread(ratio)}" if ratio else "-"])
    return table(["test", *figures.allocators, "over the best", "best", "chooser ratio (quartiles)"], rows)


def plain(figures, keys, tests, unit=1.0):
    rows = [[f"{test} {label}", *(short(value * unit if (value := figures.median(key, test, name)) is not None else None) for name in figures.allocators)]
            for test in tests for label, key in keys if any(figures.median(key, test, name) is not None for name in figures.allocators)]
    return table(["", *figures.allocators], rows) if rows else ""


def scaling(figures):
    """The speed-up from one thread to two of a loop with malloc, divided by that of the same loop without malloc."""
    def gain(kind, name):
        one, two = (figures.median("wall", f"scaling/{kind}/{threads}", name) for threads in (1, 2))
        return 2 * one / two if one and two else None

    gains = {name: (gain("malloc", name), gain("loop", name)) for name in figures.allocators}
    rows = [[name, number(a), number(b), number(a / b if a and b else None)] for name, (a, b) in gains.items() if a or b]
    return table(["from 1 to 2 threads", "with malloc", "without", "quotient"], rows) if rows else ""


def instructions(counts):
    rows = [[name, *(number(counts[name].get(batch), 1) for batch in ("1", "100"))] for name in counts]
    return table(["instructions of malloc + free of 64 bytes, loop and PLT included", "in turn", "batches of 100"], rows)


def text(figures, header, notes, counts, drawn):
    names = [test["name"] for test in figures.tests]
    of = lambda *groups: [name for name in names if name.split("/")[0] in groups]
    quantiles = [(f"{call} {q}", f"{call}_{q}_ns") for call in ("malloc", "free") for q in ("p50", "p99", "p999", "max")]
    notes = notes + [f"{test} under {name} failed {times} times (status {status})" for (test, name, status), times in sorted(figures.failures.items(), key=str)]
    pictures = lambda start: "".join(f"![{what}]({name})\n" for name, what in drawn if name.startswith(start))
    parts = ["# Measurements\n", conditions(header),
             "## Together\n\nOver a chooser that takes the best rival on each test (chosen on odd rounds, ratio of even rounds), geometric means; "
             "below 1 is better than every rival at once. Faults and wall time: over mbmalloc's.\n", summary(figures),
             "## By kind of load (tests)\n\nCPU time over the chooser; geometric means but where said. The trimmed mean leaves out the tenth at either end.\n",
             by_part(figures, "cpu"), "Peak memory:\n", by_part(figures, "peak"),
             pictures("tradeoff"), worst(figures),
             "## CPU time\n\nMedian, and half the interquartile range where there are four rounds or more. micro: nanoseconds per operation of the whole process; others: seconds.\n",
             per_test(figures, "cpu", lambda test: 1.0, of(*ALL)), pictures("cpu-"),
             "## Peak memory (MiB)\n", per_test(figures, "peak", lambda test: 1 / 1024, of(*ALL)), pictures("peak-"),
             "## Page faults (thousands)\n", per_test(figures, "faults", lambda test: 1e-3, of(*ALL)),
             "## Resident after the idle phase, and after malloc_trim (MiB)\n", plain(figures, [("idle", "final_kib"), ("trimmed", "trimmed_kib")], of("macro"), 1 / 1024),
             "A thousand idle threads (KiB per thread):\n", plain(figures, [("held", "held_kib_per_thread"), ("freed", "freed_kib_per_thread")], of("macro")),
             "## Single calls (ns)\n", plain(figures, quantiles, of("latency")), "## Scaling\n", scaling(figures)]
    if counts:
        parts += ["## Instructions\n", instructions(counts)]
    if notes:
        parts += ["## Notes\n", "".join(f"- {note}\n" for note in notes)]
    return "\n".join(part for part in parts if part)
