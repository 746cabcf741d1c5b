"""Draws the plots as SVG: for each kind of load a row for each test with a mark for each allocator, and one plot of
time against memory. They suit light and dark pages (prefers-color-scheme) and are at most as wide as a page."""
import math
import os
from html import escape

ALL = ("micro", "macro", "program")
WIDTH = 960
ROW = 24
CUT = 8.0  # larger values are printed as numbers at the edge
FLOOR = 0.25
TICKS = (0.25, 0.35, 0.5, 0.7, 1, 1.4, 2, 3, 4, 6, 8)
# Allocators differ by colour and by shape, both visible on white and on black.
LOOKS = [("#e5484d", "circle"), ("#8b8d98", "square"), ("#3e93de", "triangle"), ("#30a46c", "diamond"), ("#a65fd3", "wedge"),
         ("#e08a1e", "hourglass"), ("#12a594", "bar"), ("#b5843c", "square"), ("#6e6ade", "diamond"), ("#849b2c", "triangle")]
SHAPES = {"square": "-5,-5 5,-5 5,5 -5,5", "triangle": "0,-6 6,5 -6,5", "diamond": "0,-7 7,0 0,7 -7,0", "wedge": "0,6 6,-5 -6,-5",
          "hourglass": "-5,-6 5,-6 -5,6 5,6", "bar": "-2.5,-7 2.5,-7 2.5,7 -2.5,7"}
STYLE = """<style>
svg { background: #ffffff; font: 13px sans-serif; } text { fill: #1c2024; } .quiet { fill: #60646c; } line { stroke: #d9d9e0; } .one { stroke: #1c2024; }
@media (prefers-color-scheme: dark) { svg { background: #111113; } text { fill: #edeef0; } .quiet { fill: #b0b4ba; } line { stroke: #363a3f; } .one { stroke: #edeef0; } }
</style>"""


def text_width(text):
    """An upper bound for the width of a text in a sans-serif font of 13 px."""
    return 7.4 * len(text)


def mark(index, x, y):
    colour, shape = LOOKS[index % len(LOOKS)]
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{colour}"/>'
    return f'<polygon points="{SHAPES[shape]}" transform="translate({x:.1f} {y:.1f})" fill="{colour}"/>'


def words(x, y, text, anchor="start", kind="", bold=False):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"' + (f' class="{kind}"' if kind else "") + (' font-weight="bold"' if bold else "")
            + f">{escape(text)}</text>")


def line(x1, y1, x2, y2, kind=""):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"' + (f' class="{kind}"' if kind else "") + "/>"


def image(width, height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">\n{STYLE}\n'
            + "\n".join(parts) + "\n</svg>\n")


def legend(names, y):
    """(SVG elements, the y coordinate below them)."""
    parts, x = [], 16
    for i, name in enumerate(names):
        if x + 20 + text_width(name) > WIDTH - 16:
            x, y = 16, y + 22
        parts += [mark(i, x + 6, y - 4), words(x + 18, y, name, bold=i == 0)]
        x += 34 + text_width(name) * (1.15 if i == 0 else 1)
    return parts, y + 14


def across(value, left, right):
    at = math.log(min(max(value, FLOOR), CUT) / FLOOR) / math.log(CUT / FLOOR)
    return left + at * (right - left)


def quotients(figures, metric, test):
    """Each allocator's median over the best rival's; None where one is missing."""
    rival = figures.best_rival(metric, test)
    best = figures.median(metric, test, rival) if rival else None
    values = [figures.median(metric, test, name) for name in figures.allocators]
    return [value / best if value and best else None for value in values]


def rows(figures, tests, metric, title):
    labels = [test.split("/", 1)[1] for test in tests]
    table = [quotients(figures, metric, test) for test in tests]
    names = figures.allocators
    beyond = [", ".join(f"{name} {value:.0f}x" for name, value in zip(names, row) if value and value > CUT) for row in table]
    beyond = [", ".join(filter(None, [text, *(f"{name} {value:.2f}x" for name, value in zip(names, row) if value and value < FLOOR)]))
              for text, row in zip(beyond, table)]
    left = 24 + max(map(text_width, labels))
    right = WIDTH - 24 - max(map(text_width, beyond + ["8"]))
    parts, y = legend(names, 54)
    top, bottom = y + 26, y + 26 + ROW * len(tests)
    parts = [words(16, 26, title, bold=True), *parts]
    for tick in TICKS:
        x = across(tick, left, right)
        parts += [line(x, top - 4, x, bottom, "one" if tick == 1 else ""), words(x, top - 10, f"{tick:g}", "middle", "quiet"),
                  words(x, bottom + 18, f"{tick:g}", "middle", "quiet")]
    for i, (label, row) in enumerate(zip(labels, table)):
        middle = top + ROW * (i + 0.5)
        parts += [line(16, middle + ROW / 2, right, middle + ROW / 2), words(left - 12, middle + 4, label, "end")]
        # Ours is drawn last, over the others; each allocator's marks have their own height in the row.
        for j in reversed(range(len(row))):
            if row[j]:
                parts.append(mark(j, across(row[j], left, right), middle + (j - (len(row) - 1) / 2) * 1.5))
        if beyond[i]:
            parts.append(words(right + 12, middle + 4, beyond[i], kind="quiet"))
    axis = f"over the best rival's median, on a logarithmic scale: left is better; a mark beyond the scale stands at its edge, and the figure beside it"
    parts.append(words(16, bottom + 42, axis, kind="quiet"))
    return image(WIDTH, bottom + 58, parts)


def overlaps(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def tradeoff(figures):
    points = [(i, name, figures.chooser("cpu", ALL, name)[0], figures.chooser("peak", ALL, name)[0]) for i, name in enumerate(figures.allocators)]
    points = [point for point in points if point[2] and point[3]]
    if not points:
        return None
    width, height, left, right, top, bottom = 720, 540, 80, 690, 56, 470

    def scale(values, low, high):
        """A logarithmic axis from 1 or less to a little more than the largest value."""
        first, last = min(0.95, *values) if len(values) > 1 else min(0.95, values[0]), max(values) * 1.12
        return lambda value: low + (high - low) * math.log(value / first) / math.log(last / first), first, last

    to_x, x_first, x_last = scale([p[2] for p in points], left, right)
    to_y, y_first, y_last = scale([p[3] for p in points], bottom, top)
    parts = [words(16, 26, "Time against memory, over the best rival on each test: down and left is better", bold=True),
             words((left + right) / 2, height - 22, "CPU time (logarithmic)", "middle"),
             f'<text transform="translate(24 {(top + bottom) / 2:.0f}) rotate(-90)" text-anchor="middle">peak memory (logarithmic)</text>']
    for tick in (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2, 2.5, 3, 4, 5, 6, 8, 10, 15, 20):
        if x_first <= tick <= x_last and (tick < 1.3 or tick in (1.5, 2, 3, 4, 6, 8, 10, 15, 20)):
            parts += [line(to_x(tick), top, to_x(tick), bottom, "one" if tick == 1 else "")]
            if tick not in (1.1,) or x_last < 3:
                parts.append(words(to_x(tick), bottom + 20, f"{tick:g}", "middle", "quiet"))
        if y_first <= tick <= y_last:
            parts += [line(left, to_y(tick), right, to_y(tick), "one" if tick == 1 else ""), words(left - 8, to_y(tick) + 4, f"{tick:g}", "end", "quiet")]
    taken = [(to_x(cpu) - 7, to_y(peak) - 7, to_x(cpu) + 7, to_y(peak) + 7) for _, _, cpu, peak in points]
    for i, name, cpu, peak in points:
        x, y, wide = to_x(cpu), to_y(peak), text_width(name)
        places = [(x + 11, y + 4), (x - 11 - wide, y + 4), (x - wide / 2, y - 12), (x - wide / 2, y + 22), (x + 9, y - 9), (x + 9, y + 18), (x - 9 - wide, y - 9)]
        boxes = [(px, py - 12, px + wide, py + 3) for px, py in places]
        box = next((box for box in boxes if box[2] < right + 25 and not any(overlaps(box, other) for other in taken)), boxes[0])
        taken.append(box)
        parts += [mark(i, x, y), words(box[0], box[1] + 12, name, bold=i == 0)]
    return image(width, height, parts)


def draw(figures, folder):
    """Writes the plots and returns [(file, caption)]."""
    drawn = []

    def write(name, what, content):
        if content:
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(content)
            drawn.append((name, what))

    write("tradeoff.svg", "time against memory", tradeoff(figures))
    for part in figures.parts():
        tests, what_of = figures.of_part(part), {"small": "small blocks", "large": "large blocks"}.get(part, part)
        for metric, what in (("cpu", "CPU time"), ("peak", "Peak memory")):
            write(f"{metric}-{part}.svg", f"{what}, {what_of}", rows(figures, tests, metric, f"{what}: {what_of}"))
    return drawn
