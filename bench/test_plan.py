#!/usr/bin/env python3
"""plan.py with made-up systems and a clock of the test's own: no run takes longer than
it may, whatever the systems do, and what was not measured is known by name."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import plan  # noqa: E402


class System:
    def __init__(self, name, ns, overhead_s=0.2, variants=("",), warm_s=0):
        self.name, self.label, self.ns, self.overhead_s = name, name, ns, overhead_s
        self.variants, self.warm_s = variants, warm_s


class Machine:
    """Plays nothing, but lets the time pass that a real one would take."""

    def __init__(self):
        self.now, self.log, self.said, self.etas = 1000.0, [], [], []

    def clock(self):
        return self.now

    def measure(self, cell, scale, warm_s, limit_s):
        ns = cell.system.ns(cell) if callable(cell.system.ns) else cell.system.ns
        units = plan.WORKLOADS[cell.workload] * scale
        takes_s = cell.system.overhead_s + warm_s + (1.1 * units * ns / 1e9 if ns else 1e9)
        self.log.append((cell, scale, takes_s))
        self.now += min(takes_s, limit_s)
        if takes_s > limit_s:
            return None, f"took more than {limit_s:.0f} s", True
        return ns, None, False

    def play(self, systems, workloads, rounds=7, minutes=25, quick=False):
        began = self.now
        played = plan.Plan(plan.cells_of(workloads, systems), rounds, minutes * 60, quick,
                           self.clock)
        played.play(self.measure, self.said.append,
                    lambda done, total, left_s, what: self.etas.append((done, total, left_s)),
                    lambda: None)
        self.spent = self.now - began
        return played


TROUPE = System("troupe", 12, 0.1)
PEERS = [System("caf", 400), System("erlang", 200, 0.5), System("ractor", 200, 0.1),
         System("go", lambda cell: 1600 if cell.variant == "b" else 130, 0.1, ("a", "b")),
         System("pekko", 80, 1.2, warm_s=1.5)]
ALL = list(plan.WORKLOADS)


class Planned(unittest.TestCase):
    def test_everything_is_measured_in_time(self):
        machine = Machine()
        played = machine.play([TROUPE, *PEERS], ALL)
        self.assertLessEqual(machine.spent, 25 * 60)
        self.assertGreater(machine.spent, 15 * 60)  # The time is used.
        self.assertEqual(played.without_figures(), [])
        for cell in played.best():
            self.assertEqual(len(cell.figures), 7, cell.name())

    def test_a_slow_machine_takes_no_longer(self):
        for minutes, quick in ((25, False), (3, False), (1.7, True)):
            machine = Machine()
            slow = [System(s.name, (lambda ns: lambda cell: 8 * (ns(cell) if callable(ns) else ns))
                           (s.ns), 8 * s.overhead_s, s.variants, s.warm_s)
                    for s in [TROUPE, *PEERS]]
            played = machine.play(slow, ALL, minutes=minutes, quick=quick)
            self.assertLessEqual(machine.spent, minutes * 60 + 1.01)
            named = {id(cell) for cell in played.without_figures() + played.cut_short()}
            for cell in played.cells:
                full = len(cell.figures) == 7 or played.is_out(cell)
                self.assertNotEqual(full, id(cell) in named, cell.name())
            measured = {cell.workload for cell in played.best() if cell.system.name == "troupe"}
            if minutes > 1.7:
                self.assertEqual(measured, set(ALL))

    def test_what_hangs_is_left_out_at_once(self):
        machine = Machine()
        hangs = System("hangs", lambda cell: 0 if cell.workload == "ask" else 100)
        played = machine.play([TROUPE, hangs], ["ping-pong", "ask"])
        failed = [cell for cell in played.cells if cell.failure]
        self.assertEqual([(c.system.name, c.workload, c.workers) for c in failed],
                         [("hangs", "ask", 1), ("hangs", "ask", 2)])
        tried = [cell for cell, _, _ in machine.log if cell in failed]
        self.assertEqual(len(tried), 2)
        self.assertEqual(len(machine.said), 2)
        self.assertIn("hangs, ask, 1 worker: took more than 20 s", machine.said[0])
        self.assertEqual(len(played.best()), 6)

    def test_a_system_that_always_hangs_is_left_out(self):
        machine = Machine()
        played = machine.play([TROUPE, System("dead", 0), PEERS[0]], ALL)
        tried = [cell for cell, _, _ in machine.log if cell.system.name == "dead"]
        self.assertEqual(len(tried), plan.TIMEOUTS_MAX)
        self.assertEqual(played.dropped, {"dead"})
        self.assertIn("all of it is left out", machine.said[-1])
        self.assertEqual({cell.system.name for cell in played.best()}, {"troupe", "caf"})
        self.assertEqual(played.without_figures(), [])

    def test_the_better_variant_counts(self):
        machine = Machine()
        other = System("go", lambda cell: (130 if cell.variant == "a" else 1600)
                       if cell.workload == "ping-pong" else (130 if cell.variant == "b" else 140),
                       0.1, ("a", "b"))
        played = machine.play([TROUPE, other], ["ping-pong", "fan-in"])
        best = {cell.key(): cell for cell in played.best()}
        self.assertEqual(best["ping-pong", 1, "go"].variant, "a")
        self.assertEqual(best["fan-in", 1, "go"].variant, "b")
        rounds = {(cell.workload, cell.workers, cell.variant): len(cell.figures)
                  for cell in played.cells if cell.system is other}
        self.assertEqual(rounds["ping-pong", 2, "b"], plan.BEATEN_ROUNDS)
        self.assertEqual(rounds["ping-pong", 2, "a"], 7)
        self.assertEqual(rounds["fan-in", 2, "a"], 7)  # Too close to tell: played to the end.
        self.assertEqual(played.without_figures() + played.cut_short(), [])

    def test_progress(self):
        machine = Machine()
        machine.play([TROUPE, *PEERS], ["ping-pong", "churn", "idle-memory"], rounds=3)
        shares = [done / total for done, total, _ in machine.etas]
        self.assertEqual(shares, sorted(shares))
        self.assertLessEqual(shares[-1], 1)
        self.assertGreater(shares[-1], 0.9)
        self.assertLess(machine.etas[-1][2], 5)
        middle = machine.etas[len(machine.etas) // 2]
        self.assertGreater(middle[2], 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
