"""
Links that break while numbered messages flow, and peers that are killed, stopped and restarted:
order is kept per pair, nothing comes twice, and our accounts say what is unknown.
"""
import os
import random
import time

import lib

SEED = int(os.environ.get("TROUPE_INTEROP_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
PAIRS = [(source, name) for source in (1, 2) for name in ("n0", "n1")]


class Flow:
    """Numbered messages from every source to every sink, chunk after chunk."""

    def __init__(self, case, near, far, address):
        self.case, self.near, self.far, self.address = case, near, far, address
        self.next = 1
        for name in ("n0", "n1"):
            far.call("spawn", name, "numbers")

    def chunk(self, count, pause_us=0):
        """Sends `count` more on every pair and waits until they have been sent."""
        tags = []
        for source, name in PAIRS:
            tag = self.case.tag()
            self.near.call("flood", tag, f"{name}@{self.address}", source,
                           f"{self.next}:{count}", pause_us)
            tags.append(tag)
        for tag in tags:
            self.near.wait(f"flooded {tag}")
        self.next += count

    def arrived(self, source, name):
        """(count, last, twice, disordered)"""
        return tuple(int(word) for word in self.far.call("numbers", name, source).split())

    def all_arrived(self):
        return [self.arrived(source, name) for source, name in PAIRS]

    def whole(self):
        """Whether the last number of every pair has arrived."""
        return all(row[1] == self.next - 1 for row in self.all_arrived())

    def settle(self):
        """Sends single ones, which the unbroken link carries, until each pair's has arrived."""
        def seen():
            self.chunk(1)
            return self.case.within(2, self.whole)
        self.case.eventually(seen, "arrival of the last numbers of every pair", seconds=60)

    @property
    def sent(self):
        return (self.next - 1) * len(PAIRS)


class Cuts(lib.Case):
    """Connections reset at random bytes, mid-frame for the most part."""

    def play(self, near_kind, far_kind, cuts, near_flags=(), **limits):
        print(f"seed {SEED}", flush=True)
        port = lib.free_port()
        cutter = self.proxy(lib.Cutter(f"127.0.0.1:{port}", cuts, SEED, **limits))
        far = self.peer(far_kind, "--listen", f"127.0.0.1:{port}", "--advertise", cutter.address)
        near = self.peer(near_kind, *near_flags)
        flow = Flow(self, near, far, cutter.address)
        began = time.monotonic()
        while cutter.cuts < cuts:
            before = cutter.cuts
            flow.chunk(250)
            # A cut may have taken the last numbers with it, so that neither comes.
            self.within(0.5, lambda: cutter.cuts > before or flow.whole())
        flow.settle()
        rows = flow.all_arrived()
        received = sum(row[0] for row in rows)
        print(f"{near_kind} to {far_kind}: {cutter.cuts} cuts in {time.monotonic() - began:.1f} s, "
              f"{flow.sent} sent, {received} received", flush=True)
        self.assertGreaterEqual(cutter.cuts, cuts)
        self.assertEqual([row[2] for row in rows], [0] * len(PAIRS), "some came twice")
        self.assertEqual([row[3] for row in rows], [0] * len(PAIRS), "the order was not kept")
        return near, flow, received, cutter

    def check_accounts(self, near, flow, received, cutter):
        """What is missing is among the dead letters of links and the unknown, and no more."""
        def at_rest():
            words = [int(word) for word in near.call("accounts").split()]
            return words if words[5] == 0 else None
        _, _, dropped, _, dead, _, unknown, balanced = self.eventually(at_rest, "empty queues")
        state = near.call("link", cutter.address).split()
        print(f"  {dead} dead, {unknown} unknown, {dropped} dropped; "
              f"of the link: sent {state[2]}, dead {state[5]}, unknown {state[6]}", flush=True)
        self.assertTrue(balanced)
        missing = flow.sent - received
        self.assertEqual(dropped, 0)
        self.assertLessEqual(missing, dead + unknown)
        self.assertLessEqual(dead, missing)
        self.assertEqual((int(state[5]), int(state[6])), (dead, unknown))

    def ours(self, far_kind):
        cuts = 1000 if lib.LONG else 100
        near, *rest = self.play("troupe", far_kind, cuts, ("--backoff", 1, "--give-up", 60000))
        self.check_accounts(near, *rest)

    def test_ours_to_ours(self):
        self.ours("troupe")

    def test_ours_to_a(self):
        self.ours("a")

    def test_ours_to_b(self):
        self.ours("b")

    def theirs(self, near_kind):
        # A Go node sleeps two seconds when it fails to connect: let the handshake pass.
        self.play(near_kind, "troupe", 1000 if lib.LONG else 15, bytes_least=700)

    def test_a_to_ours(self):
        self.theirs("a")

    def test_b_to_ours(self):
        self.theirs("b")


class Deaths(lib.Case):
    """Peers that are killed, stopped and restarted while messages flow."""

    def killed_and_restarted(self, far_kind):
        port = lib.free_port()
        flags = ("--listen", f"127.0.0.1:{port}")
        near = self.peer("troupe", "--backoff", 5, "--give-up", 60000)
        sent = received = 0
        for _ in range(3):
            far = self.peer(far_kind, *flags)
            flow = Flow(self, near, far, far.address)
            flow.chunk(500, 20)
            flow.settle()
            rows = flow.all_arrived()
            self.assertEqual([row[2:] for row in rows], [(0, 0)] * len(PAIRS))
            far.kill()
            sent += flow.sent
            received += sum(row[0] for row in rows)
        words = [int(word) for word in near.call("accounts").split()]
        self.assertTrue(words[7], words)
        self.assertLessEqual(sent - received, words[3] + words[6])

    def test_killed_and_restarted(self):
        for kind in ("troupe", "a", "b"):
            with self.subTest(kind):
                self.killed_and_restarted(kind)

    def test_a_stopped_peer_holds_no_one_up(self):
        for kind in ("troupe", "a", "b"):
            with self.subTest(kind):
                near = self.peer("troupe")
                stopped, other = self.peer(kind), self.peer(kind)
                flow = Flow(self, near, stopped, stopped.address)
                other.call("spawn", "echo", "echo")
                flow.settle()
                stopped.freeze()
                began = time.monotonic()
                flow.chunk(20000)
                for number in range(20):
                    answer = self.ask(near, other.at("echo"), f"num:{number}", 2000)
                    self.assertEqual(answer, f"num:{number}")
                self.assertLess(time.monotonic() - began, 20)
                stopped.thaw()
                flow.settle()
                self.assertEqual([row[2:] for row in flow.all_arrived()], [(0, 0)] * len(PAIRS))
                words = [int(word) for word in near.call("accounts").split()]
                missing = flow.sent - sum(row[0] for row in flow.all_arrived())
                self.assertLessEqual(missing, words[3] + words[6])

    def test_queued_for_one_that_never_comes_is_dead(self):
        near = self.peer("troupe", "--backoff", 5, "--give-up", 300)
        address = f"127.0.0.1:{lib.free_port()}"
        near.call("flood", "f", f"nobody@{address}", 1, "1:100", 0)
        near.wait("flooded f")
        self.eventually(lambda: near.call("accounts").split()[4] == "100", "100 dead letters")
        self.assertEqual(self.ask(near, f"nobody@{address}", "text:x", 5000), '"peer cannot be reached"')


if __name__ == "__main__":
    lib.main()
