"""Killed at any instant and run again, a run ends with the same books as one left alone."""
import os
import random
import signal
import subprocess
import time
import unittest

import lib

ROUNDS = int(os.environ.get("TROUPE_KILLS", "3" if lib.SANITIZED else "15"))
ORDERS = 300 if lib.SANITIZED else 3000
ARGS = ("--generate", ORDERS, "--seed", 11, "--declines", 60, "--late", 3, "--stock", 900)
IOFAULT = os.environ.get("TROUPE_IOFAULT")


class Kill(lib.Case):
    def start(self, *args, **kwargs):
        return subprocess.Popen(self.command("run", "--db", self.db, "--json", "--quiet", *args),
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **kwargs)

    def undisturbed(self, *args):
        path = self.dir / "undisturbed.db"
        began = time.monotonic()
        self.orders("run", "--db", path, "--json", "--quiet", *args)
        return self.books(path), time.monotonic() - began

    def fresh(self):
        for path in self.dir.glob("books.db*"):
            path.unlink()

    def finish(self, args, expected, what):
        """The resumed run succeeds, ends with the expected books, and is verified."""
        report, _ = self.run_orders(*args)
        self.assertEqual(self.books(), expected, what)
        self.assertTrue(all(check["good"] for check in self.verify().values()), what)
        return report["run"]

    def test_killed_once_at_random_instants(self):
        expected, seconds = self.undisturbed(*ARGS)
        dice = random.Random(2011)
        resumed = 0
        for number in range(ROUNDS):
            self.fresh()
            delay = dice.uniform(0, seconds)
            with self.start(*ARGS) as process:
                try:
                    process.wait(delay)
                except subprocess.TimeoutExpired:
                    process.kill()
            run = self.finish(ARGS, expected, f"round {number}, killed after {delay:.3f} s")
            resumed += 0 < run["orders_known"] < ORDERS
        print(f"{ROUNDS} kills, {resumed} of them amid the orders")

    def test_killed_again_and_again(self):
        """Every run is killed a little later than it takes to make one step."""
        expected, seconds = self.undisturbed(*ARGS)
        dice = random.Random(7)
        for _ in range(ROUNDS):
            with self.start(*ARGS) as process:
                try:
                    process.wait(dice.uniform(seconds * 0.05, seconds * 0.5))
                except subprocess.TimeoutExpired:
                    process.kill()
            if self.db.exists() and self.query("SELECT count(*) FROM sqlite_schema")[0][0]:
                self.verify()  # also what is there in between is good
        self.finish(ARGS, expected, "killed again and again")

    def test_notices_reach_every_customer(self):
        """A notice may come twice after a kill, never not at all."""
        notices = self.dir / "notices.txt"
        args = (*ARGS, "--notices", notices)
        _, seconds = self.undisturbed(*ARGS)
        dice = random.Random(3)
        for _ in range(5):
            with self.start(*args) as process:
                try:
                    process.wait(dice.uniform(seconds * 0.3, seconds))
                except subprocess.TimeoutExpired:
                    process.kill()
        self.run_orders(*args)
        told = {tuple(text.split()) for text in notices.read_text().splitlines()
                if len(text.split()) == 2}
        states = ("fulfilled", "rejected", "refunded", "parked")
        owed = {(key, states[state]) for key, state in
                self.query("SELECT key, state FROM orders")}
        self.assertEqual(owed - told, set())

    def test_stopped_for_a_while(self):
        """Timeouts of payment fire while the process stands still; the books stay the same."""
        expected, seconds = self.undisturbed(*ARGS)
        dice = random.Random(5)
        with self.start(*ARGS) as process:
            for _ in range(6):
                try:
                    process.wait(dice.uniform(0, seconds / 6))
                    break
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGSTOP)
                    try:
                        process.wait(0.3)
                    except subprocess.TimeoutExpired:
                        process.send_signal(signal.SIGCONT)
            self.assertEqual(process.wait(300), lib.GOOD)
        self.assertEqual(self.books(), expected)

    def count_operations(self, args):
        count = self.dir / "count"
        self.run_orders(*args, env={"LD_PRELOAD": IOFAULT, "IOFAULT_COUNT": str(count)})
        self.fresh()
        return int(count.read_text())

    @unittest.skipUnless(IOFAULT, "needs preloading")
    def test_killed_at_every_kind_of_file_operation(self):
        args = ("--generate", 400, "--seed", 4, "--declines", 60, "--stock", 300)
        expected, _ = self.undisturbed(*args)
        total = self.count_operations(args)
        self.assertGreater(total, 50)
        dice = random.Random(1)
        # The first ones, which set the database up, the last ones, which close it, some between.
        plan = set(range(1, 16)) | set(range(max(16, total - 5), total + 1))
        plan |= set(dice.sample(range(1, total), min(14, total - 1)))
        for number in sorted(plan):
            for how in ("kill", "torn"):
                self.fresh()
                _, _ = self.run_orders(*args, want=None, env={
                    "LD_PRELOAD": IOFAULT, "IOFAULT": f"{how}:{number}"})
                self.finish(args, expected, f"{how} at operation {number} of {total}")
        print(f"killed at {len(plan)} of {total} operations, whole and torn")


if __name__ == "__main__":
    lib.main()
