"""Tables and verdicts of bench/run, from the rows of one run."""

AGAINST_FASTEST = {
    5: ("ping-pong", "ring-100", "ring-503", "fork-join-create", "churn", "ask"),
    4: ("chameneos",),
    3: ("pairs", "big"),
    1.5: ("counting", "counting-warm", "counting-windowed", "fork-join-throughput", "fan-in",
          "fan-in-windowed", "fan-out"),
}
AGAINST_LIMIT = 1.35
SLOWER_WITH_TWO = 1.3
FASTER_WITH_TWO = {"parallel": 1.8, "pairs": 1.4}
IDLE_BYTES = 256
MILLION_NS = 1000  # per actor: a million in a second
# What may stay with the process for each of a million actors that have ended.
LEFT_BYTES = 16
NO_TIME = ("idle-memory", "memory-left")


def index(rows):
    return {(row["workload"], row["workers"], row["system"]): row for row in rows}


def fastest_peer(rows, workload, workers):
    peers = [row for row in rows if row["workload"] == workload and row["workers"] == workers
             and row["system"] != "troupe"]
    return min(peers, key=lambda row: row["median"]) if peers else None


def scaled_limit(recorded, now, workload, workers):
    for table in ("table_1", "table_2"):
        if workload in recorded[table]:
            return recorded[table][workload][workers - 1] * now["xchg"] / recorded["exchange_ns"]
    return None


def tables(rows, recorded, now, labels):
    """Every figure with its spread, then Troupe's ratios."""
    print(f"\nmachine: atomic exchange {now['xchg']:.2f} ns, malloc and free {now['malloc']:.1f} ns, "
          f"step {now['step']:.2f} ns, first touch of a page {now['page']:.0f} ns")
    print(f"\n{'workload':22} {'workers':>7} {'system':14} {'median':>9} {'min':>9} {'max':>9} "
          f"{'rounds':>6}  unit")
    for row in sorted(rows, key=lambda row: (row["workload"], row["workers"], row["median"])):
        print(f"{row['workload']:22} {row['workers']:7} {labels[row['system']]:14} "
              f"{row['median']:9.1f} {row['min']:9.1f} {row['max']:9.1f} {row['rounds']:6}  "
              f"{row['unit']}" + (f", {row['variant']}" if row.get("variant") else ""))
    print(f"\n{'Troupe':22} {'workers':>7} {'median':>9} {'fastest peer':>23} {'ratio':>6} "
          f"{'limit':>7} {'ratio':>6} {'2 v 1':>6}")
    found = index(rows)
    for row in rows:
        if row["system"] != "troupe":
            continue
        peer = fastest_peer(rows, row["workload"], row["workers"])
        limit = scaled_limit(recorded, now, row["workload"], row["workers"])
        one = found.get((row["workload"], 1, "troupe"))
        print(f"{row['workload']:22} {row['workers']:7} {row['median']:9.1f} "
              + (f"{labels[peer['system']]:>14} {peer['median']:8.1f} "
                 f"{ratio(peer['median'], row['median']):>6} " if peer else " " * 31)
              + (f"{limit:7.1f} {ratio(row['median'], limit):>6} " if limit else " " * 15)
              + (f"{ratio(row['median'], one['median']):>6}" if row["workers"] == 2 and one else ""))


def ratio(a, b):
    return f"{a / b:.2f}" if b else "-"


def wanted_factor(workload):
    for factor, names in AGAINST_FASTEST.items():
        if workload in names:
            return factor
    return 1


def judge_peers(rows, row):
    peer = fastest_peer(rows, row["workload"], row["workers"])
    if peer and row["median"]:
        factor = wanted_factor(row["workload"])
        got = peer["median"] / row["median"]
        yield got >= factor, f"{got:.2f} times {peer['system']}, want {factor}"


def judge_two_workers(found, row):
    one = found.get((row["workload"], 1, "troupe"))
    if row["workers"] == 2 and one and row["workload"] not in NO_TIME and row["median"]:
        got = row["median"] / one["median"]
        yield got <= SLOWER_WITH_TWO, f"{got:.2f} of one worker's time, want at most 1.3"
        if row["workload"] in FASTER_WITH_TWO:
            factor = FASTER_WITH_TWO[row["workload"]]
            yield 1 / got >= factor, f"{1 / got:.2f} times as fast as one worker, want {factor}"


def judge_absolute(row):
    if row["workload"] == "idle-memory":
        yield row["median"] <= IDLE_BYTES, f"{row['median']:.0f} bytes, want at most {IDLE_BYTES}"
    if row["workload"] == "memory-left":
        yield row["median"] <= LEFT_BYTES, f"{row['median']:.1f} bytes, want at most {LEFT_BYTES}"
    if row["workload"] == "million":
        yield row["median"] < MILLION_NS, f"{row['median'] / 1000:.2f} s for a million, want < 1"


def verdicts(rows, recorded, now):
    """Prints each target with its outcome; returns whether each is met."""
    found, met = index(rows), []
    print("\ntargets:")
    for row in rows:
        if row["system"] != "troupe":
            continue
        limit = scaled_limit(recorded, now, row["workload"], row["workers"])
        outcomes = [*judge_peers(rows, row), *judge_two_workers(found, row), *judge_absolute(row)]
        if limit:
            got = row["median"] / limit
            outcomes.append((got <= AGAINST_LIMIT,
                             f"{got:.2f} times the limit, want at most {AGAINST_LIMIT}"))
        for ok, text in outcomes:
            met.append(ok)
            print(f"  {'met   ' if ok else 'MISSED'} {row['workload']:22} {row['workers']} "
                  f"worker{'s' if row['workers'] > 1 else ' '}  {text}")
    return met
