"""
The network between nodes is cut: both ways, one way, or with resets. Each node is on a host of its
own; one of ours has to do with one of each kind behind the cut, and with one that stays reachable.

Checked are the promises of troupe/remote.h: messages keep their order and come once, what is
missing is in the accounts, the loss is noticed within `lost_ms`, watchers are told, requests end in
time, memory has its bound, and when the network is whole again so is all the rest.
"""
import os
import pathlib
import re
import sys
import time

import lib

sys.path.append(str(lib.HERE.parent / "lib"))
import netns  # noqa: E402

PORT = 7000
LOST_MS = 3000
# A sixth, and a second, which is what the kernel counts in. The rest is for a busy machine.
NOTICED_S = LOST_MS * 7 / 6000 + 1 + 3
GIVE_UP_MS = 1000
QUEUE = 1 << 20
SANITIZED = os.environ.get("TROUPE_SANITIZED", "") != ""
GROWTH_MAX = 64 << 20  # bytes: three queues, and each message of theirs once more as a dead letter
FLOOD = 150000 if SANITIZED else 1000000  # far more than the queues hold
KINDS = ("troupe", "a", "b")


class Pair:
    """Numbered messages from one source to one actor of another node."""

    def __init__(self, case, near, far, source, name="numbers"):
        self.case, self.near, self.far, self.source, self.name = case, near, far, source, name
        self.sent = 0
        self.open = []

    def begin(self, count, pause_us=0):
        tag = self.case.tag()
        self.near.call("flood", tag, self.far.at(self.name), self.source,
                       f"{self.sent + 1}:{count}", pause_us)
        self.sent += count
        self.open.append(tag)
        return self

    def end(self):
        for tag in self.open:
            self.near.wait(f"flooded {tag}")
        self.open = []

    def row(self):
        """(count, last, twice, disordered)"""
        return tuple(int(word) for word in self.far.call("numbers", self.name, self.source).split())

    def whole(self):
        """Sends one more until one arrives: the link carries again."""
        def arrives():
            self.begin(1).end()
            return self.case.within(1, lambda: self.row()[1] == self.sent)
        self.case.eventually(arrives, f"arrival from {self.near.name()} at {self.far.name()}", 60)

    def check_order(self):
        self.case.assertEqual(self.row()[2:], (0, 0), "twice, or out of order")


class Hosts(lib.Case):
    lost_ms = LOST_MS

    def setUp(self):
        super().setUp()
        self.net = netns.Network(5)
        self.addCleanup(self.net.close)
        self.near = self.host(0, "troupe")
        self.far = [self.host(number, kind) for number, kind in enumerate(KINDS, 1)]
        self.other = self.host(4, "troupe")
        self.near.call("spawn", "here", "echo")
        self.near.call("spawn", "numbers", "numbers")
        for node in (*self.far, self.other):
            for name, kind in (("echo", "echo"), ("quiet", "quiet"), ("numbers", "numbers")):
                node.call("spawn", name, kind)
        self.out = [Pair(self, self.near, far, 1) for far in self.far]
        self.back = [Pair(self, far, self.near, 10 + number) for number, far in enumerate(self.far)]

    def host(self, number, kind):
        host = self.net.hosts[number]
        flags = ["--listen", f"{host.address}:{PORT}"]
        if kind == "troupe":
            flags += ["--plaintext", 1, "--lost", self.lost_ms, "--give-up", GIVE_UP_MS,
                      "--backoff", 50, "--queue", QUEUE]
        peer = self.peer(kind, *flags, prefix=host.inside)
        peer.host = host
        return peer

    # ---- Parts of each test ----

    def cut(self, **how):
        for far in self.far:
            self.net.cut(self.near.host, far.host, **how)

    def warm_up(self):
        """All links are up, messages have flowed, everybody watches somebody."""
        for pair in (*self.out, *self.back):
            pair.begin(200).end()
        for pair in (*self.out, *self.back):
            pair.whole()
        for far in self.far:
            self.near.call("watch", far.at("echo"))
            self.assertEqual(self.ask(self.near, far.at("echo"), "num:1"), "num:1")
        self.far[0].call("watch", self.near.at("here"))
        self.assertEqual(self.ask(self.far[0], self.near.at("here"), "num:1"), "num:1")
        self.assertEqual(self.ask(self.near, self.other.at("echo"), "num:1"), "num:1")
        self.assertEqual(self.near.take("terminated .*"), [])

    def flow(self):
        """Messages flow both ways, and are in the middle of it."""
        for pair in (*self.out, *self.back):
            pair.begin(6000, 100)
        for pair in (*self.out, *self.back):
            self.eventually(lambda p=pair: p.row()[0] > 500, "flow")

    def noticed(self, within_s):
        """Watchers of all that was cut off are told that the address has ended."""
        began = time.monotonic()
        for far in self.far:
            self.near.wait(rf"terminated {re.escape(far.at('echo'))} 1", within_s)
        self.far[0].wait(rf"terminated {re.escape(self.near.at('here'))} 1", within_s)
        took = time.monotonic() - began
        print(f"noticed within {took:.1f} s", flush=True)
        self.assertLess(took, within_s)

    def requests_end(self):
        """In time: with their time limit, or before, because the node cannot be reached."""
        for limit_ms in (300, 1500):
            tags = []
            began = time.monotonic()
            for far in self.far:
                for name in ("echo", "quiet"):
                    tags.append(self.tag())
                    self.near.call("ask", tags[-1], far.at(name), limit_ms, "num:1")
            for tag in tags:
                self.near.wait(rf'failed {tag} (timeout|"peer cannot be reached")')
            self.assertLess(time.monotonic() - began, limit_ms / 1000 + 2)

    def others_do_not_notice(self):
        for number in range(20):
            self.assertEqual(self.ask(self.near, self.other.at("echo"), f"num:{number}", 2000),
                             f"num:{number}")
            self.assertEqual(self.ask(self.other, self.near.at("here"), f"num:{number}", 2000),
                             f"num:{number}")

    def memory(self):
        status = pathlib.Path(f"/proc/{self.near.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) << 10

    def memory_is_bounded(self, how):
        before = self.memory()
        for pair in self.out:
            pair.begin(FLOOD, "hard")
        for pair in self.out:
            pair.end()
        for far in self.far:
            queued = int(self.near.call("link", far.address).split()[4])
            self.assertLess(queued, FLOOD)
            if how == netns.DROP:  # with resets each attempt to dial fails at once
                self.assertGreater(int(self.near.call("link", far.address).split()[7]), 0)
        if not SANITIZED:  # which keep what was freed
            print(f"grown by {(self.memory() - before) >> 10} KiB", flush=True)
            self.assertLess(self.memory() - before, GROWTH_MAX)

    def what_is_queued_is_given_up(self):
        """Also while an attempt to dial, to which nobody says anything, goes on for longer."""
        began = time.monotonic()
        for far in self.far:
            self.eventually(lambda f=far: int(self.near.call("link", f.address).split()[4]) == 0,
                            "the end of what was queued")
        self.assertLess(time.monotonic() - began, GIVE_UP_MS / 1000 + 2)

    def heals(self):
        self.net.heal()
        for pair in (*self.out, *self.back):
            pair.end()
        for pair in (*self.out, *self.back):
            pair.whole()
        for far in self.far:
            self.near.call("watch", far.at("quiet"))
            self.eventually(lambda f=far: self.ask(self.near, f.at("echo"), "num:1", 2000) == "num:1",
                            "an answer after healing")
            far.call("stop", "quiet")
            self.near.wait(rf"terminated {re.escape(far.at('quiet'))} 0")
        self.near.take("terminated .*")

    def accounted(self):
        """Order, once, and what is missing is known; link by link, and for the whole node."""
        missing_all = 0
        for pair in (*self.out, *self.back):
            pair.check_order()
        for pair in self.out:
            words = [int(word) for word in self.near.call("link", pair.far.address).split()]
            dead, unknown, refused = words[5:8]
            missing = pair.sent - pair.row()[0]
            print(f"to {pair.far.name()}: {pair.sent} sent, {missing} missing; {dead} dead, "
                  f"{unknown} unknown, {refused} refused", flush=True)
            self.assertLessEqual(missing, dead + unknown + refused)
            missing_all += missing
        words = [int(word) for word in self.near.call("accounts").split()]
        self.assertTrue(words[7], words)
        self.assertLessEqual(missing_all, words[3] + words[6])


class Partition(Hosts):
    def play(self, how=netns.DROP, both=True):
        self.warm_up()
        self.flow()
        self.cut(how=how, both=both)
        self.noticed(NOTICED_S)
        self.requests_end()
        self.others_do_not_notice()
        self.memory_is_bounded(how)
        self.what_is_queued_is_given_up()
        self.heals()
        self.accounted()

    def test_nothing_comes_through(self):
        self.play()

    def test_one_way_nothing_comes_through(self):
        self.play(both=False)

    def test_everything_is_reset(self):
        self.play(how=netns.RESET)

    def test_the_loss_of_idle_links_is_noticed(self):
        """Nobody sends anything: it is the kernel that asks."""
        self.warm_up()
        self.cut()
        self.noticed(NOTICED_S)
        self.heals()
        self.accounted()

    def test_who_cannot_be_answered_is_told(self):
        """One can dial and the other cannot, as behind a firewall: what we dialled stays whole, and
        the end of what we watch would never be told."""
        far = self.far[0]
        self.near.call("watch", far.at("echo"))
        self.assertEqual(self.ask(self.near, far.at("echo"), "num:1"), "num:1")
        self.net.cut(far.host, self.near.host, netns.RESET, both=False, port=PORT)
        for number in range(3):  # far finds out when it sends
            far.call("send", self.near.at("numbers"), f"num:{number}")
        self.near.wait(rf"terminated {re.escape(far.at('echo'))} 1", GIVE_UP_MS / 1000 + 1 + 5)
        self.net.heal()
        self.near.call("watch", far.at("quiet"))
        self.eventually(lambda: self.ask(self.near, far.at("echo"), "num:2", 2000) == "num:2",
                        "an answer after healing")
        far.call("stop", "quiet")
        self.near.wait(rf"terminated {re.escape(far.at('quiet'))} [012]")


class Patient(Hosts):
    lost_ms = 60000

    def test_a_short_cut_is_not_noticed(self):
        """Shorter than `lost_ms`: late, but all of it comes."""
        self.warm_up()
        self.flow()
        self.cut()
        self.others_do_not_notice()
        self.net.heal()
        for pair in (*self.out, *self.back):
            pair.end()
        for pair in self.out:
            self.eventually(lambda p=pair: p.row()[0] == p.sent, "all that was sent", 60)
        self.assertEqual(self.near.take("terminated .*"), [])
        self.accounted()


if __name__ == "__main__":
    netns.require()
    lib.main()
