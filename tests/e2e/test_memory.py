"""Memory stays flat while the input grows tenfold: peak memory of whole runs, report included."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ORDERS = os.environ["TROUPE_ORDERS"]
# What may come on top: caches and spare documents that the shorter run has not filled. For one
# line an order, 360,000 more orders in 8 MiB are 23 bytes each: no table of orders hides in it.
MORE_MAX_KIB = 8 * 1024


def peak_kib(folder, orders, lines):
    """Peak memory of a run from a file of made-up orders; a file, as its size is no progress."""
    data, db = folder / "orders.csv", folder / f"{orders}.db"
    shape = ["--lines", str(lines)] if lines else []
    subprocess.run([ORDERS, "generate", "--generate", str(orders), *shape, "--out", data],
                   check=True, timeout=300)
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen([ORDERS, "run", "--quiet", "--json", "--data", data, "--db", db],
                                 stdout=out)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        entered = json.load(out)["run"]["orders_entered"]
    if child.returncode != 0 or entered != orders:
        raise AssertionError(f"exit {child.returncode}, {entered} of {orders} orders entered")
    return usage.ru_maxrss


@unittest.skipIf(os.environ.get("TROUPE_SANITIZED"), "a sanitizer's shadow is measured, not us")
class Memory(unittest.TestCase):
    def flat(self, orders, lines):
        with tempfile.TemporaryDirectory(prefix="orders-memory-") as folder:
            few = peak_kib(pathlib.Path(folder), orders, lines)
            many = peak_kib(pathlib.Path(folder), orders * 10, lines)
        sentence = (f"peak {few / 1024:.1f} MiB for {orders:,} orders,"
                    f" {many / 1024:.1f} MiB for {orders * 10:,}")
        print(sentence, file=sys.stderr)
        self.assertLessEqual(many - few, MORE_MAX_KIB, sentence)

    def test_one_line_orders(self):
        self.flat(40_000, 1)

    def test_orders_of_real_size(self):
        self.flat(8_000, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
