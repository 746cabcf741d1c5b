"""Computes figures from runs: medians, quartiles, geometric means, and the ratio to the best rival.

For each test the best rival is chosen by the odd rounds, and the ratio (ours over the chosen rival's) is computed from
the even rounds; otherwise the choice would favour a rival that was lucky in a round. The spread of the ratio comes from
the ratios of single rounds, whose runs followed each other closely."""
import collections
import math
import statistics

from allocators import OWN, is_rival
from catalogue import part_of


def quartiles(values):
    """(lower, upper) quartile; NaN for fewer than four values, which are too few."""
    if len(values) < 4:
        return math.nan, math.nan
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def geomean(values):
    values = [value for value in values if value and value > 0]
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def trimmed_geomean(values):
    """Geometric mean without the tenth of the values at each end (at least one value, if there are more than four)."""
    values = sorted(value for value in values if value and value > 0)
    cut = max(1, len(values) // 10) if len(values) > 4 else 0
    return geomean(values[cut:len(values) - cut])


def median(values):
    return statistics.median(values) if values else None


METRICS = {
    "cpu": lambda run: run.get("op_ns") or run.get("cpu_s"),
    "wall": lambda run: run.get("wall_op_ns") or run.get("wall_s"),
    "peak": lambda run: run.get("peak_kib"),
    "faults": lambda run: run.get("faults"),
    "final": lambda run: run.get("final_kib"),
    "trimmed": lambda run: run.get("trimmed_kib"),
}


class Ratio:
    def __init__(self, value, low, high, rival, difference):
        self.value, self.low, self.high, self.rival, self.difference = value, low, high, rival, difference

    @property
    def has_spread(self):
        """True if the ratio, which is one of medians, lies between the quartiles of the single rounds; only then they
        are printed."""
        return self.low <= self.value <= self.high


class Figures:
    def __init__(self, runs, tests, allocators):
        self.tests = [test for test in tests if any(run["test"] == test["name"] for run in runs)]
        self.allocators = allocators
        self.rivals = [name for name in allocators if is_rival(name)]
        self.runs = collections.defaultdict(dict)  # (test, allocator) -> {round: run}
        self.failures = collections.Counter()
        for run in runs:
            if run.get("status") == 0:
                self.runs[run["test"], run["allocator"]][run["round"]] = run
            else:
                self.failures[run["test"], run["allocator"], run.get("status")] += 1

    def values(self, metric, test, allocator, parity=None):
        read = METRICS.get(metric) or (lambda run: run.get(metric))
        by_round = {number: read(run) for number, run in self.runs[test, allocator].items()}
        return {n: v for n, v in by_round.items() if v is not None and (parity is None or n % 2 == parity)}

    def median(self, metric, test, allocator, parity=None):
        values = self.values(metric, test, allocator, parity)
        return statistics.median(values.values()) if values else None

    def quartiles(self, metric, test, allocator):
        return quartiles(list(self.values(metric, test, allocator).values()))

    def best_rival(self, metric, test, parity=None):
        figures = {name: self.median(metric, test, name, parity) for name in self.rivals if name != OWN}
        figures = {name: value for name, value in figures.items() if value}
        return min(figures, key=figures.get) if figures else None

    def ratio(self, metric, test, allocator=OWN):
        """The ratio to the best rival; None if a figure is missing. A single round serves for the choice and the
        ratio."""
        odd_and_even = self.values(metric, test, allocator, 0) and self.values(metric, test, allocator, 1)
        chosen_by, taken_from = (1, 0) if odd_and_even else (None, None)
        rival = self.best_rival(metric, test, chosen_by)
        ours = self.values(metric, test, allocator, taken_from)
        theirs = self.values(metric, test, rival, taken_from) if rival else {}
        if not ours or not theirs or statistics.median(theirs.values()) == 0:
            return None
        mine, best = statistics.median(ours.values()), statistics.median(theirs.values())
        single = [ours[n] / theirs[n] for n in ours if theirs.get(n)]
        return Ratio(mine / best, *quartiles(single), rival, mine - best)

    def counted(self, groups):
        return [test["name"] for test in self.tests if test["counted"] and test["name"].split("/")[0] in groups]

    def chooser(self, metric, groups, allocator=OWN):
        """(geometric mean of the ratios, number of tests)."""
        ratios = [ratio.value for test in self.counted(groups) if (ratio := self.ratio(metric, test, allocator))]
        return geomean(ratios), len(ratios)

    def parts(self):
        return [part for part in ("small", "large", "threads", "programs") if self.of_part(part)]

    def of_part(self, part):
        """The counted tests of a part, or for None of all parts. Old raw data does not name the parts."""
        return [test["name"] for test in self.tests if test["counted"] and part in (None, test.get("part") or part_of(test["name"]))]

    def chooser_of_part(self, metric, part, allocator=OWN, mean=geomean):
        """The mean of the ratios by `mean`: geomean, trimmed_geomean, or median."""
        return mean([ratio.value for test in self.of_part(part) if (ratio := self.ratio(metric, test, allocator))])

    def against(self, metric, groups, allocator, other):
        """Geometric mean of allocator over other, from all rounds."""
        pairs = [(self.median(metric, test, allocator), self.median(metric, test, other)) for test in self.counted(groups)]
        return geomean([a / b for a, b in pairs if a and b])

    def worst(self, metric, count, groups=("micro", "macro", "program")):
        ratios = [(test, ratio) for test in self.counted(groups) if (ratio := self.ratio(metric, test))]
        return sorted(ratios, key=lambda pair: -pair[1].value)[:count]
