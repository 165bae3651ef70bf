"""
Every row of the protocol's tables, between nodes of the same dialect and between ours and both:
`near` acts, `far` is acted upon.
"""
import re
import time
import unittest

import lib


class Rows:
    """The rows; what differs by kind of node is said in one place each."""
    near_kind = far_kind = ""
    between = None
    lost_why = 1  # what a watcher is told when the node is lost

    def setUp(self):
        super().setUp()
        self.near = self.peer(self.near_kind)
        self.far = self.peer(self.far_kind)
        self.far.call("spawn", "settle", "echo")

    # ---- Messages ----

    def test_messages_of_every_type_arrive_without_a_sender(self):
        self.far.call("spawn", "sink", "sink")
        for message in ("text:hello", "text:", "text:grüße-здравствуй", "num:0",
                        "num:18446744073709551615", "empty", "bool:true"):
            self.near.call("send", self.far.at("sink"), message)
            got = self.far.wait(r"got sink (\S*) (\S+)")
            self.assertEqual(got.groups(), (message, "-"))

    def test_bytes_arrive_as_they_were(self):
        self.far.call("spawn", "sink", "sink")
        for size in (0, 1, 1000, 3_000_000):
            self.near.call("send", self.far.at("sink"), f"bytes:{size}")
            got = self.far.wait(rf"got sink bytes:{size}:(\w+) -").group(1)
            self.assertEqual(got, pattern_hash(size))

    def test_the_sender_is_known_and_can_be_answered(self):
        self.far.call("spawn", "sink", "sink")
        self.far.call("spawn", "echo", "echo")
        self.near.call("request", self.far.at("sink"), "text:who")
        self.far.wait(f"got sink text:who {re.escape(self.near.at('driver'))}")
        self.near.call("request", self.far.at("echo"), "num:5")
        self.near.wait(rf"got driver num:5 \S+")

    # ---- Requests ----

    def test_requests_are_answered(self):
        self.far.call("spawn", "echo", "echo")
        echo = self.far.at("echo")
        self.assertEqual(self.ask(self.near, echo, "text:hi"), "text:echo:hi")
        self.assertEqual(self.ask(self.near, echo, "num:42"), "num:42")
        self.assertEqual(self.ask(self.near, echo, "empty"), "empty")

    def test_many_requests_at_once_get_their_own_answers(self):
        self.far.call("spawn", "echo", "echo")
        for number in range(200):
            self.near.call("ask", f"m{number}", self.far.at("echo"), 20000, f"num:{number}")
        for number in range(200):
            self.near.wait(rf"answer m{number} num:{number}")

    def test_a_request_without_an_answer_times_out(self):
        self.far.call("spawn", "quiet", "quiet")
        self.assertEqual(self.ask(self.near, self.far.at("quiet"), "text:x", 300), "timeout")

    def test_a_request_to_nobody_is_a_dead_letter(self):
        self.assertEqual(self.ask(self.near, self.far.at("nobody"), "text:x"), "dead-letter")
        if self.near_kind != "troupe":  # a plain message with a sender, answered the same way
            self.near.call("request", self.far.at("nobody"), "text:x")
            self.near.wait("got driver dead-letter .*")

    def test_a_thread_outside_of_the_system_asks(self):
        if self.near_kind != "troupe":
            self.skipTest("only ours has such a call")
        self.far.call("spawn", "echo", "echo")
        answer = self.near.call("ask-outside", self.far.at("echo"), 10000, "num:77")
        self.assertEqual(answer, "num:77")
        answer = self.near.call("ask-outside", self.far.at("nobody"), 10000, "num:1", fails=True)
        self.assertEqual(answer, "no such actor")

    def test_the_dialect_is_found_out(self):
        if self.near_kind != "troupe":
            self.skipTest("Go nodes speak only one")
        self.settle()
        state, dialect, *_ = self.near.call("link", self.far.address).split()
        self.assertEqual(state, "2")  # TR_LINK_UP
        self.assertEqual(dialect, {"a": "1", "b": "2", "troupe": "2"}[self.far_kind])

    def test_an_answer_that_comes_too_late_does_no_harm(self):
        self.far.call("spawn", "echo", "echo")
        self.far.call("spawn", "warm", "echo")
        self.ask(self.near, self.far.at("warm"), "empty")
        self.far.freeze()
        self.assertEqual(self.ask(self.near, self.far.at("echo"), "text:late", 200), "timeout")
        self.far.thaw()
        self.assertEqual(self.ask(self.near, self.far.at("echo"), "text:next"), "text:echo:next")

    def test_an_answer_may_take_its_time(self):
        self.far.call("spawn", "later", "later")
        self.assertEqual(self.ask(self.near, self.far.at("later"), "text:when"), "text:later")

    def test_touch_is_answered_by_itself(self):
        self.far.call("spawn", "quiet", "quiet")
        answer = self.ask(self.near, self.far.at("quiet"), "touch")
        self.assertEqual(answer, f"touched:{self.far.at('quiet')}")
        if self.near_kind != "troupe":
            self.near.call("request", self.far.at("quiet"), "touch")
            self.near.wait(rf"got driver touched:{re.escape(self.far.at('quiet'))} .*")

    def test_headers_cross(self):
        self.far.call("spawn", "headers", "headers")
        tag = self.tag()
        self.near.call("ask-with", tag, self.far.at("headers"), 10000, "empty", "trace=0af7")
        self.near.wait(rf"answer {tag} text:trace=0af7")

    def test_what_is_forwarded_keeps_its_sender(self):
        self.near.call("spawn", "echo", "echo")
        self.far.call("forwarder", "back", self.near.at("echo"))
        self.assertEqual(self.ask(self.near, self.far.at("back"), "text:there"), "text:echo:there")
        self.far.call("spawn", "other", "echo")
        self.far.call("forwarder", "within", self.far.at("other"))
        self.assertEqual(self.ask(self.near, self.far.at("within"), "num:9"), "num:9")

    # ---- Life and death ----

    def watch(self, *names):
        """
        Watches actors of far, and lets it arrive. A Go node sends a watch by way of another actor
        than messages, so that what is sent at once may overtake it.
        """
        for name in names:
            self.near.call("watch", self.far.at(name))
        self.settle()

    def settle(self):
        for number in range(10):
            answer = self.ask(self.near, self.far.at("settle"), f"num:{number}")
            self.assertEqual(answer, f"num:{number}")

    def test_watch_tells_of_stop_and_of_poison(self):
        for how in ("stop", "poison"):
            self.far.call("spawn", how, "echo")
            self.watch(how)
            self.near.call(how, self.far.at(how))
            self.near.wait(f"terminated {re.escape(self.far.at(how))} 0")

    def test_watch_of_one_stopped_by_its_own_node(self):
        self.far.call("spawn", "own", "echo")
        self.watch("own")
        self.far.call("stop", "own")
        self.near.wait(f"terminated {re.escape(self.far.at('own'))} 0")

    def test_watch_of_nobody(self):
        if self.far_kind == self.near_kind == "b" and self.between is None:
            self.skipTest("nodes of dialect B drop a watch on a missing actor")
        self.near.call("watch", self.far.at("nobody"))
        # A Go watcher is told reason 0 whatever came over the wire.
        why = 2 if self.near_kind == "troupe" else 0
        self.near.wait(f"terminated {re.escape(self.far.at('nobody'))} {why}")

    def test_a_watch_is_taken_back(self):
        self.far.call("spawn", "echo", "echo")
        self.far.call("spawn", "other", "echo")
        self.watch("echo", "other")
        self.near.call("unwatch", self.far.at("echo"))
        self.settle()
        self.near.call("poison", self.far.at("echo"))
        self.near.call("poison", self.far.at("other"))
        self.near.wait(f"terminated {re.escape(self.far.at('other'))} 0")
        # What far says of itself later comes after what it would have said of echo.
        self.far.call("spawn", "last", "echo")
        self.assertEqual(self.ask(self.near, self.far.at("last"), "num:2"), "num:2")
        self.assertEqual(self.near.take(r"terminated (\S+/)?echo@.*"), [])

    def test_poison_comes_after_the_messages_before_it(self):
        self.far.call("spawn", "numbers", "numbers")
        self.watch("numbers")
        self.near.call("flood", "f", self.far.at("numbers"), 3, "1:2000", 0)
        self.near.wait("flooded f")
        self.near.call("poison", self.far.at("numbers"))
        self.near.wait(f"terminated {re.escape(self.far.at('numbers'))} 0")
        self.assertEqual(self.far.call("numbers", "numbers", 3), "2000 2000 0 0")

    def test_stop_with_a_future(self):
        self.far.call("spawn", "echo", "echo")
        self.watch("echo")  # so that the link is up
        self.near.call("end", "e", "stop", self.far.at("echo"))
        self.near.wait("answer e terminated")
        self.assertEqual(self.ask(self.near, self.far.at("echo"), "num:1"), "dead-letter")

    def test_a_killed_node_ends_its_actors_for_watchers(self):
        self.far.call("spawn", "echo", "echo")
        self.watch("echo")
        self.far.kill()
        self.near.wait(f"terminated {re.escape(self.far.at('echo'))} {self.lost_why}")

    def test_a_node_that_leaves_ends_its_actors_for_watchers(self):
        self.far.call("spawn", "echo", "echo")
        self.watch("echo")
        began = time.monotonic()
        self.far.call("shutdown", "graceful")
        self.near.wait(f"terminated {re.escape(self.far.at('echo'))} {self.lost_why}")
        if self.near_kind == "troupe":
            # A Go node waits ten seconds for those that do not half-close when it says it leaves.
            self.assertLess(time.monotonic() - began, 8)

    def test_a_restarted_node_is_found_again(self):
        self.restarted(lambda far: None)

    def test_a_node_that_left_is_found_again(self):
        self.restarted(lambda far: far.call("shutdown", "graceful"))

    def restarted(self, leave):
        port = lib.free_port()
        far = self.peer(self.far_kind, "--listen", f"127.0.0.1:{port}")
        far.call("spawn", "echo", "echo")
        self.assertEqual(self.ask(self.near, far.at("echo"), "num:1"), "num:1")
        leave(far)
        far.kill()
        again = self.peer(self.far_kind, "--listen", f"127.0.0.1:{port}")
        again.call("spawn", "echo", "echo")
        self.eventually(lambda: self.ask(self.near, again.at("echo"), "num:2", 1000) == "num:2",
                        "an answer from the restarted node")

    # ---- Remote spawn ----

    def spawn_at(self, name, kind):
        tag = self.tag()
        self.near.call("spawn-at", tag, self.far.address, name, kind, 10000)
        status, pid = self.near.wait(rf"spawned {tag} (-?\d+) (\S+)").groups()
        return int(status), pid

    def test_an_actor_is_spawned_by_its_kind(self):
        status, pid = self.spawn_at("one", "echo")
        self.assertEqual((status, pid), (0, self.far.at("activator/Remote$one")))
        self.assertEqual(self.ask(self.near, pid, "text:hi"), "text:echo:hi")
        again, same = self.spawn_at("one", "echo")
        self.assertEqual((again, same), (3, pid))
        status, unnamed = self.spawn_at("-", "echo")
        self.assertEqual(status, 0)
        self.assertNotEqual(unnamed, pid)
        self.assertEqual(self.ask(self.near, unnamed, "num:6"), "num:6")

    def test_a_kind_that_nobody_registered(self):
        if self.far_kind != "troupe":
            self.skipTest("it would restart the activator of a Go node and stop its actors")
        status, pid = self.spawn_at("two", "nonsense")
        self.assertEqual((status, pid), (4, "-"))
        # Nothing else is harmed.
        status, pid = self.spawn_at("three", "echo")
        self.assertEqual(status, 0)

    # ---- Order ----

    def test_order_is_kept_of_every_pair(self):
        for name in range(4):
            self.far.call("spawn", f"n{name}", "numbers")
        for source in range(4):
            self.near.call("flood", f"f{source}", self.far.at(f"n{source}"), source, "1:5000", 0)
            self.near.call("flood", f"g{source}", self.far.at("n0"), 10 + source, "1:5000", 0)
        for source in range(4):
            self.eventually(lambda: self.far.call("numbers", f"n{source}", source)
                            == "5000 5000 0 0", f"the numbers of {source}")
            self.eventually(lambda: self.far.call("numbers", "n0", 10 + source)
                            == "5000 5000 0 0", f"the numbers of {10 + source}")


def pattern_hash(size):
    value = 2166136261
    for at in range(size):
        value = ((value ^ ((at * 31 + 7) & 255)) * 16777619) & 0xffffffff
    return f"{value:08x}"


class OneOfOursBetweenBoth(lib.Case):
    """A node of ours talks to both dialects at the same time, which cannot talk to each other."""

    def test_both_at_once(self):
        ours, a, b = self.peer("troupe"), self.peer("a"), self.peer("b")
        ours.call("spawn", "echo", "echo")
        for node in (a, b):
            node.call("spawn", "echo", "echo")
            node.call("spawn", "watched", "echo")
        for number in range(50):
            for node in (a, b):
                self.assertEqual(self.ask(ours, node.at("echo"), f"num:{number}"), f"num:{number}")
                self.assertEqual(self.ask(node, ours.at("echo"), f"num:{number}"), f"num:{number}")
        for node in (a, b):
            ours.call("watch", node.at("watched"))
        for node in (a, b):
            self.assertEqual(self.ask(ours, node.at("watched"), "num:1"), "num:1")
            node.call("stop", "watched")
            ours.wait(rf"terminated watched@{node.address} 0")

    def test_a_node_that_cannot_be_dialled(self):
        near, far = self.peer("troupe", "--dial-only", 1), self.peer("troupe")
        far.call("spawn", "echo", "echo")
        far.call("spawn", "watched", "echo")
        near.call("spawn", "numbers", "numbers")
        for number in range(50):
            self.assertEqual(self.ask(near, far.at("echo"), f"num:{number}"), f"num:{number}")
        near.call("watch", far.at("watched"))
        self.assertEqual(self.ask(near, far.at("watched"), "num:1"), "num:1")
        far.call("stop", "watched")
        near.wait(rf"terminated watched@{far.address} 0")

    def test_peers_that_restart_with_the_other_dialect(self):
        ours = self.peer("troupe", "--backoff", 5)
        port = lib.free_port()
        for kind in ("a", "b", "a", "troupe", "b"):
            peer = self.peer(kind, "--listen", f"127.0.0.1:{port}")
            peer.call("spawn", "echo", "echo")
            self.eventually(lambda: self.ask(ours, peer.at("echo"), "num:1", 1000) == "num:1",
                            f"an answer from the node that speaks {kind} now")
            for number in range(5):
                self.assertEqual(self.ask(ours, peer.at("echo"), f"num:{number}"), f"num:{number}")
            peer.kill()


    def test_what_is_queued_is_sent_in_the_dialect_of_who_comes(self):
        for first, then in (("b", "a"), ("a", "b"), ("troupe", "a"), ("b", "troupe")):
            with self.subTest(f"{first}, then {then}"):
                port = lib.free_port()
                ours = self.peer("troupe", "--backoff", 5, "--give-up", 60000)
                peer = self.peer(first, "--listen", f"127.0.0.1:{lib.free_port()}",
                                 "--advertise", f"127.0.0.1:{port}")
                proxy = lib.Proxy(peer.given("listen"), port=port)
                peer.call("spawn", "echo", "echo")
                self.assertEqual(self.ask(ours, peer.at("echo"), "num:1"), "num:1")
                proxy.close()
                peer.kill()
                ours.wait_for_link(peer.address, down=True)
                ours.call("flood", "f", peer.at("numbers"), 1, "1:20", 0)
                ours.wait("flooded f")
                again = self.peer(then, "--listen", f"127.0.0.1:{lib.free_port()}",
                                  "--advertise", f"127.0.0.1:{port}")
                again.call("spawn", "numbers", "numbers")
                self.proxy(lib.Proxy(again.given("listen"), port=port))
                self.eventually(lambda: again.call("numbers", "numbers", 1) == "20 20 0 0",
                                "the numbers that were queued")


class GoToGoA(Rows, lib.Case):
    near_kind = far_kind = "a"


class GoToGoB(Rows, lib.Case):
    near_kind = far_kind = "b"


class TroupeToA(Rows, lib.Case):
    near_kind, far_kind = "troupe", "a"


class AToTroupe(Rows, lib.Case):
    near_kind, far_kind = "a", "troupe"


class TroupeToB(Rows, lib.Case):
    near_kind, far_kind = "troupe", "b"


class BToTroupe(Rows, lib.Case):
    near_kind, far_kind = "b", "troupe"


class TroupeToTroupe(Rows, lib.Case):
    near_kind = far_kind = "troupe"


if __name__ == "__main__":
    lib.main()
