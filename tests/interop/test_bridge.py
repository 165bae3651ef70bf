"""
Routes: two nodes that cannot talk to each other do through one of ours, which passes on what it
does not read. `near` knows the actors of `far` by names of that node alone, and the other way round.
"""
import re
import unittest

import lib
import test_protocol


class Through(test_protocol.Rows):
    """The rows of the protocol, with a node between the two."""
    lost_why = 0  # a Go node tells no other reason of a node that it is not connected with

    def setUp(self):
        lib.Case.setUp(self)
        self.near, self.far = self.peer(self.near_kind), self.peer(self.far_kind)
        self.between = self.peer("troupe", "--backoff", 5, "--route", f"far/={self.far.address}",
                                 "--route", f"near/={self.near.address}",
                                 "--route", f"the-echo=echo@{self.far.address}")
        for name, node in (("near", self.near), ("far", self.far)):
            node.here = node.at
            node.at = lambda ident, name=name: f"{name}/{ident}@{self.between.address}"
        self.far.call("spawn", "settle", "echo")

    # Go nodes spawn at the activator of the address that they name, which is ours.
    test_an_actor_is_spawned_by_its_kind = None
    test_a_kind_that_nobody_registered = None
    test_a_restarted_node_is_found_again = None
    test_a_node_that_left_is_found_again = None

    def figures(self, node):
        return [int(word) for word in self.between.call("link", node.address).split()]

    def test_one_actor_has_a_name_of_its_own(self):
        self.far.call("spawn", "echo", "echo")
        echo = f"the-echo@{self.between.address}"
        self.assertEqual(self.ask(self.near, echo, "text:hi"), "text:echo:hi")
        self.assertEqual(self.ask(self.near, echo, "touch"), f"touched:{echo}")
        self.near.call("watch", echo)
        self.settle()
        self.near.call("stop", echo)
        self.near.wait(f"terminated {echo} 0")

    def test_what_is_passed_on_is_counted(self):
        self.far.call("spawn", "numbers", "numbers")
        self.near.call("flood", "f", self.far.at("numbers"), 1, "1:1000", 0)
        self.eventually(lambda: self.far.call("numbers", "numbers", 1) == "1000 1000 0 0",
                        "the numbers")
        self.assertEqual(self.figures(self.far)[10], 1000)
        accounts = self.between.call("accounts").split()
        self.assertEqual(accounts[-1], "1", accounts)

    def test_both_ask_at_once(self):
        for node in (self.near, self.far):
            node.call("spawn", "echo", "echo")
        for number in range(100):
            self.near.call("ask", f"n{number}", self.far.at("echo"), 20000, f"num:{number}")
            self.far.call("ask", f"f{number}", self.near.at("echo"), 20000, f"num:{number}")
        for number in range(100):
            self.near.wait(rf"answer n{number} num:{number}")
            self.far.wait(rf"answer f{number} num:{number}")

    def test_a_request_to_a_node_that_is_gone_fails(self):
        self.settle()
        self.far.kill()
        self.between.wait_for_link(self.far.address, down=True)
        # Not before the node between has given up.
        self.assertEqual(self.ask(self.near, self.far.at("echo"), "num:1", 20000), "dead-letter")

    def test_a_node_that_is_killed_in_the_middle_loses_nothing_silently(self):
        self.far.call("spawn", "numbers", "numbers")
        self.near.call("flood", "f", self.far.at("numbers"), 1, "1:20000", 0)
        self.eventually(lambda: self.far.call("numbers", "numbers", 1) != "0 0 0 0", "the first")
        self.far.kill()
        self.near.wait("flooded f")

        def settled():
            figures = self.figures(self.far)
            return figures if figures[10] == 20000 and figures[4] == 0 else None
        figures = self.eventually(settled, "the end of all")
        sent, dead, unknown, refused = figures[2], figures[5], figures[6], figures[7]
        self.assertEqual((sent + dead, refused), (20000, 0))
        self.assertLessEqual(unknown, sent)
        self.eventually(lambda: self.between.call("accounts").split()[-1] == "1", "a balance")

    def test_a_node_that_comes_back_is_found_again(self):
        port = self.far.address.rpartition(":")[2]
        self.settle()
        self.far.kill()
        again = self.peer(self.far_kind, "--listen", f"127.0.0.1:{port}")
        again.call("spawn", "echo", "echo")
        self.eventually(lambda: self.ask(self.near, self.far.at("echo"), "num:2", 1000) == "num:2",
                        "an answer from the restarted node")

    def test_a_watcher_that_is_gone_watches_no_more(self):
        self.far.call("spawn", "echo", "echo")
        self.watch("echo")
        self.near.kill()
        self.between.wait_for_link(self.near.address, down=True)
        again = self.peer(self.near_kind, "--listen", self.near.address)
        self.assertEqual(self.ask(again, self.far.at("settle"), "num:1"), "num:1")
        self.far.call("stop", "echo")
        self.assertEqual(self.ask(again, self.far.at("settle"), "num:2"), "num:2")
        self.assertEqual(again.take("terminated .*"), [])

    def test_a_peer_that_restarts_between_keeps_the_way(self):
        """Nothing is remembered: a name by a route outlives the node that passes on."""
        self.far.call("spawn", "echo", "echo")
        self.settle()
        self.between.kill()
        self.between.flags += ["--listen", self.between.address]
        self.between.start()
        self.eventually(lambda: self.ask(self.near, self.far.at("echo"), "num:3", 1000) == "num:3",
                        "an answer through the restarted node")


class AToB(Through, lib.Case):
    near_kind, far_kind = "a", "b"


class BToA(Through, lib.Case):
    near_kind, far_kind = "b", "a"


class Slow(lib.Case):
    def test_a_peer_waits_for_who_is_slow_behind_us(self):
        near, far = self.peer("a"), self.peer("b")
        between = self.peer("troupe", "--queue", 16384, "--overflow", 3,  # TR_DELAY
                            "--route", f"far/={far.address}")
        for name in ("numbers", "echo"):
            far.call("spawn", name, name)
        self.assertEqual(self.ask(near, f"far/echo@{between.address}", "num:1"), "num:1")
        far.freeze()
        near.call("flood", "f", f"far/numbers@{between.address}", 1, "1:100000", 0)
        near.wait("flooded f")
        self.eventually(lambda: int(between.call("link", far.address).split()[4]) > 100,
                        "a queue")
        far.thaw()
        self.eventually(lambda: far.call("numbers", "numbers", 1) == "100000 100000 0 0",
                        "all of them, in order")
        self.assertEqual(between.call("accounts").split()[2:4], ["0", "0"])  # dropped, dead


class Rules(lib.Case):
    """What routes do not do."""

    def bridge(self, *routes):
        flags = [word for route in routes for word in ("--route", route)]
        return self.peer("troupe", "--backoff", 5, "--give-up", 300, *flags)

    def test_senders_without_a_route_are_answered_all_the_same(self):
        near, far = self.peer("a"), self.peer("b")
        far.call("spawn", "echo", "echo")
        far.call("spawn", "sink", "sink")
        between = self.bridge(f"far/={far.address}")
        near.call("request", f"far/sink@{between.address}", "text:who")
        sender = far.wait(r"got sink text:who (\S+)").group(1)
        self.assertRegex(sender, rf"^\$via/\S+/{near.address}/driver@{between.address}$")
        self.assertEqual(self.ask(near, f"far/echo@{between.address}", "num:7"), "num:7")
        # It is an actor like others to who has been told of it, …
        far.call("send", sender, "text:back")
        near.wait(r"got driver text:back -")
        far.call("watch", sender)
        self.assertEqual(self.ask(near, f"far/echo@{between.address}", "num:8"), "num:8")
        # … but nobody is reached whom nobody has named.
        near.call("spawn", "secret", "sink")
        forged = sender.replace("/driver@", "/secret@")
        self.assertEqual(self.ask(far, forged, "text:x"), "dead-letter")
        self.assertEqual(near.take("got secret .*"), [])

    def test_only_the_types_that_may_pass(self):
        near, far = self.peer("a"), self.peer("b")
        far.call("spawn", "echo", "echo")
        between = self.bridge(f"far/={far.address}=google.protobuf.StringValue")
        echo = f"far/echo@{between.address}"
        self.assertEqual(self.ask(near, echo, "text:x"), "text:echo:x")
        self.assertEqual(self.ask(near, echo, "num:1"), "dead-letter")
        rejected = int(between.call("link", near.address).split()[8])
        self.assertEqual(rejected, 1)

    def test_what_may_not_be_stopped_here_may_not_be_stopped_there(self):
        near, far = self.peer("a"), self.peer("b")
        far.call("spawn", "echo", "echo")
        between = self.peer("troupe", "--allow", 0, "--route", f"far/={far.address}")
        echo = f"far/echo@{between.address}"
        self.assertEqual(self.ask(near, echo, "num:1"), "num:1")
        near.call("stop", echo)
        near.call("poison", echo)
        near.call("watch", echo)
        for number in range(20):
            self.assertEqual(self.ask(near, echo, f"num:{number}"), f"num:{number}")

    def test_messages_do_not_go_in_circles(self):
        ports = [lib.free_port() for _ in range(2)]
        nodes = [self.peer("troupe", "--backoff", 5, "--listen", f"127.0.0.1:{ports[i]}",
                           "--route", f"circle=circle@127.0.0.1:{ports[1 - i]}",
                           "--route", f"x/=127.0.0.1:{ports[1 - i]}") for i in range(2)]
        near = self.peer("a")
        for message in ("text:x", "touch", "num:1"):
            for _ in range(3):
                self.assertEqual(self.ask(near, f"circle@{nodes[0].address}", message),
                                 "dead-letter")
        near.call("stop", f"circle@{nodes[0].address}")
        near.call("poison", f"circle@{nodes[0].address}")
        self.assertEqual(self.ask(near, f"x/x/x/x/nobody@{nodes[0].address}", "num:1"),
                         "dead-letter")
        passed = sum(int(nodes[i].call("link", nodes[1 - i].address).split()[10])
                     for i in range(2))
        self.assertLess(passed, 40)

    def test_one_of_ours_reaches_through_one_of_ours(self):
        near, far = self.peer("troupe"), self.peer("b")
        far.call("spawn", "echo", "echo")
        far.call("spawn", "watched", "echo")
        between = self.bridge(f"far/={far.address}")
        echo, watched = (f"far/{name}@{between.address}" for name in ("echo", "watched"))
        self.assertEqual(self.ask(near, echo, "text:hi"), "text:echo:hi")
        near.call("watch", watched)
        self.assertEqual(self.ask(near, watched, "num:1"), "num:1")
        far.call("stop", "watched")
        near.wait(f"terminated {re.escape(watched)} 0")
        near.call("watch", echo)
        self.assertEqual(self.ask(near, echo, "num:2"), "num:2")
        far.kill()
        near.wait(f"terminated {re.escape(echo)} 1")

    def test_one_that_cannot_be_dialled_is_answered(self):
        near, far = self.peer("troupe", "--dial-only", 1), self.peer("a")
        far.call("spawn", "echo", "echo")
        between = self.bridge(f"far/={far.address}")
        for number in range(20):
            answer = self.ask(near, f"far/echo@{between.address}", f"num:{number}")
            self.assertEqual(answer, f"num:{number}")


if __name__ == "__main__":
    lib.main()
