"""What a run of bench/run measures, how many units each system plays, and when time is up."""

import statistics
import time

# Units at scale 1 (the programs' own constants).
WORKLOADS = {
    "ping-pong": 4e6, "pairs": 4e6, "ring-100": 4e6, "ring-503": 4e6, "counting": 1e6,
    "counting-warm": 1e6, "counting-windowed": 1e6, "fork-join-throughput": 1.2e6,
    "fork-join-create": 1e6, "churn": 1e6, "chameneos": 5e5, "big": 2.4e6, "fan-in": 1.2e6,
    "fan-in-windowed": 1.2e6, "fan-out": 2e6, "ask": 2e6, "parallel": 6.4e4,
    "idle-memory": 1e6, "memory-left": 1e6, "million": 1e6,
}
TROUPE_ONLY = ("memory-left", "million")
BYTES = ("idle-memory", "memory-left")
# Where the number of units is part of the definition (a flood from cold memory), every
# system plays all of them.
FIXED_SIZE = ("counting", "counting-warm", "million")
# MiB to touch before these, whoever plays, for all of their units: what they take from the system
# is fresh, and how long the hypervisor takes to bring it back is no property of theirs.
TOUCH_LEAST_MIB = 64
TOUCH_MIB = {"counting": 256, "fork-join-throughput": 256, "fan-in": 256,
             "fork-join-create": 768, "million": 768}
# What is played besides the part that is timed: whole rounds, or else a share of one.
WARM_ROUNDS = {"counting-warm": 3}
WARM_SHARE = 0.1

TARGET_S = 0.5  # how long a peer plays in a round, at most
QUICK_TARGET_S = 0.05
LEAST_S = 0.02
SIZING_S = 0.03
SIZING_SHARE = 0.2  # of all the time, at most for round 0
SHORT_WARM_UP = 0.2  # of a system's warm-up, in quick runs and in round 0
LEAST_SCALE, QUICK_LARGEST_SCALE = 0.0005, 0.2
# Actors whose bytes are counted: below the least, what is there once would count.
MEMORY_LEAST_SCALE, MEMORY_LARGEST_SCALE = 0.02, 0.2
MEMORY_TARGETS = 4  # as much time as for this many other measurements
TIMEOUT_S, QUICK_TIMEOUT_S = 20, 8
TIMEOUTS_MAX = 3  # of one system; then all of it is left out
# Seconds and nanoseconds per unit to expect of what was not measured yet.
FIRST_OVERHEAD_S = 0.5
FIRST_NS = {"fork-join-create": 6000, "churn": 4000, "chameneos": 2000, "ask": 2000,
            "parallel": 1100, "idle-memory": 20000}
# A variant of a system whose best figure is worse than its rival's median by this factor, in
# this many rounds, is not played any more.
BEATEN, BEATEN_ROUNDS = 1.25, 2


def touch_mib(cell, scale):
    """How much memory to touch before a measurement, 0: none."""
    mib = TOUCH_MIB.get(cell.workload, 0)
    return mib and max(TOUCH_LEAST_MIB, int(mib * scale))


class Cell:
    """One variant of a system on one workload with one number of workers."""

    def __init__(self, workload, workers, system, variant):
        self.workload, self.workers = workload, workers
        self.system, self.variant = system, variant
        self.figures = []
        self.ns = FIRST_NS.get(workload, 300)  # a unit, the median of what was seen
        if system.name == "troupe":
            self.ns /= 10
        self.seen_ns = []  # all of them
        self.overhead_s = None  # what a measurement takes besides playing, once that is known
        self.fixed_s = None  # how long the last one took, where the size is fixed
        self.failure = None
        self.rivals = []  # other variants of the same system

    def key(self):
        return (self.workload, self.workers, self.system.name)

    def name(self):
        variant = f" ({self.variant})" if self.variant else ""
        return f"{self.system.label}{variant}, {self.workload}, {self.workers} " \
               f"worker{'s' if self.workers > 1 else ''}"

    def is_beaten(self):
        return len(self.figures) >= BEATEN_ROUNDS and any(
            len(rival.figures) >= BEATEN_ROUNDS
            and min(self.figures) > BEATEN * statistics.median(rival.figures)
            for rival in self.rivals)

    def is_fixed(self):
        return self.workload in FIXED_SIZE

    def plays(self):
        """Seconds that the program plays per second of the part that it times."""
        if self.workload in BYTES:
            return 1
        return 1 + WARM_ROUNDS.get(self.workload, WARM_SHARE)


def cells_of(workloads, systems):
    """What one round measures, in an order in which the systems alternate."""
    cells = []
    for workload in workloads:
        for workers in (1, 2):
            for system in systems:
                if system.name != "troupe" and workload in TROUPE_ONLY:
                    continue
                variants = [Cell(workload, workers, system, variant)
                            for variant in system.variants]
                for cell in variants:
                    cell.rivals = [rival for rival in variants if rival is not cell]
                cells += variants
    return cells


class Plan:
    """
    The rounds of a run within so many seconds. A full run starts with round 0, which is not
    counted: it finds out how long everything takes, and what hangs. From then on as much is
    played as time allows for all rounds.
    """

    def __init__(self, cells, rounds, seconds, quick, clock=time.monotonic, began=None):
        self.cells, self.rounds, self.quick, self.clock = cells, rounds, quick, clock
        self.began = clock() if began is None else began
        self.seconds = seconds
        self.number = 1 if quick else 0
        self.target_s = QUICK_TARGET_S if quick else TARGET_S
        self.left_out = []  # (round, cell)
        self.timeouts = {}  # by system
        self.overheads = {}  # the last one, by system
        self.affordable = None  # numbers of cells in this round; None: all
        self.dropped = set()  # systems

    def left_s(self):
        return self.began + self.seconds - self.clock()

    def round_left_s(self):
        """What this round may take at most."""
        return self.left_s() - (0 if self.number else (1 - SIZING_SHARE) * self.seconds)

    def is_out(self, cell):
        """Whether a cell is not played any more, for another reason than time."""
        return bool(cell.failure) or cell.system.name in self.dropped or cell.is_beaten()

    def scale(self, cell, target_s=None):
        """The share of the full number of units to play."""
        if cell.is_fixed():
            return 0.1 if self.quick else 1.0
        if cell.system.name == "troupe" and not self.quick and self.number > 0:
            return 1.0
        target_s = target_s or (SIZING_S if self.number == 0 else self.target_s)
        wanted = target_s * 1e9 / (cell.ns * WORKLOADS[cell.workload])
        if cell.workload in BYTES:
            return max(MEMORY_LEAST_SCALE, min(MEMORY_LARGEST_SCALE, MEMORY_TARGETS * wanted))
        return max(LEAST_SCALE, min(QUICK_LARGEST_SCALE if self.quick else 1.0, wanted))

    def warm_s(self, cell):
        """How long the system is warmed up first."""
        short = self.quick or self.number == 0
        return cell.system.warm_s * (SHORT_WARM_UP if short else 1)

    def playing_s(self, cell, scale):
        return cell.plays() * scale * WORKLOADS[cell.workload] * cell.ns / 1e9

    def expected_s(self, cell, target_s=None):
        """How long one measurement of the cell will take."""
        if cell.is_fixed():
            fixed_s = cell.fixed_s if cell.fixed_s is not None else 4 * FIRST_OVERHEAD_S
            return fixed_s + self.warm_s(cell)
        overhead_s = cell.overhead_s
        if overhead_s is None:
            overhead_s = self.overheads.get(cell.system.name, FIRST_OVERHEAD_S)
        return overhead_s + self.warm_s(cell) + self.playing_s(cell, self.scale(cell, target_s))

    def rest(self, position):
        """The measurements still to come after `position` of this round: (cell, how many)."""
        for at, cell in enumerate(self.cells):
            if not self.is_out(cell):
                yield cell, self.rounds - self.number + (at >= position and self.number > 0)

    def rest_s(self, position, target_s=None):
        return sum(times * self.expected_s(cell, target_s) for cell, times in self.rest(position))

    def choose(self, position):
        """
        Where time does not suffice for the rest of this round, what takes longest is left out,
        not what comes last: so each workload keeps most of its systems. Troupe stays, for
        without it nothing is compared.
        """
        rest = [(cell.system.name != "troupe", self.expected_s(cell), at)
                for at, cell in enumerate(self.cells)
                if at >= position and not self.is_out(cell)]
        left_s, self.affordable = self.round_left_s(), set()
        for _, expected_s, at in sorted(rest):
            left_s -= expected_s
            if left_s >= 0:
                self.affordable.add(at)

    def resize(self, position):
        """Chooses how long each system plays from here on."""
        low, high = LEAST_S, QUICK_TARGET_S if self.quick else TARGET_S
        rest = [pair for pair in self.rest(position) if pair[1] > 0]

        def fits(target_s):
            return sum(times * self.expected_s(cell, target_s)
                       for cell, times in rest) <= self.left_s()

        if fits(high):
            low = high
        for _ in range(8):
            middle = (low + high) / 2
            low, high = (middle, high) if fits(middle) else (low, middle)
        self.target_s = low

    def note(self, cell, scale, wall_s, value):
        """Learns from a measurement."""
        rest_s = max(0.05, wall_s - self.warm_s(cell))
        if cell.is_fixed():
            cell.fixed_s = rest_s
        elif cell.workload in BYTES:
            cell.overhead_s = min(FIRST_OVERHEAD_S, rest_s / 2)
            cell.ns = (rest_s - cell.overhead_s) * 1e9 / (scale * WORKLOADS[cell.workload])
        else:
            cell.ns = max(value, 0.1)
            cell.overhead_s = max(0.05, rest_s - self.playing_s(cell, scale))
            self.overheads[cell.system.name] = cell.overhead_s
            cell.seen_ns.append(cell.ns)
            cell.ns = statistics.median(cell.seen_ns)
        if self.number > 0:
            cell.figures.append(value)

    def fail(self, cell, why, timed_out):
        """Leaves the cell out from now on; returns whether its system is left out with it."""
        cell.failure = why
        if timed_out:
            name = cell.system.name
            self.timeouts[name] = self.timeouts.get(name, 0) + 1
            if self.timeouts[name] == TIMEOUTS_MAX and name != "troupe":
                self.dropped.add(name)
                return True
        return False

    def play(self, measure, say, show, each_round):
        """
        measure(cell, scale, warm_s, limit_s) returns (value, error, whether time ran out);
        say(text) tells of trouble; show(done, total, left_s, what) of progress.
        """
        total, done = len(self.cells) * (self.rounds + (0 if self.quick else 1)), 0
        while self.number <= self.rounds:
            each_round()
            for position, cell in enumerate(self.cells):
                if position % 16 == 0:
                    self.resize(position)
                    self.choose(position)
                done += 1
                if self.is_out(cell):
                    continue
                if position not in self.affordable or self.expected_s(cell) > self.round_left_s():
                    if self.number > 0:
                        self.left_out.append((self.number, cell))
                    continue
                self.measure_one(cell, measure, say)
                show(done, total, max(0, min(self.rest_s(position + 1), self.left_s())),
                     f"round {self.number} of {self.rounds}: {cell.name()}")
            self.number += 1

    def measure_one(self, cell, measure, say):
        scale, began = self.scale(cell), self.clock()
        patience_s = QUICK_TIMEOUT_S if self.quick else TIMEOUT_S
        limit_s = min(patience_s, max(1, self.left_s()))
        value, error, timed_out = measure(cell, scale, self.warm_s(cell), limit_s)
        if timed_out and limit_s < patience_s:
            self.left_out.append((self.number, cell))
            return
        if error:
            say(f"!!!! {cell.name()}: {error}; left out from here on")
            if self.fail(cell, error, timed_out):
                say(f"!!!! {cell.system.label} took too long {TIMEOUTS_MAX} times: "
                    "all of it is left out from here on")
            return
        self.note(cell, scale, self.clock() - began, value)

    def best(self):
        """The cells with figures; of the variants of a system the better one."""
        found = {}
        for cell in self.cells:
            if cell.figures:
                old = found.get(cell.key())
                if not old or statistics.median(cell.figures) < statistics.median(old.figures):
                    found[cell.key()] = cell
        return list(found.values())

    def without_figures(self):
        """Cells for which time did not suffice even once, though nothing else is wrong."""
        return [cell for cell in self.cells if not cell.figures and not cell.failure
                and cell.system.name not in self.dropped]

    def cut_short(self):
        """Cells that were played in some rounds, but not in all of them for want of time."""
        late = {id(cell) for _, cell in self.left_out}
        return [cell for cell in self.cells if cell.figures and id(cell) in late]
