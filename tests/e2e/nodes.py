"""Nodes of the order system as processes of a test."""
import json
import re
import signal
import socket
import subprocess
import time

import lib

ROLES = ("gateway", "processing", "ledger")
PATIENCE = 60


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

    def __init__(self, case, role, addresses, *args):
        self.case, self.role = case, role
        self.db = case.dir / f"{role}.db"
        self.words = case.dir / f"{role}.words"
        peers = [word for peer in ROLES if peer != role
                 for word in ("--peer", f"{peer}={addresses[peer]}")]
        self.command = case.command("node", "--role", role, "--listen", addresses[role], *peers,
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
