"""
Rows of the protocol that need a node of ours with settings of its own: messages in JSON, how much a
peer can make a node hold, links that nobody uses.
"""
import unittest

import lib
import proto
import test_edges
from test_edges import A, STRING, string


class Json(test_edges.Raw):
    """Serializer 1. Nodes of ours send none and take none; through them it goes as it came."""

    def ours(self):
        far = self.tool.call("raw", "serve", "far", "127.0.0.1:0")
        return self.peer("troupe", "--backoff", 5, "--dialect-b", far, "--route", f"far/={far}")

    def test_it_is_not_taken_and_spoils_nothing(self):
        self.connect("t")
        me = proto.pid(self.back, "me")
        self.send("t", proto.batch(
            [STRING], [self.target(A, "sink")],
            [proto.envelope(0, b'"json"', serializer=1, sender=1, sender_request=5),
             proto.envelope(0, string("binary"))], [me]))
        self.node.wait("got sink text:binary -")
        answer = self.next_envelope(self.accept_back())
        self.assertEqual((answer.type, answer.target_request), ("actor.DeadLetterResponse", 5))
        self.check_target(answer, A, "me")
        self.assertEqual(self.node.take("got sink .*"), [])
        self.assertEqual(self.node.call("link", self.back).split()[8], "1")  # rejected

    def test_through_a_route_it_goes_as_it_came(self):
        self.connect("t")
        self.send("t", proto.batch(["of.nobody.here"], [self.target(A, "far/sink")],
                                   [proto.envelope(0, b'{"a": 1}', serializer=1)]))
        self.tool.wait(r"raw-open far.1 /remote.Remoting/Receive")
        self.assertEqual(proto.kind(self.received("far.1")), "connect-request")
        self.send("far.1", proto.connected("FAR"))
        came = self.next_envelope("far.1")
        self.assertEqual((came.type, came.serializer, came.payload, came.target, came.sender),
                         ("of.nobody.here", 1, b'{"a": 1}', b"sink", None))


class Watches(test_edges.Raw):
    def ours(self):
        return self.peer("troupe", "--backoff", 5, "--watches", 2)

    def watch(self, ident, watcher):
        self.send("t", self.one(A, ident, proto.data(1, proto.pid(self.back, watcher)),
                                "actor.Watch"))

    def rejected(self):
        return int(self.node.call("link", self.back).split()[8])

    def test_a_peer_holds_no_more_than_it_may(self):
        self.connect("t")
        for watcher in ("one", "two", "three", "one", "four"):  # again is no further one
            self.watch("echo", watcher)
        self.eventually(lambda: self.rejected() == 2, "two that were rejected")
        self.node.call("stop", "echo")
        back = self.accept_back()
        told = []
        while len(told) < 2:
            message = self.received(back)
            if proto.kind(message) == "batch":
                told += [one.target for one in proto.envelopes(message)
                         if one.type == "actor.Terminated"]
        self.assertEqual(len(set(told)), 2)
        # Those that have been told count no more.
        for watcher in ("five", "six"):
            self.watch("sink", watcher)
        self.still_serves()
        self.assertEqual(self.rejected(), 2)
        self.assertTrue(all(b"three" not in target and b"four" not in target for target in told))

    def test_what_is_taken_back_counts_no_more(self):
        self.connect("t")
        for number in range(20):
            self.watch("echo", f"w{number}")
            self.send("t", self.one(A, "echo", proto.data(1, proto.pid(self.back, f"w{number}")),
                                    "actor.Unwatch"))
        self.still_serves()
        self.assertEqual(self.rejected(), 0)


class DeadRoutes(test_edges.Raw):
    """A route to nobody: who has sent is told by whatever name it is known there."""

    def ours(self):
        return self.peer("troupe", "--backoff", 5, "--give-up", 100, "--route",
                         f"far/=127.0.0.1:{lib.free_port()}", "--route", f"back/={self.back}")

    def test_senders_are_told(self):
        self.connect("t")
        senders = [proto.pid(self.back, ident) for ident in ("me", "future$9", "numbered")]
        self.send("t", proto.batch(
            [STRING], [self.target(A, "far/x")],
            [proto.envelope(0, string("x"), sender=number + 1, sender_request=6 * (number == 2))
             for number in range(len(senders))], senders))
        back = self.accept_back()
        told, answers = set(), []
        while len(answers) < len(senders):
            message = self.received(back)
            if proto.kind(message) == "batch":
                answers += [one for one in proto.envelopes(message) if one.type != "actor.Touch"]
        for answer in answers:
            self.assertEqual(answer.type, "actor.DeadLetterResponse")
            ident = proto.first(answer.target, 2).decode()
            told.add((ident, answer.target_request))
            # As the one that asked knows it.
            self.assertEqual(proto.first(proto.first(answer.payload, 1), 2), b"far/x")
        self.assertEqual(told, {("me", 0), ("future$9", 0), ("numbered", 6)})
        dead = self.node.call("accounts").split()
        self.assertEqual((dead[4], dead[7]), ("3", "1"))  # dead of links, balanced


class Idle(lib.Case):
    """A link that nobody uses is closed, and made again when it is wanted."""

    def state(self, ours, node):
        return ours.call("link", node.address).split()

    def check(self, kind):
        ours, node = self.peer("troupe", "--idle", 100, "--backoff", 5), self.peer(kind)
        node.call("spawn", "echo", "echo")
        node.call("spawn", "watched", "echo")
        for number in range(3):
            self.assertEqual(self.ask(ours, node.at("echo"), f"num:{number}"), f"num:{number}")
            self.eventually(lambda: self.state(ours, node)[0] == "0", "the link's end")
            figures = self.state(ours, node)
            self.assertEqual((figures[6], figures[9]), ("0", str(number + 1)), "unknown, connects")
        # Who waits for an end there keeps it open, and is not told of one that did not come.
        ours.call("watch", node.at("watched"))
        self.assertEqual(self.ask(ours, node.at("watched"), "num:7"), "num:7")
        self.assertFalse(self.within(3, lambda: self.state(ours, node)[0] == "0"))
        self.assertEqual(ours.take("terminated .*"), [])
        node.call("stop", "watched")
        ours.wait(rf"terminated watched@{node.address} 0")
        self.eventually(lambda: self.state(ours, node)[0] == "0", "the link's end")
        # The other way is theirs.
        ours.call("spawn", "echo", "echo")
        self.assertEqual(self.ask(node, ours.at("echo"), "num:8"), "num:8")
        self.assertEqual(ours.call("accounts").split()[6:], ["0", "1"])  # none unknown, balanced

    def test_to_a_node_of_dialect_a(self):
        self.check("a")

    def test_to_a_node_of_dialect_b(self):
        self.check("b")

    def test_to_one_of_ours(self):
        self.check("troupe")


if __name__ == "__main__":
    lib.main()
