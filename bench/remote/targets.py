"""Tables, targets and the chart of bench/remote/run, from the rows of one run."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import chart  # noqa: E402

GO = ("go-a", "go-b")
MANY = (("stream", 0, 1), ("stream", 0, 100), ("stream", 100, 1), ("stream", 100, 100),
        ("window", 0, 1), ("window", 0, 100), ("window", 100, 1), ("window", 100, 100))
AGAINST_GO = 10
AGAINST_OTHERS = 20
OF_TCP = 0.5
TRIP_OF_TCP = 1.3
TRIP_OF_GO = 3
PROCESSOR_NS = 150
LINK_BYTES = 256 * 1024
OF_PLAINTEXT = 0.6
P99_RISE = 1.5


def name_of(workload):
    kind, size, pairs = workload
    return f"{kind}, {size or 'no'} bytes, {pairs} pair{'s' if pairs > 1 else ''}"


def index(rows):
    return {(row["system"], (row["workload"], row["bytes"], row["pairs"])): row for row in rows}


def table(rows, extra, labels):
    print(f"\n{'workload':32} {'system':18} {'median':>10} {'min':>10} {'max':>10} "
          f"{'processor':>10} {'rounds':>6}  unit")
    order = sorted(rows, key=lambda row: (row["workload"], row["bytes"], row["pairs"],
                                          row["median"]))
    for row in order:
        workload = name_of((row["workload"], row["bytes"], row["pairs"]))
        print(f"{workload:32} {labels[row['system']]:18} {row['median']:10.1f} {row['min']:10.1f} "
              f"{row['max']:10.1f} {row['processor_ns']:10.1f} {row['rounds']:6}  {row['unit']}")
    for name, value in extra.items():
        print(f"{name:32} {value:.0f}")


def judge_speed(found):
    """Against the peers; more is better."""
    for workload in MANY:
        ours = found.get(("troupe", workload))
        if not ours:
            continue
        go = [found[(name, workload)]["median"] for name in GO if (name, workload) in found]
        if go:
            got = min(go) / ours["median"]
            yield got >= AGAINST_GO, name_of(workload), \
                f"{got:.1f} times the better protoactor-go, want {AGAINST_GO}"
        for name, label in (("erlang", "Erlang"), ("caf", "CAF io")):
            if (name, workload) in found:
                got = found[(name, workload)]["median"] / ours["median"]
                yield got >= AGAINST_OTHERS, name_of(workload), \
                    f"{got:.1f} times {label}, want {AGAINST_OTHERS}"


def judge_limits(found):
    """Against raw TCP, and in figures."""
    stream, ask = ("stream", 100, 1), ("ask", 100, 1)
    ours, trip = found.get(("troupe", stream)), found.get(("troupe", ask))
    tcp, relay = found.get(("tcp", stream)), found.get(("tcp", ("relay", 100, 1)))
    if ours and tcp:
        got = tcp["median"] / ours["median"]
        yield got >= OF_TCP, name_of(stream), f"{got:.2f} of raw TCP's bytes, want {OF_TCP}"
    if trip and relay:
        got = trip["median"] / relay["median"]
        yield got <= TRIP_OF_TCP, name_of(ask), \
            f"{got:.2f} of raw TCP's round trip by two threads, want at most {TRIP_OF_TCP}"
    go = [found[(name, ask)]["median"] for name in GO if (name, ask) in found]
    if trip and go:
        got = min(go) / trip["median"]
        yield got >= TRIP_OF_GO, name_of(ask), \
            f"{got:.1f} times the better protoactor-go, want {TRIP_OF_GO}"
    for workload in (("stream", 0, 1), stream):
        row = found.get(("troupe", workload))
        if row:
            yield row["processor_ns"] <= PROCESSOR_NS, name_of(workload), \
                f"{row['processor_ns']:.0f} ns of processor time, want at most {PROCESSOR_NS}"
    tls = found.get(("troupe-tls", stream))
    if ours and tls:
        got = ours["median"] / tls["median"]
        yield got >= OF_PLAINTEXT, name_of(stream), \
            f"with mutual TLS {got:.2f} of plaintext, want {OF_PLAINTEXT}"


def judge_pairs(found):
    for kind, size, pairs in MANY:
        one, many = found.get(("troupe", (kind, size, 1))), found.get(("troupe", (kind, size, pairs)))
        if pairs > 1 and one and many:
            got = many["median"] / one["median"]
            yield got <= 1, name_of((kind, size, pairs)), \
                f"{got:.2f} of one pair's time per message, want at most 1"


def judge_mixed(found):
    for dialect in GO:
        for workload in (("stream", 100, 1), ("window", 100, 1)):
            go = found.get((dialect, workload))
            for name in (f"troupe-to-{dialect}", f"{dialect}-to-troupe"):
                row = found.get((name, workload))
                if go and row:
                    got = row["median"] / go["median"]
                    yield got <= 1, name_of(workload), \
                        f"{name}: {got:.2f} of Go to Go's time, want at most 1"


def judge_links(extra):
    if "idle-link-bytes" in extra:
        got = extra["idle-link-bytes"] / 1024
        yield got * 1024 <= LINK_BYTES, "idle links", \
            f"{got:.0f} KiB each, both ends together, want at most {LINK_BYTES // 1024}"
    if "p99-calm-ns" in extra:
        got = extra["p99-noisy-ns"] / extra["p99-calm-ns"]
        yield got <= P99_RISE, f"{extra['links']:.0f} links, a noisy one", \
            (f"p99 of the others {extra['p99-calm-ns'] / 1e3:.0f} µs, then "
             f"{extra['p99-noisy-ns'] / 1e3:.0f}: {got:.2f} times, want at most {P99_RISE}")


def verdicts(rows, extra):
    """Prints each target with its outcome; returns whether each is met."""
    found, met = index(rows), []
    print("\ntargets:")
    for ok, what, text in (*judge_speed(found), *judge_pairs(found), *judge_limits(found),
                           *judge_mixed(found), *judge_links(extra)):
        met.append(ok)
        print(f"  {'met   ' if ok else 'MISSED'} {what:32} {text}")
    return met


# ---- Chart -------------------------------------------------------------------------------

COLOURS = {"go-a": "#148f77", "go-b": "#1abc9c", "tcp": "#566573"}


def chart_of(path, rows, labels):
    """Nodes of one kind among themselves; the mixed ones are in the table."""
    chart.COLOURS.update(COLOURS)
    chosen = [dict(row, workload=name_of((row["workload"], row["bytes"], row["pairs"])),
                   kind=row["workload"])
              for row in rows if row["system"] in chart.COLOURS]
    if not chosen:
        return
    at, decades = chart.axis(min(row["min"] for row in chosen), max(row["max"] for row in chosen))
    present = [name for name in labels if any(row["system"] == name for row in chosen)]
    body = [f'<text x="{chart.LEFT}" y="30" font-size="16" font-weight="bold">Nanoseconds per '
            'message (round trip) between two processes; less is better</text>',
            *chart.legend(present, labels)]
    y = chart.TOP + 12
    for title, kinds in (("one way", ("stream",)), ("requests, 1,000 under way", ("window",)),
                         ("one request at a time", ("ask", "relay"))):
        part = [row for row in chosen if row["kind"] in kinds]
        if part:
            lines, y = chart.panel(title, part, at, decades, y)
            body += lines
    pathlib.Path(path).write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{chart.WIDTH}" height="{y}" '
        f'viewBox="0 0 {chart.WIDTH} {y}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="{chart.WIDTH}" height="{y}" fill="#fff"/>\n' + "\n".join(body) + "\n</svg>\n",
        encoding="utf-8")
