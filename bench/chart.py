"""Draws the rows of a run as an SVG: a logarithmic scale, one line per workload."""

import math
from xml.sax.saxutils import escape

LEFT, RIGHT, TOP, ROW = 190, 40, 92, 26
WIDTH = 900
COLOURS = {"troupe": "#c0392b", "caf": "#2471a3", "erlang": "#8e44ad",
           "protoactor-go": "#148f77", "pekko": "#b9770e", "ractor": "#566573"}


def panels(rows):
    """(title, rows) by number of workers; times only."""
    for workers in sorted({row["workers"] for row in rows}):
        chosen = [row for row in rows if row["workers"] == workers and "ns/" in row["unit"]]
        if chosen:
            yield f"{workers} worker{'s' if workers > 1 else ''}", chosen


def axis(low, high):
    """Maps a figure to an x coordinate, and says where the decades are."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    last = max(last, first + 1)

    def at(value):
        part = (math.log10(value) - first) / (last - first)
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    return at, [10.0 ** power for power in range(first, last + 1)]


def mark(row, x, x_min, x_max, y):
    colour = COLOURS[row["system"]]
    shape = (f'<rect x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10" fill="{colour}"/>'
             if row["system"] == "troupe" else
             f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}"/>')
    return (f'<line x1="{x_min:.1f}" x2="{x_max:.1f}" y1="{y:.1f}" y2="{y:.1f}" '
            f'stroke="{colour}" stroke-width="2" opacity="0.5"/>{shape}')


def panel(title, rows, at, decades, y):
    """The lines of one panel and the y coordinate below it."""
    workloads = list(dict.fromkeys(row["workload"] for row in rows))
    bottom = y + 14 + ROW * len(workloads)
    out = [f'<text x="{LEFT}" y="{y}" font-weight="bold">{escape(title)}</text>']
    for decade in decades:
        x = at(decade)
        out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y + 8}" y2="{bottom}" stroke="#ddd"/>'
                   f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{decade:,g}</text>')
    for number, workload in enumerate(workloads):
        middle = y + 14 + ROW * number + ROW / 2
        out.append(f'<text x="{LEFT - 12}" y="{middle + 4:.1f}" text-anchor="end">'
                   f'{escape(workload)}</text>'
                   f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{middle:.1f}" y2="{middle:.1f}" '
                   f'stroke="#eee"/>')
        chosen = [row for row in rows if row["workload"] == workload and row["min"] > 0]
        for row in sorted(chosen, key=lambda row: row["system"] == "troupe"):
            out.append(mark(row, at(row["median"]), at(row["min"]), at(row["max"]), middle))
    return out, bottom + 46


def legend(systems, labels):
    out, x = [], LEFT
    for system in systems:
        fake = {"system": system}
        out.append(mark(fake, x, x, x, 58))
        out.append(f'<text x="{x + 10}" y="62">{escape(labels[system])}</text>')
        x += 34 + 8 * len(labels[system])
    return out


def write(path, rows, labels):
    times = [row for row in rows if "ns/" in row["unit"] and row["min"] > 0]
    if not times:
        return
    at, decades = axis(min(row["min"] for row in times), max(row["max"] for row in times))
    present = [name for name in labels if any(row["system"] == name for row in rows)]
    body = [f'<text x="{LEFT}" y="30" font-size="16" font-weight="bold">Nanoseconds per message '
            '(actor, meeting, round trip); less is better</text>', *legend(present, labels)]
    y = TOP + 12
    for title, chosen in panels(times):
        lines, y = panel(title, chosen, at, decades, y)
        body += lines
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" '
                   f'viewBox="0 0 {WIDTH} {y}" font-family="sans-serif" font-size="12">\n'
                   f'<rect width="{WIDTH}" height="{y}" fill="#fff"/>\n'
                   + "\n".join(body) + "\n</svg>\n")
