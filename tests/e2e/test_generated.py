"""Made-up orders: the same seed gives the same bytes, with the real file's kinds of dirt in the
real file's proportions; and runs over them end in books that agree with an independent count."""
import hashlib
import unittest

import lib
import oracle

# Counts in the real file of 25,900 invoices, by which the generator is measured.
REAL = {
    "orders that cancel": 3836, "lines of these": 9288, "lines with a negative quantity": 10624,
    "of them outside cancellations": 1336, "lines with no price": 2515,
    "orders without a customer": 3710, "lines of orders without a customer": 135080,
    "lines without a description": 1454, "lines that repeat one of their order": 5268,
    "lines with such a code": 2995,
}
RARE = {"lines with a negative price": 2, "orders with two timestamps": 43,
        "prices with three decimals": 4}


class Generated(lib.Case):
    def generate(self, *args):
        return self.orders("generate", *args).stdout

    def test_same_seed_same_bytes(self):
        first = self.generate("--generate", 2000, "--seed", 5)
        self.assertEqual(first, self.generate("--generate", 2000, "--seed", 5))
        self.assertNotEqual(first, self.generate("--generate", 2000, "--seed", 6))
        path = self.dir / "out.csv"
        self.orders("generate", "--generate", 2000, "--seed", 5, "--out", path)
        self.assertEqual(first, path.read_bytes())

    def test_bytes_do_not_change_between_versions_or_machines(self):
        """Whoever keeps a seed keeps the orders: change this digest only on purpose."""
        digest = hashlib.sha256(self.generate("--generate", 1000, "--seed", 1)).hexdigest()
        self.assertEqual(digest, "5e3a71130ec9ab5f9da8de4f6ce0c1706d8e0756e15f86c6adf0080ef42c8475")

    def test_more_orders_begin_like_fewer(self):
        few, many = (self.generate("--generate", n) for n in (100, 300))
        self.assertTrue(many.startswith(few))

    def test_lines_option(self):
        rows = list(oracle.read(self.write(self.generate("--generate", 50, "--lines", 1))))
        self.assertEqual(len(rows), 50)
        self.assertEqual(len({row[0] for row in rows}), 50)

    @unittest.skipIf(lib.SANITIZED, "counts, no code paths")
    def test_proportions_of_dirt(self):
        path = self.write(self.generate("--generate", 25900, "--seed", 3))
        orders = oracle.gather(path)
        found = oracle.dirt(orders)
        self.assertEqual(len(orders), 25900)
        self.assertAlmostEqual(sum(len(o.lines) for o in orders), 541909, delta=541909 * 0.1)
        for what, count in REAL.items():
            self.assertAlmostEqual(found[what], count, delta=count * 0.15, msg=what)
        for what, count in RARE.items():
            self.assertLessEqual(found[what], 4 * count, msg=what)
        self.assertEqual(found["codes that are no product"], 33)
        self.assertGreater(found["orders with two timestamps"], 10)
        self.assertLessEqual(found["lines of the largest order"], 1114)

    def test_books_agree_with_the_oracle(self):
        path = self.write(self.generate("--generate", 300 if lib.SANITIZED else 3000))
        report, _ = self.run_orders("--data", path)
        expected = oracle.expect(path)
        self.assertEqual({row["outcome"]: (row["lines"], row["amount"])
                          for row in report["lines"]}, expected["outcomes"])
        self.assertEqual({row["what"]: row["count"] for row in report["noticed"]},
                         expected["dirt"])
        self.assertEqual({row["account"]: row["balance"] for row in report["ledger"]
                          if row["entries"]}, expected["ledger"])
        self.verify()

    def test_a_file_and_the_generator_give_the_same_books(self):
        path = self.write(self.generate("--generate", 500, "--seed", 4))
        self.run_orders("--data", path, "--seed", 4, "--declines", 50, "--late", 5)
        from_file = self.books()
        self.db = self.dir / "other.db"
        self.run_orders("--generate", 500, "--seed", 4, "--declines", 50, "--late", 5)
        self.assertEqual(self.books(), from_file)

    def test_every_outcome_of_payment_and_stock(self):
        report, _ = self.run_orders("--generate", 1500, "--seed", 9, "--declines", 100, "--late",
                                    10, "--stock", 150)
        reasons = lib.by(report["orders"], "state", "reason")
        self.assertIn(("rejected", "payment declined"), reasons)
        self.assertIn(("refunded", "out of stock after payment"), reasons)
        self.assertIn(("fulfilled", ""), reasons)
        self.verify()
        self.assertEqual(self.query("SELECT count(*) FROM products WHERE on_hand < 0"), [(0,)])
        held = lib.by(report["ledger"], "account")["customer money held"]
        self.assertGreater(held["debits"], 0)
        self.assertEqual(held["balance"], 0)

    def test_the_same_orders_again_change_nothing(self):
        args = ("--generate", 800, "--seed", 2)
        self.run_orders(*args)
        before = self.books()
        report, _ = self.run_orders(*args)
        self.assertEqual((report["run"]["orders_known"], report["run"]["orders_entered"]),
                         (800, 0))
        self.assertEqual(self.books(), before)

    def test_one_more_order_is_the_only_new_one(self):
        self.run_orders("--generate", 800, "--seed", 2)
        report, _ = self.run_orders("--generate", 801, "--seed", 2)
        self.assertEqual((report["run"]["orders_known"], report["run"]["orders_entered"]),
                         (800, 1))

    def test_notices_once_per_order(self):
        notices = self.dir / "notices.txt"
        for _ in range(2):
            self.run_orders("--generate", 400, "--notices", notices)
        keys = [text.split()[0] for text in notices.read_text().splitlines()]
        self.assertEqual(len(keys), 400)
        self.assertEqual(sorted(keys), sorted(k for (k,) in self.query("SELECT key FROM orders")))

    def test_other_stock_is_refused(self):
        self.run_orders("--generate", 50, "--stock", 100)
        _, said = self.run_orders("--generate", 60, "--stock", 90, want=lib.CANNOT)
        self.assertIn("begun with a stock of 100, not 90", said)


if __name__ == "__main__":
    lib.main()
