"""The three nodes in any mix of `orders node` and apps/orders/go, a protoactor-go program: each role by
either, and the books are those that one process makes, whoever keeps them."""
import itertools
import subprocess
import time

import go_programs
import lib
from nodes import PATIENCE, ROLES, Node, free_ports

ORDERS = 150
SEED = ("--seed", 23)
DECIDES = (*SEED, "--declines", 60)
KEEPS = ("--stock", 60)  # some orders are refunded


class GoNode(Node):
    """The same role, played by the Go program."""

    def __init__(self, case, role, addresses, dialect, *args):
        super().__init__(case, role, addresses, *args)
        self.db = case.dir / f"{role}.journal"
        peers = [word for peer in ROLES if peer != role
                 for word in ("--peer", f"{peer}={addresses[peer]}")]
        self.command = [str(word) for word in
                        (go_programs.build_node(dialect), "--role", role, "--listen",
                         addresses[role], *peers, "--db", self.db, *args)]


class Mix(lib.Case):
    def setUp(self):
        super().setUp()
        self.data = self.dir / "orders.csv"
        self.orders("generate", "--generate", ORDERS, *SEED, "--out", self.data)
        # Orders that are refused, too: one that cannot be read, one number with other content.
        bad = [lib.line(invoice="900001", price="x"), lib.line(invoice="900002", customer="4"),
               lib.line(invoice="900003", customer="5"), lib.line(invoice="900004", customer="6"),
               lib.line(invoice="900005", customer="7"), lib.line(invoice="900002", customer="8")]
        with open(self.data, "ab") as file:
            file.writelines(bad)
        self.one = self.dir / "one.db"
        self.orders("run", "--data", self.data, *DECIDES, *KEEPS, "--db", self.one, "--quiet",
                    want=lib.WRONG)

    def clear(self):
        for path in self.dir.glob("*"):
            if path not in (self.data, self.one):
                path.unlink()

    def start(self, by_go, dialect):
        addresses = {role: f"127.0.0.1:{port}" for role, port in zip(ROLES, free_ports(3))}
        self.provider, self.notices = self.dir / "provider", self.dir / "notices"
        self.acknowledged = self.dir / "acknowledged"
        args = {"gateway": ("--data", self.data, "--until-done", "--acknowledged",
                            self.acknowledged),
                "processing": (*DECIDES, "--provider", self.provider),
                "ledger": (*KEEPS, "--notices", self.notices)}
        self.nodes = {role: GoNode(self, role, addresses, dialect, *args[role]) if role in by_go
                      else Node(self, role, addresses, *args[role]) for role in ROLES}
        for node in self.nodes.values():
            node.start()

    def of_database(self, db):
        """What the books say, of a C node or of one process."""
        lines = collections_of(self.query(
            "SELECT id >> 16, outcome, reverses FROM lines ORDER BY id", db=db))
        return {
            "orders": [[*row[1:], *lines[row[0]]] for row in self.query(
                "SELECT id, key, kind, state, reason, flags, customer, placed_at, amount"
                " FROM orders ORDER BY id", db=db)],
            "refusals": sorted(map(list, self.query("SELECT key, reason, lines, amount"
                                                    " FROM refusals", db=db))),
            "stock": {code: numbers for code, *numbers in self.query(
                "SELECT code, received, sold, written_off, returned, on_hand FROM products",
                db=db)},
            "accounts": [self.query("SELECT coalesce(sum(amount), 0) FROM entries"
                                    " WHERE account = ?", account, db=db)[0][0]
                         for account in range(7)]}

    def told(self):
        return {tuple(line.split()) for line in self.notices.read_text().splitlines()}

    def finish(self, what):
        """The gateway ends when all orders have; then the others, when nothing is on the way."""
        go_gateway = isinstance(self.nodes["gateway"], GoNode)
        try:
            gateway = self.nodes["gateway"].end(None, want=lib.GOOD if go_gateway else lib.WRONG)
        except subprocess.TimeoutExpired:
            self.fail(f"{what}: not all orders end:\n" +
                      "".join(node.said() for node in self.nodes.values()))
        self.assertEqual(gateway["accepted"], gateway["ended"], what)
        refunds = self.query("SELECT key, amount FROM orders WHERE state = 2", db=self.one)
        owed = {f"refund {key} {amount}" for key, amount in refunds}
        expected = self.of_database(self.one)
        orders = [order[0] for order in expected["orders"]]
        end = time.monotonic() + PATIENCE
        while not owed <= set(self.provider.read_text().splitlines()) or \
                len(self.told()) < len(orders):
            self.assertLess(time.monotonic(), end, f"{what}: {owed} {len(self.told())}")
            time.sleep(0.01)
        self.nodes["processing"].end()
        ledger = self.nodes["ledger"].end()
        expected["refusals"].sort()
        if isinstance(self.nodes["ledger"], GoNode):
            books = ledger["books"]
            books["refusals"].sort()
        else:
            books = self.of_database(self.nodes["ledger"].db)
            self.verify(db=self.nodes["ledger"].db)
        self.maxDiff = 2000
        for part, want in expected.items():
            self.assertEqual(books[part], want, f"{what}: {part}")
        asked = self.provider.read_text().splitlines()
        captures = [line for line in asked if line.startswith("capture ")]
        self.assertEqual(len(captures), len(set(captures)), what)
        acknowledged = self.acknowledged.read_text().split()
        self.assertEqual(len(acknowledged), len(set(acknowledged)), what)
        self.assertLessEqual(set(acknowledged), set(orders), what)
        self.assertEqual({key for key, _ in self.told()}, set(orders), what)

    def mix(self, dialect):
        mixes = [by_go for count in range(1, 4) for by_go in itertools.combinations(ROLES, count)]
        for by_go in mixes:
            what = f"in Go: {', '.join(by_go)}"
            with self.subTest(what):
                began = time.monotonic()
                self.clear()
                self.start(by_go, dialect)
                self.finish(what)
                print(f"{what}: {time.monotonic() - began:.1f} s")

    def test_each_role_by_either(self):
        self.mix("b")

    def test_all_c(self):
        self.start((), "b")
        self.finish("in C: all")

    def test_dialect_a(self):
        for by_go in (("processing",), ROLES):
            with self.subTest(by_go):
                self.clear()
                self.start(by_go, "a")
                self.finish(f"dialect A: {by_go}")

    def killed(self, role, by_go, share):
        """Killed when it has come so far, and started again on what it has written."""
        self.clear()
        self.start(by_go, "b")
        node = self.nodes[role]
        end = time.monotonic() + PATIENCE
        size = self.whole_size[role] * share
        while not (node.db.exists() and node.db.stat().st_size > size) and \
                node.process.poll() is None:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.001)
        if node.process.poll() is None:
            node.kill()
        node.start().await_word("serves on")  # and can be asked to end, if all is done already
        self.finish(f"{role} killed")

    def test_go_nodes_killed(self):
        self.start(ROLES, "b")
        self.finish("undisturbed")
        self.whole_size = {role: self.nodes[role].db.stat().st_size for role in ROLES}
        for role in ROLES:
            for by_go, share in (((role,), 0.2), (ROLES, 0.7)):
                with self.subTest(role=role, by_go=by_go):
                    began = time.monotonic()
                    self.killed(role, by_go, share)
                    print(f"{role} killed, {len(by_go)} in Go: {time.monotonic() - began:.1f} s")


def collections_of(rows):
    """[outcomes, reversed lines] of each order."""
    lines = {}
    for order, outcome, reverses in rows:
        outcomes, reversed_lines = lines.setdefault(order, ([], []))
        outcomes.append(outcome)
        reversed_lines.append(reverses)
    return lines


if __name__ == "__main__":
    lib.main()
