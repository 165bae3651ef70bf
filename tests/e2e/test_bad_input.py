"""Bad input of every kind: a message that names the line and what is wrong with it, the rest of
the file is processed, nothing is lost, the exit code is not zero; and the good file ends well."""
import lzma
import os
import random
import subprocess
import unittest

import lib
from lib import HEADER, line

GOOD_BEFORE = line("100001") + line("100001", code="84879")
GOOD_AFTER = line("100003") + line("100003", code="84879")

# Each bad line stands as line 4, in an order "100002" of its own; what must be said of it.
BAD_LINES = {
    "seven fields": (b"100002,22423,X,1,2010-12-01 08:26:00,1.00,17850\n", "7 fields, want 8"),
    "nine fields": (line("100002").strip() + b",more\n", "9 fields, want 8"),
    "forty fields": (b"100002" + b"," * 40 + b"\n", "more than 16 fields"),
    "no fields": (b"what is this?\n", "1 fields, want 8"),
    "quote never closed": (line("100002", description='"OPEN'), "never closed"),
    "text after a quote": (line("100002", description='"A"B'), "text after its closing quote"),
    "quote amid text": (line("100002", description='A"B"'), "quote inside unquoted text"),
    "NUL": (line("100002", description="A\0B"), "NUL"),
    "field too long": (line("100002", description="A" * 4097), "4097 bytes, want at most 4096"),
    "quoted field too long": (line("100002", description='"' + "A" * 4097 + '"'),
                              "4097 bytes, want at most 4096"),
    "line too long": (line("100002", description="A" * 70000), "more than 65536 bytes"),
    "line far too long": (line("100002", description="A" * 3000000), "more than 65536 bytes"),
    "invalid UTF-8": (line("100002").replace(b"CAKE", b"CAK\xe9"), "not valid UTF-8"),
    "overlong UTF-8": (line("100002").replace(b"CAKE", b"\xc0\xaf"), "not valid UTF-8"),
    "surrogate": (line("100002").replace(b"CAKE", b"\xed\xa0\x80"), "not valid UTF-8"),
    "cut UTF-8": (line("100002", country="").strip() + b"\xe2\x82\n", "not valid UTF-8"),
    "empty number": (line(""), "InvoiceNo is ''"),
    "number with a space": (line("1000 02"), "InvoiceNo is '1000 02'"),
    "number too long": (line("1" * 32), "InvoiceNo is '" + "1" * 32 + "'"),
    "no code": (line("100002", code=""), "StockCode is ''"),
    "code too long": (line("100002", code="1" * 64), "StockCode is '1111"),
    "no quantity": (line("100002", quantity=""), "Quantity is ''"),
    "quantity is a word": (line("100002", quantity="two"), "Quantity is 'two'"),
    "broken quantity": (line("100002", quantity="1.5"), "Quantity is '1.5'"),
    "quantity out of range": (line("100002", quantity="10000001"), "Quantity is '10000001'"),
    "quantity far out of range": (line("100002", quantity="9" * 40), "Quantity is '9999"),
    "quantity in hexadecimal": (line("100002", quantity="0x10"), "Quantity is '0x10'"),
    "no price": (line("100002", price=""), "UnitPrice is ''"),
    "price with four places": (line("100002", price="1.2345"), "UnitPrice is '1.2345'"),
    "price with an exponent": (line("100002", price="1e3"), "UnitPrice is '1e3'"),
    "price that is none": (line("100002", price="nan"), "UnitPrice is 'nan'"),
    "price out of range": (line("100002", price="10000000.001"), "UnitPrice is '10000000.001'"),
    "price far out of range": (line("100002", price="9" * 400), "UnitPrice is '9999"),
    "price of a point": (line("100002", price="."), "UnitPrice is '.'"),
    "price with a comma": (line("100002", price='"1,50"'), "UnitPrice is '1,50'"),
    "no date": (line("100002", date=""), "InvoiceDate is ''"),
    "30 February": (line("100002", date="2011-02-30 08:26:00"), "InvoiceDate is '2011-02-30"),
    "29 February": (line("100002", date="2011-02-29 08:26:00"), "InvoiceDate is '2011-02-29"),
    "month 13": (line("100002", date="2011-13-01 08:26:00"), "InvoiceDate is '2011-13-01"),
    "hour 24": (line("100002", date="2011-12-01 24:00:00"), "InvoiceDate is '2011-12-01 24"),
    "another layout": (line("100002", date="12/1/2010 8:26"), "InvoiceDate is '12/1/2010 8:26'"),
    "customer is a word": (line("100002", customer="me"), "CustomerID is 'me'"),
    "negative customer": (line("100002", customer="-5"), "CustomerID is '-5'"),
    "customer out of range": (line("100002", customer="4294967296"), "CustomerID is '4294967296'"),
    "broken customer": (line("100002", customer="17850.5"), "CustomerID is '17850.5'"),
    "no country": (line("100002", country=""), "Country is ''"),
    "country too long": (line("100002", country="X" * 64), "Country is 'XXXX"),
}


class BadInput(lib.Case):
    def test_each_bad_line(self):
        for name, (bad, want) in BAD_LINES.items():
            with self.subTest(name):
                self.db = self.dir / f"{name}.db".replace(" ", "-")
                path = self.write(HEADER + GOOD_BEFORE + bad + GOOD_AFTER)
                report, said = self.run_orders("--data", path, want=lib.WRONG)
                self.assertIn(want, said)
                self.assertIn("line 4:", said)
                run = report["run"]
                self.assertEqual((run["lines_read"], run["lines_entered"], run["refused_lines"]),
                                 (5, 4, 1))
                self.assertTrue(run["lines_accounted"])
                self.assertEqual([k for (k,) in self.query("SELECT key FROM orders ORDER BY id")],
                                 ["100001", "100003"])
                (source_line, detail), = self.query("SELECT source_line, detail FROM refusals")
                self.assertEqual(source_line, 4)
                self.assertIn(want[:100], detail)
                self.verify()
                before = self.books()
                self.run_orders("--data", path, want=lib.WRONG)  # said again, entered once
                self.assertEqual(self.books(), before)
                # The corrected file gets the order in.
                self.write(HEADER + GOOD_BEFORE + line("100002") + GOOD_AFTER)
                report, _ = self.run_orders("--data", path)
                self.assertEqual((report["run"]["orders_known"], report["run"]["orders_entered"]),
                                 (2, 1))

    def test_a_bad_line_spoils_its_whole_order(self):
        """Half an order is no order: none of its lines is entered, each is accounted for."""
        for name in ("NUL", "invalid UTF-8", "line too long", "quantity is a word", "nine fields",
                     "quote never closed", "field too long"):
            with self.subTest(name):
                self.db = self.dir / f"{name}.db"
                bad, want = BAD_LINES[name]
                path = self.write(HEADER + GOOD_BEFORE + line("100002") + bad +
                                  line("100002", code="84879") + GOOD_AFTER)
                report, said = self.run_orders("--data", path, want=lib.WRONG)
                self.assertIn("order 100002 is refused: line 5:", said)
                self.assertIn(want[:60], said)
                run = report["run"]
                self.assertEqual((run["lines_read"], run["lines_entered"], run["refused_lines"]),
                                 (7, 4, 3))
                self.assertEqual(report["refusals"][0]["lines"], 3)
                self.verify()

    def refused_header(self, data, want):
        path = self.write(data)
        report, said = self.run_orders("--data", path, want=lib.CANNOT)
        self.assertIsNone(report)
        self.assertIn(want, said)
        self.assertIn("orders.csv", said)
        self.assertFalse(self.db.exists(), "a wrong file leaves no database behind")

    def test_wrong_columns(self):
        names = HEADER.strip().split(b",")
        for i, name in enumerate(names):
            with self.subTest(name):
                missing = b",".join(names[:i] + names[i + 1:]) + b"\n"
                self.refused_header(missing + line(), f"line 1: ")
                renamed = b",".join(names[:i] + [b"Wrong"] + names[i + 1:]) + b"\n"
                self.refused_header(renamed + line(),
                                    f"line 1: column {i + 1} is 'Wrong', want '{name.decode()}'")
        self.refused_header(HEADER.strip() + b",More\n" + line(), "line 1: 9 columns, want 8")
        self.refused_header(b"\n\n" + line(), "line 3: column 1 is '536365', want 'InvoiceNo'")
        self.refused_header(HEADER.replace(b",", b";"), "line 1: ")
        self.refused_header(HEADER.decode().encode("utf-16"), "line 1: ")
        self.refused_header(b"\0\0\0\0\n", "line 1: ")
        self.refused_header(b'"InvoiceNo\n' + line(), "line 1: ")
        self.refused_header(b"X" * 200000, "line 1: the line has more than 65536 bytes")

    def test_empty_inputs(self):
        for data in (b"", b"\n\n\r\n", b"\xef\xbb\xbf"):
            self.refused_header(data, "is empty, want a header line")
        report, _ = self.run_orders("--data", self.write(HEADER))
        self.assertEqual(report["run"]["lines_read"], 0)
        self.assertTrue(report["balanced"])
        self.verify()

    def test_no_file(self):
        _, said = self.run_orders("--data", self.dir / "none.csv", want=lib.CANNOT)
        self.assertRegex(said, r"none\.csv' cannot be opened: No such file")
        _, said = self.run_orders("--data", self.dir, want=lib.CANNOT)
        self.assertIn("is a directory, want a CSV file", said)
        self.assertFalse(self.db.exists())

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_no_permission(self):
        path = self.write(HEADER)
        path.chmod(0)
        _, said = self.run_orders("--data", path, want=lib.CANNOT)
        self.assertIn("cannot be opened: Permission denied", said)

    def test_layouts_that_are_fine(self):
        """Line ends, a byte order mark, quotes, empty lines and a missing last line end."""
        body = GOOD_BEFORE + GOOD_AFTER
        plain = HEADER + body
        quoted = HEADER + b"".join(
            b",".join(b'"' + f + b'"' for f in text.split(b",")) + b"\n"
            for text in body.strip().split(b"\n"))
        books = None
        for name, data in {"plain": plain, "crlf": plain.replace(b"\n", b"\r\n"),
                           "bom": b"\xef\xbb\xbf" + plain, "no end": plain[:-1],
                           "empty lines": plain.replace(b"\n", b"\n\n")}.items():
            with self.subTest(name):
                self.db = self.dir / f"{name}.db"
                report, said = self.run_orders("--data", self.write(data))
                self.assertEqual(report["run"]["lines_entered"], 4)
                self.assertEqual(said, "")
                books = books or self.books()
                self.assertEqual(self.books(), books)
        self.db = self.dir / "quoted.db"
        report, _ = self.run_orders("--data", self.write(quoted))
        self.assertEqual(report["lines"], books["lines"])

    def test_quotes_that_are_fine(self):
        path = self.write(HEADER + line("1", description='"A, ""B"" and\nC"') + line("2"))
        report, _ = self.run_orders("--data", path)
        self.assertEqual(report["run"]["lines_entered"], 2)
        self.assertEqual(self.query("SELECT description FROM products"), [('A, "B" and\nC',)])
        path = self.write(HEADER + line("3", description='"A\nB"') + line("4", quantity="x"))
        _, said = self.run_orders("--data", path, want=lib.WRONG)
        self.assertIn("line 4: Quantity is 'x'", said)  # a record of two lines counts as two

    def test_pipe(self):
        fifo = self.dir / "fifo"
        os.mkfifo(fifo)
        with subprocess.Popen(["sh", "-c", f'printf "%s" "$TEXT" > {fifo}'], env=dict(
                os.environ, TEXT=(HEADER + GOOD_BEFORE).decode())) as writer:
            report, _ = self.run_orders("--data", fifo)
            writer.wait()
        self.assertEqual(report["run"]["lines_entered"], 2)

    def test_number_used_for_something_else(self):
        self.run_orders("--data", self.write(HEADER + line("7") + line("8")))
        path = self.write(HEADER + line("7", quantity="3") + line("8") + line("9"))
        report, said = self.run_orders("--data", path, want=lib.WRONG)
        self.assertIn("number 7 was entered before with other content", said)
        self.assertIn("line 2", said)
        run = report["run"]
        self.assertEqual((run["orders_entered"], run["orders_known"], run["refused"]), (1, 1, 1))
        self.assertEqual(self.query("SELECT quantity FROM lines WHERE id >> 16 = 1"), [(2,)])
        self.verify()

    def test_number_used_twice_within_a_file(self):
        others = b"".join(line(str(n)) for n in range(20, 40))
        path = self.write(HEADER + line("7") + others + line("7", quantity="3") + others +
                          line("7"))
        report, said = self.run_orders("--data", path, want=lib.WRONG)
        self.assertIn("number 7 was entered before with other content", said)
        run = report["run"]
        self.assertEqual((run["orders_entered"], run["orders_known"], run["refused"]),
                         (21, 21, 1))
        self.assertTrue(run["lines_accounted"])

    def test_two_customers_in_one_order(self):
        path = self.write(HEADER + line("7") + line("7", customer="1") + line("8"))
        _, said = self.run_orders("--data", path, want=lib.WRONG)
        self.assertIn("order 7 is refused: line 3: another customer or country", said)

    def test_orders_beyond_all_bounds(self):
        many = b"".join(line("7", code=str(10000 + n % 70000)) for n in range(65600))
        report, said = self.run_orders("--data", self.write(HEADER + many + line("8")),
                                       want=lib.WRONG)
        self.assertIn("order 7 is refused: line 65537: more than 65,535 lines or 16 MiB", said)
        run = report["run"]
        self.assertEqual((run["lines_read"], run["refused_lines"], run["lines_entered"]),
                         (65601, 65600, 1))
        most = line("9", quantity="10000000", price="10000000")
        _, said = self.run_orders("--data", self.write(HEADER + most * 110), want=lib.WRONG)
        self.assertIn("amount is out of range", said)
        self.verify()

    def test_what_is_quoted_is_made_harmless(self):
        """Escape sequences of an input must not reach the terminal, nor cut characters the books."""
        hostile = "\x1b[2J\x07\u009b31m\x7f"
        path = self.write(lib.HEADER + line("1", quantity=hostile) +
                          line("2", quantity="x" * 47 + "\u20ac" * 20) +
                          line("3", date="\u20ac" * 60))
        _, said = self.run_orders("--data", path, want=lib.WRONG)
        self.assertIn("Quantity is '?[2J???31m?'", said)
        self.assertFalse(any(ord(c) < 32 and c != "\n" or 127 <= ord(c) < 160 for c in said))
        for (detail,) in self.query("SELECT CAST(detail AS BLOB) FROM refusals"):
            self.assertTrue(detail.decode().isprintable())

    def test_many_complaints_are_cut_short_but_kept(self):
        path = self.write(HEADER + b"".join(line(str(n), quantity="x") for n in range(100)))
        _, said = self.run_orders("--data", path, want=lib.WRONG)
        self.assertIn("and 80 more; all are in the database", said)
        self.assertEqual(self.query("SELECT count(*) FROM refusals"), [(100,)])

    # ---- .xz ---------------------------------------------------------------

    def test_xz_is_known_by_its_content(self):
        path = self.write(lzma.compress(HEADER + GOOD_BEFORE), "orders.csv")
        report, _ = self.run_orders("--data", path)
        self.assertEqual(report["run"]["lines_entered"], 2)
        two = lzma.compress(HEADER + line("5")) + lzma.compress(line("6"))
        report, _ = self.run_orders("--data", self.write(two))
        self.assertEqual(report["run"]["orders_entered"], 2)

    def damaged(self, data, whole, orders):
        """A damaged archive: what can be read is entered; then the whole file ends well."""
        for path in self.dir.glob("books.db*"):
            path.unlink()
        report, said = self.run_orders("--data", self.write(data, "d.xz"), want=None)
        self.assertRegex(said, r"d\.xz' (is a damaged \.xz file|line \d+|is empty)")
        if not report and "found by line" in said:  # known before anything was entered
            self.assertIn("nothing of it was entered", said)
            self.assertFalse(self.db.exists())
        if report:
            self.assertRegex(said, r"line \d+ and all after it cannot be read")
            run = report["run"]
            self.assertTrue(run["lines_accounted"] and run["messages_accounted"])
            self.verify()
            entered = run["orders_entered"]
        else:
            entered = 0
        report, _ = self.run_orders("--data", whole)
        self.assertEqual((report["run"]["orders_known"], report["run"]["orders_entered"]),
                         (entered, orders - entered))
        self.verify()
        return entered

    def archive(self):
        orders = 120
        text = self.orders("generate", "--generate", orders, "--seed", 6).stdout
        packed = lzma.compress(text, check=lzma.CHECK_CRC64)
        return packed, self.write(packed, "whole.xz"), orders

    def test_truncated_xz(self):
        packed, whole, orders = self.archive()
        rounds = 3 if lib.SANITIZED else 12
        entered = [self.damaged(packed[:size], whole, orders) for size in
                   range(len(packed) // rounds, len(packed), len(packed) // rounds)]
        self.assertGreater(max(entered), orders // 2)
        self.damaged(packed[:-1], whole, orders)
        self.damaged(packed[:8], whole, orders)

    def test_corrupt_xz(self):
        packed, whole, orders = self.archive()
        dice = random.Random(12)
        for _ in range(3 if lib.SANITIZED else 15):
            data = bytearray(packed)
            data[dice.randrange(12, len(data))] ^= 1 << dice.randrange(8)
            # Where one bit is wrong, none is believed: no order is entered that nobody placed.
            self.assertEqual(self.damaged(bytes(data), whole, orders), 0)
        self.damaged(packed + b"something else", whole, orders)

    def test_cut_csv(self):
        text = self.orders("generate", "--generate", 30, "--seed", 6).stdout
        dice = random.Random(4)
        for size in [dice.randrange(len(HEADER), len(text)) for _ in range(8)]:
            for path in self.dir.glob("books.db*"):
                path.unlink()
            report, _ = self.run_orders("--data", self.write(text[:size]), want=None)
            self.assertTrue(report["run"]["lines_accounted"])
            self.assertEqual(report["run"]["lines_read"], text[:size].rstrip(b"\n").count(b"\n"))
            self.verify()

    def test_random_damage(self):
        """Whatever the bytes: an exit code of ours, every line accounted for, good books."""
        text = self.orders("generate", "--generate", 40, "--seed", 2, "--lines", 4).stdout
        dice = random.Random(99)
        pieces = [b'"', b",", b"\n", b"\0", b"\xff", b"-", b"9" * 30, b'""', b"\r\n", b"C", b".5"]
        for number in range(10 if lib.SANITIZED else 60):
            data = bytearray(text)
            for _ in range(dice.randrange(1, 40)):
                at = dice.randrange(len(HEADER), len(data))
                data[at:at + dice.choice((0, 1, 1, 30))] = dice.choice(pieces)
            self.db = self.dir / f"random{number}.db"
            report, _ = self.run_orders("--data", self.write(bytes(data)), want=None)
            self.assertIsNotNone(report, f"round {number}")
            self.assertTrue(report["run"]["lines_accounted"], f"round {number}")
            self.assertTrue(report["run"]["messages_accounted"], f"round {number}")
            self.verify()


if __name__ == "__main__":
    lib.main()
