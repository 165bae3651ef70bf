"""`orders node` over mutual TLS: three nodes make the books of one process, a stranger is not spoken
with, certificates are read again on SIGHUP, and what cannot be used is named."""
import shutil
import signal
import subprocess
import sys

import lib
from nodes import ROLES, Node, free_ports

ORDERS = 200
DECIDES = ("--seed", 11, "--declines", 60, "--late", 3)


class Tls(lib.Case):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("openssl"):
            print("SKIPPED: openssl is not installed, so no certificate could be made",
                  file=sys.stderr)
            sys.exit(lib.SKIPPED)
        cls.folder = lib.shared_dir()
        for ca in ("ca", "other-ca"):
            cls.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                        "-nodes", "-keyout", f"{ca}.key", "-out", f"{ca}.pem", "-subj",
                        f"/CN={ca}", "-days", "2")
        for name, ca in (("gateway", "ca"), ("processing", "ca"), ("ledger", "ca"),
                         ("stranger", "other-ca")):
            cls.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
            (cls.folder / "names").write_text(
                "subjectAltName=IP:127.0.0.1,DNS:localhost\n"
                "extendedKeyUsage=serverAuth,clientAuth\n")
            cls.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey",
                        f"{ca}.key", "-CAcreateserial", "-days", "2", "-extfile", "names", "-out",
                        f"{name}.pem")

    @classmethod
    def openssl(cls, *args):
        subprocess.run(("openssl", *args), cwd=cls.folder, check=True, capture_output=True)

    def tls(self, name, ca="ca"):
        return ("--tls-cert", self.folder / f"{name}.pem", "--tls-key",
                self.folder / f"{name}.key", "--tls-ca", self.folder / f"{ca}.pem")

    def start(self, **tls):
        addresses = {role: f"127.0.0.1:{port}" for role, port in zip(ROLES, free_ports(3))}
        args = {"gateway": ("--generate", ORDERS, *DECIDES[:2], "--until-done"),
                "processing": DECIDES, "ledger": ("--stock", 60)}
        self.nodes = {role: Node(self, role, addresses, *args[role], *tls[role])
                      for role in ROLES}
        for node in self.nodes.values():
            node.start().await_word("serves on")

    def test_three_nodes(self):
        one = self.dir / "one.db"
        self.orders("run", "--generate", ORDERS, *DECIDES, "--stock", 60, "--db", one, "--quiet")
        self.start(**{role: self.tls(role) for role in ROLES})
        self.nodes["gateway"].end(None)
        for role in ("processing", "ledger"):
            self.nodes[role].end()
        self.assertEqual(self.books(self.nodes["ledger"].db), self.books(one))

    def not_spoken_with(self, tls):
        """A processing node that the others do not trust gets no order, and says so of them."""
        self.start(gateway=self.tls("gateway"), ledger=self.tls("ledger"), processing=tls)
        self.nodes["gateway"].await_word("gateway: ledger is there")
        self.nodes["gateway"].await_word("gateway: processing is away")
        self.nodes["processing"].await_word("processing: gateway is away")
        self.assertEqual(self.query("SELECT count(*) FROM orders",
                                    db=self.nodes["processing"].db), [(0,)])

    def test_a_stranger_is_not_spoken_with(self):
        self.not_spoken_with(self.tls("stranger"))

    def test_a_node_without_tls_is_not_spoken_with(self):
        self.not_spoken_with(())

    def test_certificates_are_read_again(self):
        """A node that was given the wrong certificate gets the right one without a restart."""
        for suffix in ("pem", "key"):
            shutil.copy(self.folder / f"stranger.{suffix}", self.dir / f"mine.{suffix}")
        mine = ("--tls-cert", self.dir / "mine.pem", "--tls-key", self.dir / "mine.key",
                "--tls-ca", self.folder / "ca.pem")
        self.not_spoken_with(mine)
        processing = self.nodes["processing"]
        (self.dir / "mine.pem").write_text("no certificate")
        processing.process.send_signal(signal.SIGHUP)
        processing.await_word("SIGHUP: .*mine.pem")
        for suffix in ("pem", "key"):
            shutil.copy(self.folder / f"processing.{suffix}", self.dir / f"mine.{suffix}")
        processing.process.send_signal(signal.SIGHUP)
        processing.await_word("SIGHUP: the TLS files are read again")
        self.nodes["gateway"].end(None)

    def test_what_cannot_be_used_is_named(self):
        peers = ("--peer", "processing=127.0.0.1:1", "--peer", "ledger=127.0.0.1:2")
        node = ("node", "--role", "gateway", *peers, "--db", self.db)
        cert, key, ca = self.tls("gateway")[:2], self.tls("gateway")[2:4], self.tls("gateway")[4:]
        for args, missing in (((*cert, *key), "--tls-ca"), ((*cert, *ca), "--tls-key"),
                              ((*key, *ca), "--tls-cert")):
            done = self.orders(*node, *args, want=lib.USAGE)
            self.assertIn(f"--tls-cert, --tls-key and --tls-ca go together: {missing} is missing",
                          done.stderr.decode())
        text = self.write(b"no certificate", "text.pem")
        for args, want in (
                ((*cert, *key, "--tls-ca", self.dir / "nowhere.pem"), "nowhere.pem"),
                ((*cert, *key, "--tls-ca", text), "text.pem"),
                (("--tls-cert", text, *key, *ca), "text.pem"),
                ((*cert, "--tls-key", self.folder / "ledger.key", *ca), "ledger.key")):
            with self.subTest(args):
                self.assertIn(want, self.orders(*node, *args, want=lib.CANNOT).stderr.decode())


if __name__ == "__main__":
    lib.main()
