"""What the end-to-end tests of the order system share: where things are, how to run them."""
import atexit
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["TROUPE_SOURCE"])
ORDERS = os.environ["TROUPE_ORDERS"]
SANITIZED = os.environ.get("TROUPE_SANITIZED", "") != ""
REAL = SOURCE.parent / "shared" / "data" / "online-retail.csv.xz"
HEADER = b"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
SKIPPED = 77  # CTest knows this exit code

GOOD, WRONG, USAGE, CANNOT = 0, 1, 2, 3

# A sanitizer that finds something must not look like one of the program's own exit codes.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":exitcode=99"
os.environ["UBSAN_OPTIONS"] = os.environ.get("UBSAN_OPTIONS", "") + ":exitcode=99"
os.environ["TSAN_OPTIONS"] = os.environ.get("TSAN_OPTIONS", "") + ":exitcode=99"


def need_real_data():
    """The real file, or the end of this test: loudly, and as a failure where it must exist."""
    if REAL.exists():
        return REAL
    print(f"SKIPPED: {REAL} is not there. Nothing was tested on real data.", file=sys.stderr)
    sys.exit(1 if os.environ.get("TROUPE_REAL_DATA") == "required" else SKIPPED)


def line(invoice="536365", code="22423", description="REGENCY CAKESTAND", quantity="2",
         date="2010-12-01 08:26:00", price="12.75", customer="17850.0", country="United Kingdom"):
    fields = [invoice, code, description, quantity, date, price, customer, country]
    return ",".join(fields).encode() + b"\n"


class Case(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="orders-e2e-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.db = self.dir / "books.db"

    def command(self, *args):
        return [ORDERS] + [str(a) for a in args]

    def orders(self, *args, want=GOOD, env=None, **kwargs):
        """Runs a command to its end, checks its exit code, and gives the whole result."""
        done = subprocess.run(self.command(*args), capture_output=True, timeout=500,
                              env=dict(os.environ, **(env or {})), **kwargs)
        if want is not None:
            self.assertEqual(done.returncode, want, f"{args}: exit {done.returncode}\n"
                             f"{done.stdout.decode(errors='replace')[-2000:]}\n"
                             f"{done.stderr.decode(errors='replace')[-4000:]}")
        return done

    def run_orders(self, *args, want=GOOD, **kwargs):
        """`orders run`; the report as JSON, and what it said on standard error."""
        done = self.orders("run", "--db", self.db, "--json", "--quiet", *args, want=want, **kwargs)
        report = json.loads(done.stdout) if done.stdout else None
        return report, done.stderr.decode()

    def write(self, data, name="orders.csv"):
        path = self.dir / name
        path.write_bytes(data)
        return path

    def books(self, db=None):
        """What the books hold, without the run that filled them and the name of the file."""
        report = json.loads(self.orders("report", "--db", db or self.db, "--json").stdout)
        del report["database"]
        return report

    def verify(self, db=None, want=GOOD):
        result = json.loads(self.orders("verify", "--db", db or self.db, "--json",
                                        want=want).stdout)
        return {check["check"]: check for check in result["checks"]}

    def query(self, sql, *values, db=None):
        connection = sqlite3.connect(db or self.db)
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()


def by(rows, *names):
    """Rows of a report table as a dictionary."""
    return {tuple(row[n] for n in names) if len(names) > 1 else row[names[0]]: row
            for row in rows}


_shared = None


def shared_dir():
    """A folder for what several tests of one program use."""
    global _shared
    if _shared is None:
        _shared = pathlib.Path(tempfile.mkdtemp(prefix="orders-e2e-"))
        atexit.register(shutil.rmtree, _shared, ignore_errors=True)
    return _shared


def main():
    unittest.main(verbosity=2)
