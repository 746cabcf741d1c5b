"""The SVG plots, by gnuplot: bars per test, and time against memory with one point per allocator."""
import shutil
import subprocess

ALL = ("micro", "macro", "program")
COLOURS = ["#c0392b", "#555555", "#2980b9", "#27ae60", "#8e44ad", "#e67e22", "#16a085", "#7f8c8d", "#d4ac0d", "#34495e"]


def quoted(text):
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"').replace("_", "\\\\_") + '"'


def block(name, rows):
    return f"${name} << EOD\n" + "\n".join(" ".join(map(str, row)) for row in rows) + "\nEOD\n"


def bars(figures, metric, title, path):
    """Each allocator's median over that of the best rival; what is beyond 3 is cut off."""
    tests = figures.counted(ALL)
    rows = []
    for test in tests:
        rival = figures.best_rival(metric, test)
        best = figures.median(metric, test, rival) if rival else None
        values = [figures.median(metric, test, name) for name in figures.allocators]
        rows.append([quoted(test)] + [f"{value / best:.4f}" if value and best else "NaN" for value in values])
    width = max(700, 60 + len(tests) * (len(figures.allocators) * 5 + 8))
    plots = ", ".join(f"$data using {i + 2}:xtic(1) title {quoted(name)} linecolor rgb '{COLOURS[i % len(COLOURS)]}'" for i, name in enumerate(figures.allocators))
    return block("data", rows) + f"""set terminal svg size {width},560 font 'sans,11' background rgb 'white'
set output {path!r}
set title {quoted(title)}
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.9 noborder
set xtics rotate by -60 font ',9'
set yrange [0:3]
set grid ytics
set key outside top horizontal
set arrow from graph 0, first 1 to graph 1, first 1 nohead linecolor rgb 'black'
plot {plots}
"""


def tradeoff(figures, path):
    points = [(name, figures.chooser("cpu", ALL, name)[0], figures.chooser("peak", ALL, name)[0]) for name in figures.allocators]
    points = [(quoted(name), f"{cpu:.4f}", f"{peak:.4f}", i) for i, (name, cpu, peak) in enumerate(points) if cpu and peak]
    if not points:
        return ""
    colours = ", ".join(f"{i} '{colour}'" for i, colour in enumerate(COLOURS))
    return block("points", points) + f"""set terminal svg size 720,540 font 'sans,12' background rgb 'white'
set output {path!r}
set title 'Time against memory, over the best rival on each test (down and left is better)'
set xlabel 'CPU time'
set ylabel 'peak memory'
set grid
set palette defined ({colours})
set cbrange [0:{len(COLOURS) - 1}]
unset colorbox
set offsets graph 0.12, graph 0.2, graph 0.1, graph 0.1
plot $points using 2:3:4 with points pointtype 7 pointsize 1.4 palette notitle, \\
     $points using 2:3:1 with labels offset 0,1 notitle
"""


def draw(figures, folder):
    """A note if it could not be done."""
    if shutil.which("gnuplot") is None:
        return ["no plots: gnuplot is not installed"]
    scripts = [bars(figures, "cpu", "CPU time over the best rival's", "cpu.svg"), bars(figures, "peak", "Peak memory over the best rival's", "memory.svg"),
               tradeoff(figures, "tradeoff.svg")]
    notes = []
    for script in scripts:
        run = subprocess.run(["gnuplot"], input=script, text=True, cwd=folder, capture_output=True, check=False)
        if run.returncode:
            notes.append("gnuplot: " + " ".join(run.stderr.split())[:200])
    return notes
