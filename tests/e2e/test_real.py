"""The real file through `orders run`, held against an independent count of it."""
import lzma
import unittest

import lib
import oracle

# The figures of the data set's own description.
README = {
    "orders that cancel": 3836, "lines of these": 9288, "lines with a negative quantity": 10624,
    "of them outside cancellations": 1336, "lines with no price": 2515,
    "lines with a negative price": 2, "orders without a customer": 3710,
    "lines of orders without a customer": 135080, "lines without a description": 1454,
    "lines that repeat one of their order": 5268, "codes that are no product": 33,
    "orders with two timestamps": 43, "prices with three decimals": 4,
    "lines of the largest order": 1114,
}
# Counted by the oracle, for the guide: its own definitions.
OWN = {"lines with such a code": 2995, "outliers, beyond 10,000 pieces or 10,000.00": 18}
TOTALS = ("10,666,684.54", "896,812.49", "9,747,747.93")
SLICE_LINES = 20000  # for sanitizers, which take their time


def take_slice(path):
    """The first lines of the file, with whole orders."""
    part = lib.shared_dir() / "slice.csv"
    with lzma.open(path, "rb") as whole, part.open("wb") as out:
        last = None
        for number, text in enumerate(whole):
            key = text.split(b",", 1)[0]
            if number > SLICE_LINES and key != last:
                break
            last = key
            out.write(text)
    return part


class Real(lib.Case):
    @classmethod
    def setUpClass(cls):
        cls.whole = not lib.SANITIZED
        path = lib.need_real_data()
        cls.path = path if cls.whole else take_slice(path)
        cls.expected = oracle.expect(cls.path)
        cls.kept = lib.shared_dir() / "real.db"
        probe = cls("run_orders")
        probe.db = cls.kept
        cls.report, cls.said = probe.run_orders("--data", cls.path)

    def test_every_line_is_accounted_for(self):
        run = self.report["run"]
        self.assertEqual(run["lines_read"], self.expected["lines"])
        self.assertEqual(run["lines_entered"], self.expected["lines"])
        self.assertEqual(run["refused"], 0)
        self.assertTrue(run["lines_accounted"] and run["messages_accounted"])
        self.assertEqual(sum(row["lines"] for row in self.report["lines"]),
                         self.expected["lines"])
        self.assertEqual(sum(row["lines"] for row in self.report["orders"]),
                         self.expected["lines"])
        if self.whole:
            self.assertEqual(run["lines_read"], 541909)
            self.assertEqual(run["orders_entered"], 25900)

    def test_totals_agree_to_the_penny(self):
        got = {row["total"]: (row["lines"], row["amount"], row["rounded_off"])
               for row in self.report["totals"]}
        self.assertEqual(got, self.expected["totals"])
        if self.whole:
            self.assertEqual(got["positive sales"][1:], (1066668454, 4))
            self.assertEqual(got["cancellations"], (9288, -89681249, 0))
            self.assertEqual(got["gross"], (541909, 974774793, 4))

    def test_every_kind_of_dirt_has_its_count(self):
        got = {row["what"]: row["count"] for row in self.report["noticed"]}
        self.assertEqual(got, self.expected["dirt"])
        if self.whole:
            self.assertEqual(got, README | OWN)

    def test_outcomes_of_lines(self):
        got = {row["outcome"]: (row["lines"], row["amount"]) for row in self.report["lines"]}
        self.assertEqual(got, self.expected["outcomes"])

    def test_states_of_orders(self):
        got = {(row["state"], row["reason"] or "none"): (row["orders"], row["lines"])
               for row in self.report["orders"]}
        self.assertEqual(got, self.expected["states"])

    def test_ledger(self):
        got = {row["account"]: row["balance"] for row in self.report["ledger"] if row["entries"]}
        self.assertEqual(got, self.expected["ledger"])
        self.assertEqual(sum(got.values()), 0)
        self.assertTrue(self.report["balanced"])

    def test_verified(self):
        self.assertTrue(all(check["good"] for check in self.verify(self.kept).values()))

    def test_the_same_file_again_changes_nothing(self):
        before = self.books(self.kept)
        self.db = self.kept
        report, _ = self.run_orders("--data", self.path)
        run = report["run"]
        self.assertEqual(run["orders_known"], self.expected["orders"])
        self.assertEqual(run["lines_known"], self.expected["lines"])
        self.assertEqual((run["orders_entered"], run["refused"], run["notices"]), (0, 0, 0))
        self.assertEqual(self.books(self.kept), before)
        self.assertTrue(all(check["good"] for check in self.verify(self.kept).values()))

    def test_any_number_of_workers_gives_the_same_books(self):
        before = self.books(self.kept)
        for workers in (1, 3):
            self.db = self.dir / f"w{workers}.db"
            self.run_orders("--data", self.path, "--workers", workers)
            self.assertEqual(self.books(), before)


if __name__ == "__main__":
    lib.need_real_data()
    unittest.main(verbosity=2)
