"""Nodes of the order system as processes of a test."""
import collections
import json
import re
import signal
import socket
import sqlite3
import subprocess
import time

import lib

ROLES = ("gateway", "processing", "ledger")
PATIENCE = 60
ORDERS = 300 if lib.SANITIZED else 3000
SEED = ("--seed", 11)
TAKES = ("--generate", ORDERS, *SEED, "--until-done")
DECIDES = (*SEED, "--declines", 60, "--late", 3)
KEEPS = ("--stock", 60 if lib.SANITIZED else 900)  # some orders are refunded


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Node:
    """One node: started, killed, started again, always on the same port and database."""

    def __init__(self, case, role, addresses, *args, prefix=()):
        """`prefix`: what runs the command, as `ip netns exec NAME`."""
        self.case, self.role = case, role
        self.db = case.dir / f"{role}.db"
        self.words = case.dir / f"{role}.words"
        peers = [word for peer in ROLES if peer != role
                 for word in ("--peer", f"{peer}={addresses[peer]}")]
        self.command = [*prefix] + case.command("node", "--role", role, "--listen", addresses[role], *peers,
                                    "--db", self.db, "--json", *args)
        self.process = None
        case.addCleanup(self.clean_up)

    def clean_up(self):
        if self.process and self.process.poll() is None:
            self.kill()

    def start(self):
        self.said_before = len(self.said())
        with open(self.words, "a") as words:
            self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=words)
        return self

    def said(self):
        return self.words.read_text() if self.words.exists() else ""

    def await_word(self, pattern):
        """Waits until it has said that since it was started last."""
        end = time.monotonic() + PATIENCE
        while not re.search(pattern, self.said()[self.said_before:]):
            self.case.assertLess(time.monotonic(), end,
                                 f"{self.role} never said '{pattern}':\n{self.said()}")
            self.case.assertIsNone(self.process.poll(), f"{self.role} ended:\n{self.said()}")
            time.sleep(0.01)

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def end(self, signal_number=signal.SIGTERM, want=lib.GOOD):
        """Waits for its end (asked for, unless it ends by itself); its report."""
        if signal_number:
            self.process.send_signal(signal_number)
        out, _ = self.process.communicate(timeout=PATIENCE)
        self.case.assertEqual(self.process.returncode, want, self.said())
        return json.loads(out) if out else None


class Pipeline(lib.Case):
    """The three nodes, and all there is to know about them afterwards."""

    def setUp(self):
        super().setUp()
        addresses = self.addresses()
        self.acknowledged = self.dir / "acknowledged"
        self.notices = self.dir / "notices"
        self.provider = self.dir / "provider"
        self.nodes = {
            "gateway": self.node("gateway", addresses, *TAKES, "--acknowledged",
                                 self.acknowledged),
            "processing": self.node("processing", addresses, *DECIDES, "--provider",
                                    self.provider),
            "ledger": self.node("ledger", addresses, *KEEPS, "--notices", self.notices),
        }

    def node(self, role, *words):
        return Node(self, role, *words)

    def addresses(self):
        return {role: f"127.0.0.1:{port}" for role, port in zip(ROLES, free_ports(3))}

    def fresh(self):
        for path in self.dir.glob("*"):
            if not path.name.startswith("one"):
                path.unlink()

    def start_all(self):
        for node in self.nodes.values():
            node.start()

    def finish(self, what="", gateway_ends=True):
        """The gateway ends by itself, the others when they are asked to."""
        reports = {"gateway": self.nodes["gateway"].end(None if gateway_ends else signal.SIGTERM)}
        self.await_rest(what)
        for role in ("processing", "ledger"):
            reports[role] = self.nodes[role].end()
        return reports

    def await_rest(self, what):
        """What the ledger has for the gateway, and a refund for processing, may be on its way
        still when the gateway knows all; they are asked to end when it has arrived."""
        end = time.monotonic() + PATIENCE
        while any(not check["good"] for check in self.verify_nodes(want=None).values()):
            self.assertLess(time.monotonic(), end, f"{what}: never at rest: "
                            f"{[c for c in self.verify_nodes(None).values() if not c['good']]}")
            time.sleep(0.02)

    def verify_nodes(self, want=lib.GOOD):
        done = self.orders("verify", "--db", self.nodes["ledger"].db, "--gateway",
                           self.nodes["gateway"].db, "--processing", self.nodes["processing"].db,
                           "--json", want=want)
        return {check["check"]: check for check in json.loads(done.stdout)["checks"]}

    def undisturbed(self):
        """The books of one process, and how long three nodes take."""
        one = self.dir / "one.db"
        self.orders("run", "--generate", ORDERS, *DECIDES, *KEEPS, "--db", one, "--json",
                    "--quiet")
        began = time.monotonic()
        self.start_all()
        reports = self.finish()
        return self.books(one), time.monotonic() - began, reports

    def check(self, expected, what=""):
        """Everything there is to know, from sources that do not know each other."""
        ledger = self.nodes["ledger"].db
        self.assertEqual(self.books(ledger), expected, what)
        checks = self.verify_nodes()
        self.assertGreater(len(checks), 40)
        # What was acknowledged outside of all databases is in the books.
        keys = {key for key, in self.query("SELECT key FROM orders", db=ledger)}
        acknowledged = self.acknowledged.read_text().split()
        self.assertLessEqual(set(acknowledged), keys, what)
        self.assertEqual(len(acknowledged), len(set(acknowledged)), what)
        # The provider's own books: each capture was asked for once, each refund is owed.
        asked = collections.Counter(line.rsplit(" ", 1)[0]
                                    for line in self.provider.read_text().splitlines())
        captures = {line[8:] for line in asked if line.startswith("capture ")}
        refunds = {line[7:] for line in asked if line.startswith("refund ")}
        self.assertEqual({n for line, n in asked.items() if line.startswith("capture ")}, {1},
                         what)
        paid = {key for key, in self.query("SELECT key FROM orders WHERE id IN (SELECT order_id"
                                           " FROM entries WHERE account = 0 AND amount > 0)",
                                           db=ledger)}
        declined = {key for key, in self.query("SELECT key FROM orders WHERE reason = 2",
                                               db=ledger)}
        self.assertEqual(captures, paid | declined, what)
        self.assertEqual(refunds, {key for key, in self.query(
            "SELECT key FROM orders WHERE state = 2", db=ledger)}, what)
        # Customers were told, at least once, and the same each time.
        states = ("fulfilled", "rejected", "refunded", "parked")
        told = {tuple(line.split()) for line in self.notices.read_text().splitlines()
                if len(line.split()) == 2}
        owed = {(key, states[state]) for key, state in
                self.query("SELECT key, state FROM orders", db=ledger)}
        self.assertEqual(owed - told, set(), what)

    def count(self, role, sql):
        """A number out of a node's database while it runs; 0 before there are tables."""
        try:
            return self.query(sql, db=self.nodes[role].db)[0][0]
        except sqlite3.OperationalError:
            return 0

    def await_amid(self, orders):
        """Until so many orders have come to their end."""
        end = time.monotonic() + PATIENCE
        while self.count("ledger", "SELECT count(*) FROM orders") < orders:
            self.assertLess(time.monotonic(), end, f"{orders} orders never came to their end")
            time.sleep(0.001)

    def await_count(self, role, sql, want):
        end = time.monotonic() + PATIENCE
        while (count := self.count(role, sql)) != want:
            self.assertLess(time.monotonic(), end, f"{role}: {sql} is {count}, not {want}")
            time.sleep(0.02)
