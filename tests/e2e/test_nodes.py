"""Three nodes as three processes: they make the books that one process makes; each of them killed
at any instant, or away for a while, the others go on, and afterwards nothing is missing or twice.

TROUPE_NODE_KILLS=N kills each role N times (`make kill-nodes`: 30)."""
import json
import os
import random
import signal
import sqlite3
import subprocess
import time

import lib
from nodes import DECIDES, KEEPS, ORDERS, PATIENCE, ROLES, SEED, TAKES, Node, Pipeline, free_ports

KILLS = int(os.environ.get("TROUPE_NODE_KILLS", "1" if lib.SANITIZED else "2"))


class Nodes(Pipeline):
    def test_three_nodes_make_the_books_of_one_process(self):
        expected, _, reports = self.undisturbed()
        self.check(expected)
        self.assertEqual(reports["gateway"]["ended"], ORDERS)
        for report in reports.values():
            self.assertTrue(report["messages_accounted"])
            for pair in report["pairs"]:
                self.assertEqual(pair["sent"], pair["acknowledged"], pair)
        # Once more: every order is recognised, and nothing changes.
        self.start_all()
        again = self.finish()
        self.assertEqual(again["gateway"]["orders_known"], ORDERS)
        self.check(expected)

    def test_refusals_take_the_same_way(self):
        """What cannot be read and what conflicts is in the books as in those of one process."""
        lines = []
        for number in range(400):
            bad = number % 3 == 1
            lines.append(lib.line(invoice=f"{500000 + number}", price="x" if bad else "2.50",
                                  customer=f"{17000 + number}.0"))
            if number % 7 == 0:  # the number of an earlier order, with other content
                lines += [lib.line(invoice=f"{600000 + k}", customer="")
                          for k in range(5 * number, 5 * number + 5)]
                lines.append(lib.line(invoice=f"{500000 + number}", price="3.50",
                                      customer=f"{18000 + number}"))
        data = self.write(lib.HEADER + b"".join(lines))
        one = self.dir / "one.db"
        self.orders("run", "--data", data, *DECIDES, *KEEPS, "--db", one, "--quiet",
                    want=lib.WRONG)
        gateway = self.nodes["gateway"]
        at = gateway.command.index("--generate")
        gateway.command[at:at + 4] = ["--data", str(data)]
        self.start_all()
        report = gateway.end(None, want=lib.WRONG)
        self.await_rest("refusals")
        for role in ("processing", "ledger"):
            self.nodes[role].end()
        self.assertGreater(report["refused"], 150)
        self.check(self.books(one))

    def kill_amid(self, role, dice):
        """Kills it when one of the three, whichever, has come so far, however far that is."""
        at, sql = dice.choice((("gateway", "SELECT count(*) FROM accepted"),
                               ("processing", "SELECT count(*) FROM orders"),
                               ("ledger", "SELECT count(*) FROM orders")))
        target = dice.randrange(ORDERS)
        node = self.nodes[role]
        while self.count(at, sql) < target and node.process.poll() is None:
            time.sleep(0.001)
        if node.process.poll() is None:
            node.kill()
        return f"{role} killed when {at} had {target} orders"

    def killed(self, role):
        expected, _, _ = self.undisturbed()
        dice = random.Random(ROLES.index(role))
        amid = 0
        for number in range(KILLS):
            self.fresh()
            self.start_all()
            what = f"round {number}: {self.kill_amid(role, dice)}"
            amid += self.count("gateway", "SELECT count(*) > count(state) FROM accepted")
            for other in ROLES[1:]:
                if other != role:
                    self.assertIsNone(self.nodes[other].process.poll(), what)
            self.nodes[role].start()
            self.finish(what)
            self.check(expected, what)
        print(f"{role}: {KILLS} kills, {amid} of them amid the orders")

    def test_gateway_killed(self):
        self.killed("gateway")

    def test_processing_killed(self):
        self.killed("processing")

    def test_ledger_killed(self):
        self.killed("ledger")

    def test_all_killed_again_and_again(self):
        expected, _, _ = self.undisturbed()
        self.fresh()
        dice = random.Random(4)
        self.start_all()
        for kill in range(3 * KILLS):
            role = dice.choice(ROLES)
            self.await_amid(ORDERS * kill // (3 * KILLS) + dice.randrange(ORDERS // (3 * KILLS)))
            if self.nodes[role].process.poll() is None:
                self.nodes[role].kill()
            self.nodes[role].start()
        self.finish()
        self.check(expected)

    def test_without_processing_the_gateway_accepts(self):
        gateway, processing, ledger = (self.nodes[role] for role in ROLES)
        gateway.start()
        ledger.start()
        gateway.await_word("gateway: ledger is there")
        self.await_count("gateway", "SELECT count(*) FROM accepted", ORDERS)
        end = time.monotonic() + PATIENCE
        while len(self.acknowledged.read_text().split()) < ORDERS and time.monotonic() < end:
            time.sleep(0.01)
        self.assertEqual(len(self.acknowledged.read_text().split()), ORDERS)
        self.assertEqual(self.count("ledger", "SELECT count(*) FROM orders"), 0)
        gateway.await_word("gateway: processing is away: orders are accepted and kept for it; "
                           "none is validated or paid until it is back")
        ledger.await_word("ledger: processing is away: no orders come in")
        processing.start()
        self.finish()
        self.verify_nodes()

    def test_without_the_ledger_orders_are_paid(self):
        gateway, processing, ledger = (self.nodes[role] for role in ROLES)
        gateway.start()
        processing.start()
        self.await_count("processing", "SELECT count(*) FROM orders", ORDERS)
        self.assertEqual(self.count("gateway", "SELECT count(state) FROM accepted"), 0)
        processing.await_word("processing: ledger is away: orders are validated and paid, and kept "
                              "for it; none is entered into the books until it is back")
        gateway.await_word("gateway: ledger is away")
        ledger.start()
        processing.await_word(f"processing: ledger is there: {ORDERS} parcels wait for it")
        self.finish()
        self.verify_nodes()

    def test_without_the_gateway_orders_are_finished(self):
        gateway, processing, ledger = (self.nodes[role] for role in ROLES)
        gateway.start()
        self.await_count("gateway", "SELECT count(*) FROM accepted", ORDERS)
        processing.start()
        self.await_count("processing", "SELECT count(*) FROM orders", ORDERS)
        gateway.kill()
        ledger.start()
        self.await_count("ledger", "SELECT count(*) FROM orders", ORDERS)
        ledger.await_word("ledger: gateway is away: orders are entered into the books; how they "
                          "ended is kept for it")
        processing.await_word("processing: gateway is away: no new orders come in")
        self.assertEqual(self.count("gateway", "SELECT count(state) FROM accepted"), 0)
        gateway.start()
        self.finish()
        self.verify_nodes()

    def test_asked_to_end_amid_the_orders(self):
        """SIGTERM loses nothing, and what is not done is done next time."""
        expected, _, _ = self.undisturbed()
        self.fresh()
        self.start_all()
        self.await_amid(ORDERS // 3)
        for node in self.nodes.values():
            if node.process.poll() is None:
                node.end()
        self.start_all()
        self.finish()
        self.check(expected)

    def test_stopped_for_a_while(self):
        """A node that stands still is away; when it goes on, so does everything."""
        expected, _, _ = self.undisturbed()
        for role in ROLES[1:]:
            self.fresh()
            self.start_all()
            self.await_amid(ORDERS // 4)
            node = self.nodes[role]
            node.process.send_signal(signal.SIGSTOP)
            try:
                self.nodes[ROLES[3 - ROLES.index(role)]].await_word(f"{role} is away")
            finally:
                node.process.send_signal(signal.SIGCONT)
            self.finish(role)
            self.check(expected, role)

    def test_another_database_is_refused(self):
        gateway, processing, ledger = (self.nodes[role] for role in ROLES)
        self.start_all()
        self.finish()
        for suffix in ("", "-wal", "-shm"):
            path = self.dir / f"ledger.db{suffix}"
            if path.exists():
                path.rename(self.dir / f"kept.db{suffix}")
        self.start_all()
        processing.await_word("processing: ledger works on another database than before: nothing "
                              "is exchanged with it until it is started on the right one")
        self.assertEqual(self.count("ledger", "SELECT count(*) FROM orders"), 0)
        ledger.end()
        for path in self.dir.glob("ledger.db*"):
            path.unlink()
        for path in self.dir.glob("kept.db*"):
            path.rename(self.dir / path.name.replace("kept", "ledger"))
        ledger.start()
        processing.await_word("processing: ledger is there")
        self.finish()
        self.verify_nodes()

    def test_a_database_put_back_is_refused(self):
        gateway, processing, ledger = (self.nodes[role] for role in ROLES)
        ledger.start().await_word("serves on")
        ledger.end()
        empty = ledger.db.read_bytes()
        self.start_all()
        processing.await_word("ledger is there")
        self.finish()
        # The same database, from before it knew anybody: its effects are gone.
        ledger.db.write_bytes(empty)
        for suffix in ("-wal", "-shm"):
            (self.dir / f"ledger.db{suffix}").unlink(missing_ok=True)
        ledger.start()
        processing.start()
        ledger.await_word("ledger: processing knows of more than this node's database holds")
        ledger.end()
        processing.end()

    def test_backlog_is_bounded(self):
        gateway = self.nodes["gateway"]
        gateway.command += ["--backlog", "100"]
        gateway.start()
        self.await_count("gateway", "SELECT count(*) >= 100 FROM accepted", 1)
        gateway.await_word("processing is away")  # it had three seconds to accept more
        self.assertEqual(self.count("gateway", "SELECT count(*) FROM accepted"), 100)
        self.nodes["processing"].start()
        self.nodes["ledger"].start()
        self.finish()
        self.verify_nodes()

    def test_all_roles_in_one_process(self):
        expected, _, _ = self.undisturbed()
        db = self.dir / "all.db"
        self.orders("node", "--db", db, *TAKES, *DECIDES[2:], *KEEPS)
        self.assertEqual(self.books(db), expected)
        self.orders("verify", "--db", db, "--gateway", f"{db}-gateway", "--processing",
                    f"{db}-processing")

    def test_verify_finds_what_is_wrong(self):
        self.start_all()
        self.finish()
        paths = {role: node.db for role, node in self.nodes.items()}
        good = {path: path.read_bytes() for path in paths.values()}
        sold = "(SELECT key FROM orders WHERE paid AND state = 0 LIMIT 1)"
        for role, sql, check in (
                ("gateway", "UPDATE accepted SET state = 1 WHERE number = 1", "how it ended"),
                ("gateway", "UPDATE accepted SET state = NULL WHERE number = 5", "how it ended"),
                ("gateway", "DELETE FROM accepted WHERE number = 9", "that was not acknowledged"),
                ("gateway", "UPDATE accepted SET key = 'X1' WHERE number = 2",
                 "every acknowledged order is in the books"),
                ("gateway", "UPDATE words SET text = 'X' WHERE kind = 1 AND number = 7",
                 "the same numbers everywhere"),
                ("gateway", "UPDATE peers SET kept = kept + 1 WHERE role = 2",
                 "no parcel from gateway to processing is lost"),
                ("gateway", "UPDATE peers SET identity = 5 WHERE role = 2",
                 "gateway and processing work on the databases"),
                ("processing", f"UPDATE orders SET paid = 0 WHERE key = {sold}",
                 "what was captured for an order is in the books"),
                ("processing", f"UPDATE orders SET amount = amount + 1 WHERE key = {sold}",
                 "what was captured for an order is in the books"),
                ("processing", "DELETE FROM refunds WHERE key = (SELECT max(key) FROM refunds)",
                 "every refund that the books owe"),
                ("processing", "INSERT INTO refunds VALUES('X1', 5)",
                 "no refund was made that the books do not owe"),
                ("processing", f"UPDATE orders SET state = 1 WHERE key = {sold}",
                 "processing has decided every order once"),
                ("processing", "UPDATE peers SET applied = applied - 1 WHERE role = 1",
                 "nothing is under way from gateway to processing")):
            with self.subTest(sql):
                with sqlite3.connect(paths[role]) as connection:
                    connection.execute(sql)
                connection.close()
                checks = self.verify_nodes(want=lib.WRONG)
                self.assertTrue([name for name, result in checks.items()
                                 if check in name and not result["good"]], checks)
                paths[role].write_bytes(good[paths[role]])
        self.verify_nodes()

    def test_books_of_a_node_take_no_other_orders(self):
        db = self.dir / "all.db"
        self.orders("node", "--db", db, "--generate", 20, "--until-done")
        before = self.books(db)
        done = self.orders("run", "--db", db, "--generate", 50, "--quiet", want=lib.CANNOT)
        self.assertIn("holds the books of a ledger node", done.stderr.decode())
        self.assertEqual(self.books(db), before)

    def test_wrong_usage(self):
        peer = ("--peer", "processing=127.0.0.1:1", "--peer", "ledger=127.0.0.1:2")
        for args, want in (
                (("--role", "bank"), "--role is 'bank', want gateway, processing, ledger or all"),
                (("--role", "gateway"), "where is the processing? Say --peer processing=HOST:PORT"),
                (("--role", "gateway", "--peer", "x"), "--peer is 'x', want ROLE=HOST:PORT"),
                (("--role", "gateway", "--peer", "bank=h:1"), "--peer names 'bank'"),
                (("--role", "gateway", "--peer", "gateway=h:1"), "this node is that itself"),
                (("--role", "gateway", *peer, *peer), "--peer processing is given twice"),
                (("--role", "gateway", *peer, "--tls-cert", "x"), "go together"),
                (("--role", "ledger", "--generate", "5"), "are for the gateway"),
                (("--role", "gateway", "--stock", "5"), "are for the ledger"),
                (("--role", "ledger", "--late", "5"), "are for processing"),
                (("--data", "x", "--generate", "5"), "exclude each other")):
            with self.subTest(args):
                done = self.orders("node", *args, want=lib.USAGE)
                self.assertIn(want, done.stderr.decode())
        self.assertIn("go together", self.orders("verify", "--gateway", "x",
                                                 want=lib.USAGE).stderr.decode())

    def test_what_cannot_be_used_is_said(self):
        text = self.dir / "text.db"
        text.write_text("no database")
        peers = ("--peer", "processing=127.0.0.1:1", "--peer", "ledger=127.0.0.1:2")
        for args, want in (
                (("--db", text), "text.db"),
                (("--db", self.dir), "cannot be opened"),
                (("--db", self.db, "--listen", "203.0.113.1:0"), "203.0.113.1:0"),
                (("--db", self.db, "--listen", "nowhere"), "nowhere")):
            with self.subTest(args):
                done = self.orders("node", "--role", "gateway", *peers, *args, want=lib.CANNOT)
                self.assertIn(want, done.stderr.decode())
        books = self.dir / "with.db"
        self.orders("run", "--generate", 5, "--db", books, "--quiet")
        for args in (("--role", "ledger", "--peer", "gateway=127.0.0.1:1"),
                     ("--role", "gateway", "--peer", "ledger=127.0.0.1:1")):
            done = self.orders("node", *args, "--peer", "processing=127.0.0.1:2", "--db", books,
                               want=lib.CANNOT)
            self.assertIn("with.db", done.stderr.decode())
        self.assertIn("is not the database of a gateway node",
                      self.orders("verify", "--db", books, "--gateway", books, "--processing",
                                  books, want=lib.CANNOT).stderr.decode())


if __name__ == "__main__":
    lib.main()
