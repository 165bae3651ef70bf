"""`orders verify` finds planted damage of every kind, in books that were good before; also where
the hash chain was forged to fit, so that every other check stands on its own."""
import hashlib
import shutil
import sqlite3
import struct
import subprocess
import unittest

import lib

WALK = "every order is whole, in one final state, captured at most once"
BALANCE = "debits equal credits"
CHAIN = "the hash chain holds"
STOCK = "stock: on hand = initial + received - sold - written off, never below zero"
BEGAN = "stock began as the books say, and nothing was got in where it is bounded"
META = "the books say with what stock and in which currency they began"
MOVED = "stock moved by exactly what the lines say"
PRODUCT = "every line names a known product"
RETURNS = "a return reverses an earlier sale to the same customer at the same price"
TOO_MUCH = "no sale is reversed by more than was sold"
CUSTOMER = "lines carry their order's customer"
ACCOUNTS = "every account is known and in one currency"
NOTICES = "notices were given for entered orders only"
TWICE = "no order number is entered twice"
SOUND = "the file is sound"

SALE = "(SELECT min(o.id) FROM orders o WHERE o.kind=0 AND o.state=0 AND o.amount>0 AND o.lines>2" \
       " AND o.id>40)"
DECLINED = "(SELECT min(id) FROM orders WHERE state=1 AND reason=2)"
REFUNDED = "(SELECT min(id) FROM orders WHERE state=2)"
LINE = f"(SELECT min(id) FROM lines WHERE id >> 16 = {SALE} AND outcome=0)"
RETURN = "(SELECT min(id) FROM lines WHERE outcome=2)"
OWN = f"(SELECT amount FROM lines WHERE id={LINE})"

# What is planted, and the check that must find it. With FORGED the chain is made to fit.
FORGED = True
DAMAGE = [
    ("altered amount of a line", f"UPDATE lines SET amount=amount+1 WHERE id={LINE}", WALK, FORGED),
    ("altered price of a line", f"UPDATE lines SET price=price+10 WHERE id={LINE}", WALK, FORGED),
    ("altered quantity, the amount fits", f"UPDATE lines SET quantity=quantity+1,"
     f" amount=((quantity+1)*price+5)/10 WHERE id={LINE}", WALK, FORGED),
    ("altered amount of an order", f"UPDATE orders SET amount=amount+100 WHERE id={SALE}", WALK,
     FORGED),
    ("altered customer", f"UPDATE orders SET customer=customer+1 WHERE id={SALE}", CUSTOMER,
     FORGED),
    ("altered customer of a line", f"UPDATE lines SET customer=customer+1 WHERE id={LINE}",
     CUSTOMER, FORGED),
    ("altered time", f"UPDATE orders SET placed_at=placed_at+1 WHERE id={SALE}", CHAIN, False),
    ("altered content", f"UPDATE orders SET content=zeroblob(32) WHERE id={SALE}", CHAIN, False),
    ("altered flags", f"UPDATE lines SET flags=flags | 1 WHERE id={LINE}", CHAIN, False),
    ("altered number", f"UPDATE orders SET key='999999999' WHERE id={SALE}", CHAIN, False),
    ("altered kind", f"UPDATE orders SET kind=2 WHERE id={SALE}", WALK, FORGED),
    ("broken chain", f"UPDATE orders SET chain=zeroblob(32) WHERE id={SALE}", CHAIN, False),
    ("cut chain", f"UPDATE orders SET chain=x'00' WHERE id={SALE}", CHAIN, False),
    ("chain broken at the end",
     "UPDATE orders SET chain=zeroblob(32) WHERE id=(SELECT max(id) FROM orders)", CHAIN, False),
    ("missing posting", f"DELETE FROM entries WHERE id=(SELECT min(id) FROM entries WHERE"
     f" order_id={SALE})", BALANCE, FORGED),
    ("missing postings of an order", f"DELETE FROM entries WHERE order_id={SALE}", WALK, FORGED),
    ("altered posting", f"UPDATE entries SET amount=amount+1 WHERE id=(SELECT min(id) FROM entries"
     f" WHERE order_id={SALE})", BALANCE, FORGED),
    ("posting to another account", f"UPDATE entries SET account=4 WHERE id=(SELECT max(id) FROM"
     f" entries WHERE order_id={SALE})", WALK, FORGED),
    ("posting to no account", f"UPDATE entries SET account=99 WHERE id=(SELECT max(id) FROM"
     f" entries WHERE order_id={SALE})", WALK, FORGED),
    ("postings nobody ordered", "INSERT INTO entries SELECT max(id)+1, 1000000, 0, 5 FROM entries;"
     "INSERT INTO entries SELECT max(id)+1, 1000000, 1, -5 FROM entries", WALK, FORGED),
    ("double capture", f"CREATE TEMP TABLE e AS SELECT order_id, account, amount FROM entries;"
     f"INSERT INTO e SELECT order_id, account, amount FROM entries WHERE order_id={SALE};"
     "DELETE FROM entries; INSERT INTO entries SELECT row_number() OVER (ORDER BY order_id),"
     " order_id, account, amount FROM e", WALK, FORGED),
    ("double capture that was given back", "CREATE TEMP TABLE e AS SELECT order_id, account, amount"
     f" FROM entries; INSERT INTO e VALUES({SALE}, 0, 500), ({SALE}, 0, -500);"
     "DELETE FROM entries; INSERT INTO entries SELECT row_number() OVER (ORDER BY order_id),"
     " order_id, account, amount FROM e", WALK, FORGED),
    ("capture of a declined order", "CREATE TEMP TABLE e AS SELECT order_id, account, amount FROM"
     f" entries; INSERT INTO e VALUES({DECLINED}, 0, 500), ({DECLINED}, 1, -500);"
     "DELETE FROM entries; INSERT INTO entries SELECT row_number() OVER (ORDER BY order_id),"
     " order_id, account, amount FROM e", WALK, FORGED),
    ("refund that was not paid out", "CREATE TEMP TABLE e AS SELECT order_id, account, amount FROM"
     f" entries WHERE NOT (order_id={REFUNDED} AND ((account=0 AND amount<0) OR (account=4 AND"
     " amount>0)));"
     "DELETE FROM entries; INSERT INTO entries SELECT row_number() OVER (ORDER BY order_id),"
     " order_id, account, amount FROM e", WALK, FORGED),
    ("order without a final state", f"UPDATE orders SET state=9 WHERE id={SALE}", WALK, FORGED),
    ("order in another state", f"UPDATE orders SET state=3 WHERE id={SALE}", WALK, FORGED),
    ("declined order that is fulfilled", f"UPDATE orders SET state=0 WHERE id={DECLINED}", WALK,
     FORGED),
    ("line with no outcome", f"UPDATE lines SET outcome=77 WHERE id={LINE}", WALK, FORGED),
    ("line with another outcome", f"UPDATE lines SET outcome=5 WHERE id={LINE}", WALK, FORGED),
    ("return within a sale", f"UPDATE lines SET outcome=2 WHERE id={LINE}", WALK, FORGED),
    ("lost line, the last", f"DELETE FROM lines WHERE id=(SELECT max(id) FROM lines WHERE"
     f" id >> 16 = {SALE})", WALK, FORGED),
    ("lost line, amid others", f"DELETE FROM lines WHERE id=({SALE} << 16) + 1", WALK, FORGED),
    ("line of no order", "INSERT INTO lines SELECT ((SELECT max(id) FROM orders)+5) << 16, product,"
     f" quantity, price, amount, 8, flags, 0, 0, 0 FROM lines WHERE id={LINE}", WALK, FORGED),
    ("lost order", f"DELETE FROM entries WHERE order_id={SALE}; DELETE FROM lines WHERE"
     f" id >> 16 = {SALE}; DELETE FROM orders WHERE id={SALE}", WALK, FORGED),
    ("lost order, the last", "DELETE FROM entries WHERE order_id=(SELECT max(id) FROM orders);"
     "DELETE FROM lines WHERE id >> 16 = (SELECT max(id) FROM orders);"
     "DELETE FROM orders WHERE id=(SELECT max(id) FROM orders)", NOTICES, FORGED),
    ("number entered twice", "CREATE TABLE o AS SELECT * FROM orders; DROP TABLE orders;"
     f"UPDATE o SET key=(SELECT key FROM o WHERE id=3) WHERE id=2; ALTER TABLE o RENAME TO orders",
     TWICE, FORGED),
    ("oversold", "UPDATE products SET sold=sold+on_hand+1, on_hand=-1 WHERE id=1", STOCK, FORGED),
    ("stock that does not add up", "UPDATE products SET on_hand=on_hand+1 WHERE id=1", STOCK,
     FORGED),
    ("stock moved by nothing", "UPDATE products SET sold=sold+1, on_hand=on_hand-1 WHERE id=1",
     MOVED, FORGED),
    ("written off by nothing", "UPDATE products SET written_off=written_off+1, on_hand=on_hand-1"
     " WHERE id=1", MOVED, FORGED),
    ("returned by nothing", "UPDATE products SET returned=returned+1 WHERE id=1", MOVED, FORGED),
    ("stock out of nowhere", "UPDATE products SET initial=initial+9, on_hand=on_hand+9 WHERE id=1",
     BEGAN, FORGED),
    ("stock got in", "UPDATE products SET received=9, on_hand=on_hand+9 WHERE id=1", BEGAN, FORGED),
    ("no stock rule", "DELETE FROM meta WHERE name='stock'", META, FORGED),
    ("unknown product", f"DELETE FROM products WHERE id=(SELECT product FROM lines WHERE"
     f" id={LINE})", PRODUCT, FORGED),
    ("return of a later sale", f"UPDATE lines SET reverses=(SELECT max(id) FROM lines WHERE"
     f" outcome=0) WHERE id={RETURN}", RETURNS, FORGED),
    ("return of nothing", f"UPDATE lines SET reverses=0 WHERE id={RETURN}", RETURNS, FORGED),
    ("sale returned too often", f"UPDATE lines SET returned=quantity+1 WHERE id=(SELECT reverses"
     f" FROM lines WHERE id={RETURN})", TOO_MUCH, FORGED),
    ("return forgotten", f"UPDATE lines SET returned=0 WHERE id=(SELECT reverses FROM lines WHERE"
     f" id={RETURN})", TOO_MUCH, FORGED),
    ("account gone", "DELETE FROM accounts WHERE id=4", ACCOUNTS, FORGED),
    ("account in another currency", "UPDATE accounts SET currency='EUR' WHERE id=4", ACCOUNTS,
     FORGED),
    ("notices ahead of orders", "UPDATE cursors SET position=1000000", NOTICES, FORGED),
    ("notices below zero", "UPDATE cursors SET position=-1", NOTICES, FORGED),
]


def chain_of(db):
    """The chain from the database, worked out from docs/reference/orders-ledger.md."""
    link = bytes(32)
    lines, entries = {}, {}
    for row in db.execute("SELECT id, product, quantity, price, amount, outcome, flags, reverses"
                          " FROM lines ORDER BY id"):
        lines.setdefault(row[0] >> 16, []).append(row[1:])
    for row in db.execute("SELECT order_id, account, amount FROM entries ORDER BY id"):
        entries.setdefault(row[0], []).append(row[1:])
    for row in db.execute("SELECT id, kind, state, reason, flags, customer, country, placed_at,"
                          " lines, amount, content, key FROM orders ORDER BY id").fetchall():
        numbers = list(row[:10])
        for line in lines.get(row[0], []):
            numbers += line
        for entry in entries.get(row[0], []):
            numbers += entry
        link = hashlib.sha256(link + row[10] + row[11].encode() + b"\0" +
                              struct.pack(f"<{len(numbers)}q", *numbers)).digest()
        yield row[0], link


def forge(db):
    db.executemany("UPDATE orders SET chain=? WHERE id=?",
                   [(link, number) for number, link in chain_of(db)])


class Verify(lib.Case):
    @classmethod
    def setUpClass(cls):
        cls.good = lib.shared_dir() / "good.db"
        maker = cls("run_orders")
        maker.db = cls.good
        maker.run_orders("--generate", 1200, "--seed", 8, "--declines", 60, "--stock", 400)

    def plant(self, sql, forged):
        shutil.copyfile(self.good, self.db)
        db = sqlite3.connect(self.db)
        before = db.execute("SELECT group_concat(quote(chain)) FROM orders").fetchall()
        db.executescript(sql)
        if forged:
            forge(db)
            after = db.execute("SELECT group_concat(quote(chain)) FROM orders").fetchall()
        else:
            after = None
        db.commit()
        changed = db.total_changes > 0 or before != after
        db.close()
        self.assertTrue(changed, "the damage did nothing")

    def test_the_good_books_are_good(self):
        checks = self.verify(self.good)
        self.assertTrue(all(check["good"] for check in checks.values()))
        # Every state and kind that the damage is planted in exists.
        for what in (SALE, DECLINED, REFUNDED, LINE, RETURN):
            self.assertIsNotNone(self.query(f"SELECT {what}", db=self.good)[0][0], what)

    def test_the_documented_chain_is_the_written_one(self):
        db = sqlite3.connect(self.good)
        written = db.execute("SELECT id, chain FROM orders ORDER BY id").fetchall()
        self.assertEqual(list(chain_of(db)), written)
        db.close()

    def test_every_kind_of_damage_is_found(self):
        for name, sql, finder, forged in DAMAGE:
            with self.subTest(name):
                self.plant(sql, forged)
                checks = self.verify(want=lib.WRONG)
                self.assertFalse(checks[finder]["good"], f"{finder} did not find it")
                if forged:
                    self.assertTrue(checks[CHAIN]["good"], "the forged chain fits")

    def test_every_alteration_breaks_the_chain(self):
        for name, sql, _, forged in DAMAGE:
            touches = any(word in sql for word in ("lines SET", "orders SET", "FROM lines",
                                                   "FROM entries", "entries SET"))
            outside = any(word in sql for word in ("lines SET customer", "lines SET returned",
                                                   "products", "max(id) FROM orders", "INTO"))
            if not forged or not touches or outside:
                continue
            with self.subTest(name):
                self.plant(sql, False)
                self.assertFalse(self.verify(want=lib.WRONG)[CHAIN]["good"])

    def test_damaged_pages_are_found(self):
        data = bytearray(self.good.read_bytes())
        found = 0
        for page in range(2, len(data) // 4096, max(1, len(data) // 4096 // 40)):
            damaged = bytearray(data)
            damaged[page * 4096 + 1:page * 4096 + 40] = b"\xaa" * 39
            self.db.write_bytes(damaged)
            done = self.orders("verify", "--db", self.db, want=None)
            self.assertIn(done.returncode, (lib.WRONG, lib.CANNOT), f"page {page}")
            self.assertTrue(done.stdout or done.stderr)
            found += 1
        self.assertGreater(found, 20)

    def test_cut_files_and_other_files(self):
        data = self.good.read_bytes()
        for size in (0, 10, 100, 4096, len(data) // 2, len(data) - 4096):
            self.db.write_bytes(data[:size])
            done = self.orders("verify", "--db", self.db, want=None)
            self.assertIn(done.returncode, (lib.WRONG, lib.CANNOT), f"{size} bytes")
        done = self.orders("verify", "--db", self.write(lib.HEADER), want=lib.CANNOT)
        self.assertIn(b"is not a database", done.stderr)
        done = self.orders("verify", "--db", self.dir / "none.db", want=lib.CANNOT)
        self.assertIn(b"none.db", done.stderr)
        self.assertFalse((self.dir / "none.db").exists())

    def test_it_shares_no_code_with_what_wrote(self):
        own = {}
        for name in ("verify.c", "verify_nodes.c", "verify_internal.h", "verify.h"):
            source = (lib.SOURCE / "apps/orders" / name).read_text()
            own[name] = {line for line in source.splitlines() if line.startswith('#include "')}
        both = {'#include "verify.h"', '#include "verify_internal.h"'}
        self.assertEqual(own["verify.h"], set())
        for name, includes in own.items():
            self.assertLessEqual(includes, both, name)
        objects = [path for name in ("verify.c.o", "verify_nodes.c.o") for path in
                   (lib.pathlib.Path(lib.os.environ["TROUPE_BUILD"]) / "apps/orders").rglob(name)]
        self.assertEqual(len(objects), 2)
        wanted = subprocess.run(["nm", "-u", *objects], check=True, capture_output=True,
                                text=True).stdout.split()
        every = subprocess.run(["nm", "--defined-only", lib.ORDERS], check=True,
                               capture_output=True, text=True).stdout.split("\n")
        ours = {line.split()[2] for line in every if len(line.split()) == 3 and
                line.split()[1] in "Tt" and line.split()[2].split("_")[0] in
                ("ord", "store", "rules", "csv", "intake", "sha", "doc", "dict", "known", "gate",
                 "flow", "json", "report", "tr", "tri", "outbox", "parcel", "node", "desk", "post")}
        self.assertGreater(len(ours), 20)
        self.assertEqual(ours & set(wanted), set())


if __name__ == "__main__":
    lib.main()
