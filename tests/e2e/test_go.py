"""Programs of protoactor-go, both of its dialects, with the nodes of the order system: a Go client
sends orders to the gateway's actor `order`, and `orders send` drives a Go server the same way."""
import json
import queue
import struct
import subprocess
import threading
import time

import go_programs
import lib
from nodes import PATIENCE, ROLES, Node, free_ports

def build(dialect):
    """The Go program of that dialect."""
    return go_programs.build("e2e-go", dialect, [go_programs.MODULES / "main.go"],
                             (f"-I{go_programs.MODULES}", "messages.proto"))


class Go:
    """A Go program: commands in, lines out."""

    def __init__(self, case, dialect):
        self.case = case
        self.process = subprocess.Popen([build(dialect)], stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        case.addCleanup(self.end)
        self.lines = queue.Queue()
        self.seen = []
        threading.Thread(target=self.read, daemon=True).start()
        self.address = self.await_line("ready ").split()[1]

    def read(self):
        for text in self.process.stdout:
            self.lines.put(text.rstrip("\n"))

    def await_line(self, begin):
        while True:
            try:
                text = self.lines.get(timeout=PATIENCE)
            except queue.Empty:
                self.case.fail(f"no line '{begin}…' came; {self.seen[-20:]}")
            self.seen.append(text)
            if text.startswith(begin):
                return text

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def end(self):
        self.process.kill()
        self.process.communicate()


def pence(amount):
    """What a float is worth: to the nearest penny, halves away from zero."""
    single = struct.unpack("f", struct.pack("f", amount))[0]
    return int(single * 100 + 0.5)


class WithGo(lib.Case):
    def start_nodes(self, *roles):
        addresses = {role: f"127.0.0.1:{port}" for role, port in zip(ROLES, free_ports(3))}
        own = {"processing": ("--declines", 0, "--late", 0, "--duplicate-window", 0)}
        self.nodes = {role: Node(self, role, addresses, *own.get(role, ())) for role in ROLES}
        self.addresses, self.gateway = addresses, addresses["gateway"]
        for role in roles or ROLES:
            self.nodes[role].start().await_word("serves on")

    def await_rest(self):
        end = time.monotonic() + PATIENCE
        while True:
            done = self.orders("verify", "--db", self.nodes["ledger"].db, "--gateway",
                               self.nodes["gateway"].db, "--processing",
                               self.nodes["processing"].db, "--json", want=None)
            if done.returncode == lib.GOOD or time.monotonic() > end:
                self.assertEqual(done.returncode, lib.GOOD, done.stdout)
                return

    def end_nodes(self):
        self.await_rest()
        for node in self.nodes.values():
            node.end()

    def ask(self, go, key, user, amount):
        go.tell(f"order {self.gateway} {key} {user} {amount}")
        return go.await_line(("answer ", "failed ", "error ", "strange "))

    def client(self, dialect):
        self.start_nodes()
        go = Go(self, dialect)
        amounts = {"A": 19.99, "B": 0.01, "D": 2.675, "E": 1.005, "F": 99999.99, "G": 0.07,
                   "H": 167772.15}
        for number, (name, amount) in enumerate(amounts.items()):
            key = f"go-{dialect}-{name}"
            self.assertEqual(self.ask(go, key, 17850 + number, amount),
                             f"answer {key} {pence(amount) / 100:.2f} fulfilled")
        # The same again is the same order; other content under its number is not.
        self.assertEqual(self.ask(go, f"go-{dialect}-A", 17850, 19.99),
                         f"answer go-{dialect}-A 19.99 fulfilled")
        self.assertIn("refused: this order_id was used with other content",
                      self.ask(go, f"go-{dialect}-A", 17850, 20))
        self.assertIn("refused: this order_id was used with other content",
                      self.ask(go, f"go-{dialect}-A", 17851, 19.99))
        for amount in ("0", "-1", "NaN", "Inf", "0.001", "1e9"):
            self.assertIn("refused: amount is not from 0.01", self.ask(go, "x1", 5, amount))
        for key in ("C1", "a/b", "x" * 32):
            self.assertIn("refused: order_id is not", self.ask(go, key, 5, 1))
        self.assertIn("fulfilled", self.ask(go, "named", "alice", 12))
        self.end_nodes()
        booked = dict(self.query("SELECT key, amount FROM orders", db=self.nodes["ledger"].db))
        self.assertEqual(booked, {**{f"go-{dialect}-{name}": pence(amount)
                                     for name, amount in amounts.items()}, "named": 1200})

    def test_go_client_of_dialect_a(self):
        self.client("a")

    def test_go_client_of_dialect_b(self):
        self.client("b")

    def test_an_answer_comes_when_the_order_has_ended(self):
        """The gateway alone takes the order; the answer waits for the other two."""
        self.start_nodes("gateway", "ledger")
        go = Go(self, "b")
        go.tell(f"order {self.gateway} late-1 5 7.50")
        end = time.monotonic() + PATIENCE
        while self.query("SELECT count(*) FROM accepted", db=self.nodes["gateway"].db) == [(0,)]:
            self.assertLess(time.monotonic(), end)
        self.nodes["processing"].start()
        self.assertEqual(go.await_line("answer "), "answer late-1 7.50 fulfilled")
        self.end_nodes()

    def test_a_gateway_that_was_killed_knows_the_order(self):
        self.start_nodes()
        go = Go(self, "a")
        self.assertIn("fulfilled", self.ask(go, "k-1", 5, 7.5))
        self.nodes["gateway"].kill()
        self.nodes["gateway"].start().await_word("ledger is there")
        self.assertEqual(self.ask(go, "k-1", 5, 7.5), "answer k-1 7.50 fulfilled")
        self.assertIn("fulfilled", self.ask(go, "k-2", 5, 8))
        self.end_nodes()
        self.assertEqual(self.query("SELECT count(*) FROM orders", db=self.nodes["ledger"].db),
                         [(2,)])

    def look(self, dialect):
        """The other named actors answer out of what their node knows, and change nothing."""
        self.start_nodes()
        go = Go(self, dialect)
        for key, user, amount in (("w-1", 17850, 7.5), ("w-2", 17850, 8.25)):
            self.assertIn("fulfilled", self.ask(go, key, user, amount))
        for role, name, what, want in (
                ("processing", "validation", "w-3", "w-3 true"),
                ("processing", "validation", "a/b", "a/b false"),
                ("processing", "payment", "w-1", "w-1 7.50 paid"),
                ("processing", "payment", "w-3", "w-3 0.00 unknown"),
                ("ledger", "ledger", "w-2", "w-2 8.25 fulfilled"),
                ("ledger", "ledger", "w-3", "w-3 0.00 unknown"),
                ("ledger", "inventory", "MESSAGE", "1 MESSAGE 0"),
                ("ledger", "notification", "17850", "17850 order w-2: fulfilled"),
                ("ledger", "notification", "5", "5 unknown")):
            with self.subTest(name=name, what=what):
                go.tell(f"ask {self.addresses[role]} {name} {what}")
                self.assertEqual(go.await_line(("answer ", "failed ", "strange ")),
                                 f"answer {want}")
        self.end_nodes()
        self.assertEqual(self.query("SELECT count(*) FROM orders", db=self.nodes["ledger"].db),
                         [(2,)])

    def test_go_looks_through_the_windows_in_dialect_a(self):
        self.look("a")

    def test_go_looks_through_the_windows_in_dialect_b(self):
        self.look("b")

    def server(self, dialect):
        """`orders send` to a Go server, which shows what it would show any client."""
        go = Go(self, dialect)
        done = self.orders("send", "--to", f"order@{go.address}", "--generate", 300, "--json")
        report = json.loads(done.stdout)
        self.assertGreater(report["sent"], 200)
        self.assertEqual(report["status"], {"paid": report["sent"]})
        self.assertEqual(report["answered"], report["sent"])
        self.assertEqual(report["amounts_differ"], 0)
        for begin in ("order order ", "validation valid ", "payment pay ", "inventory take ",
                      "ledger enter ", "notification tell "):
            while (count := sum(line.startswith(begin) for line in go.seen)) < report["sent"]:
                go.await_line(begin)
            self.assertEqual(count, report["sent"], begin)

    def test_go_server_of_dialect_a(self):
        self.server("a")

    def test_go_server_of_dialect_b(self):
        self.server("b")

    def test_orders_sent_to_our_gateway(self):
        self.start_nodes()
        first, again = (json.loads(self.orders("send", "--to", f"order@{self.gateway}",
                                               "--generate", 400, "--json").stdout)
                        for _ in range(2))
        self.assertEqual(first["status"], {"fulfilled": first["sent"]})
        self.assertEqual(again, first)
        self.end_nodes()
        self.assertEqual(self.query("SELECT count(*) FROM orders", db=self.nodes["ledger"].db),
                         [(first["sent"],)])

    def test_nobody_there(self):
        done = self.orders("send", "--to", "order", "--generate", 5, want=lib.CANNOT)
        self.assertIn("--to 'order' cannot be addressed", done.stderr.decode())


if __name__ == "__main__":
    lib.main()
