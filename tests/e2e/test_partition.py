"""
The three nodes on hosts of their own, with TLS between them, and the network between processing and
the ledger cut amid the orders: both ways, one way, with resets. Each serves what it can and says
what it cannot; when the network is whole again the books become those that one process makes.
"""
import pathlib
import shutil
import subprocess
import sys
import time

import lib
from nodes import DECIDES, KEEPS, ORDERS, PATIENCE, ROLES, Node, Pipeline

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import netns  # noqa: E402


class Partition(Pipeline):
    def setUp(self):
        self.net = netns.Network(3)
        self.addCleanup(self.net.close)
        self.hosts = dict(zip(ROLES, self.net.hosts))
        super().setUp()
        self.certificates()
        one = self.dir / "one.db"
        self.orders("run", "--generate", ORDERS, *DECIDES, *KEEPS, "--db", one, "--json", "--quiet")
        self.expected = self.books(one)

    def addresses(self):
        return {role: f"{host.address}:7100" for role, host in self.hosts.items()}

    def node(self, role, *words):
        tls = ("--tls-cert", self.dir / f"one-{role}.pem", "--tls-key", self.dir / f"one-{role}.key",
               "--tls-ca", self.dir / "one-ca.pem")
        return Node(self, role, *words, *tls, prefix=self.hosts[role].inside)

    def openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.dir, check=True, capture_output=True)

    def certificates(self):
        """An authority, and a certificate of it for each host."""
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        self.openssl("req", "-x509", *curve, "-subj", "/CN=test", "-days", "2", "-keyout",
                     "one-ca.key", "-out", "one-ca.pem")
        for role, host in self.hosts.items():
            (self.dir / "one.ext").write_text(f"subjectAltName=IP:{host.address}\n")
            self.openssl("req", *curve, "-subj", f"/CN={role}", "-keyout", f"one-{role}.key",
                         "-out", "one.csr")
            self.openssl("x509", "-req", "-in", "one.csr", "-CA", "one-ca.pem", "-CAkey",
                         "one-ca.key", "-CAcreateserial", "-days", "2", "-extfile", "one.ext",
                         "-out", f"one-{role}.pem")

    def await_at_least(self, role, sql, least):
        end = time.monotonic() + PATIENCE
        while self.count(role, sql) < least:
            self.assertLess(time.monotonic(), end, f"{role}: {sql} is below {least}")
            time.sleep(0.002)

    def cut_amid(self, **how):
        """Cut when a few of the orders have arrived; both say what they miss, the gateway does not
        miss anybody, and what came in before and meanwhile is acknowledged and paid for."""
        gateway, processing, ledger = (self.nodes[role] for role in ROLES)
        # The orders trickle, so that there is a middle of them on any machine.
        self.net.slow(self.hosts["processing"], "500kbit" if lib.SANITIZED else "2mbit")
        self.start_all()
        self.await_at_least("ledger", "SELECT count(*) FROM orders", 1)
        self.net.cut(self.hosts["processing"], self.hosts["ledger"], **how)
        self.net.slow(self.hosts["processing"], None)
        processing.await_word("processing: ledger is away: orders are validated and paid, and kept "
                              "for it; none is entered into the books until it is back")
        ledger.await_word("ledger: processing is away: no orders come in")
        self.await_at_least("processing", "SELECT count(*) FROM orders", ORDERS)
        self.assertLess(self.count("ledger", "SELECT count(*) FROM orders"), ORDERS)
        self.assertEqual(len(self.acknowledged.read_text().split()), ORDERS)
        for role, peer in (("gateway", "ledger"), ("gateway", "processing"), ("ledger", "gateway"),
                           ("processing", "gateway")):
            self.assertNotIn(f"{role}: {peer} is away", self.nodes[role].said())

    def heal(self):
        self.net.heal()
        began = time.monotonic()
        self.nodes["processing"].await_word("(?s)ledger is away.*ledger is there")
        took = time.monotonic() - began
        print(f"found each other {took:.1f} s after healing", flush=True)
        reports = self.finish()
        self.check(self.expected)
        for report in reports.values():
            self.assertTrue(report["messages_accounted"])

    def test_nothing_comes_through(self):
        self.cut_amid()
        self.heal()

    def test_nothing_comes_through_to_the_ledger(self):
        self.cut_amid(both=False)
        self.heal()

    def established(self, role, peer):
        return netns.run(*self.hosts[role].inside, "ss", "-Htn", "state", "established", "dst",
                         self.hosts[peer].address)

    def test_nothing_comes_through_for_long(self):
        """Until the connections are given up: new ones are made when they can be."""
        self.cut_amid()
        end = time.monotonic() + PATIENCE
        while self.established("processing", "ledger") or self.established("ledger", "processing"):
            self.assertLess(time.monotonic(), end, "the connections are not given up")
        self.heal()

    def test_everything_is_reset(self):
        self.cut_amid(how=netns.RESET)
        self.heal()


if __name__ == "__main__":
    netns.require()
    if not shutil.which("openssl"):
        sys.exit("openssl is not installed: no certificates, no test")
    lib.main()
