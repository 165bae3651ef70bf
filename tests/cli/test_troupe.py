"""The `troupe` command against nodes of ours, and against protoactor-go where there is Go."""
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop"))
import lib  # noqa: E402 (nodes of protoactor-go)

TROUPE = os.environ["TROUPE_COMMAND"]
GOOD, NO, USAGE, CANNOT = 0, 1, 2, 3

ORDER_PROTO = """
syntax = "proto3";
package shop;
message Order { string sku = 1; int32 count = 2; }
"""


def run(*args, want=GOOD):
    done = subprocess.run([TROUPE, *args], capture_output=True, text=True, timeout=60)
    assert done.returncode == want, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


class Words(unittest.TestCase):
    """What is wrong is named, before anything is sent."""

    def test_help_and_version(self):
        self.assertIn("usage: troupe send", run("--help"))
        self.assertIn("--descriptor-set", run("ask", "--help"))
        self.assertRegex(run("--version"), r"^troupe \d+\.\d+\.\d+\n$")
        run(want=USAGE)
        self.assertIn("no command 'dance'", run("dance", want=USAGE))

    def test_wrong_words(self):
        for args, text in [(("ask", "echo", "T"), "'echo' is no actor"),
                           (("ask", "echo@host", "T"), "'echo@host' is no actor"),
                           (("ping",), "usage: troupe ping"),
                           (("ping", "host"), "'host' is no node or actor"),
                           (("bench", "local"), "usage: troupe bench remote"),
                           (("ping", "h:1", "--count", "0"), "--count is '0', want 1 to"),
                           (("ping", "h:1", "--timeout", "soon"), "--timeout is 'soon'"),
                           (("ask", "e@127.0.0.1:1", "no.Such"), "no message type 'no.Such'")]:
            self.assertIn(text, run(*args, want=USAGE), args)

    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            broken = pathlib.Path(folder) / "broken.proto"
            broken.write_text('syntax = "proto3";\nmessage Order { strin sku = 1; }\n')
            self.assertIn("broken.proto:2:", run("ask", "e@127.0.0.1:1", "Order", "-p", str(broken),
                                                 want=CANNOT))
            self.assertIn("is no descriptor set", run("ask", "e@127.0.0.1:1", "Order", "-d",
                                                      str(broken), want=CANNOT))
            self.assertIn("cannot be opened", run("ask", "e@127.0.0.1:1", "Order", "-d",
                                                  folder + "/none", want=CANNOT))
            order = pathlib.Path(folder) / "order.proto"
            order.write_text(ORDER_PROTO)
            self.assertIn("count", run("ask", "e@127.0.0.1:1", "shop.Order", '{"count": "many"}',
                                       "-p", str(order), want=USAGE))
            self.assertIn("cannot be reached",
                          run("ask", "e@127.0.0.1:1", "shop.Order", '{"sku": "a", "count": 2}',
                              "-p", str(order), "-t", "300", want=CANNOT))

    def test_nobody_there(self):
        self.assertIn("cannot be reached", run("ping", "127.0.0.1:1", "--timeout", "300",
                                               want=CANNOT))

    def test_bench_ends_when_it_cannot_begin(self):
        text = run("bench", "remote", "127.0.0.1:99999", want=CANNOT)
        self.assertIn("bench-0@127.0.0.1:99999: invalid argument", text)
        self.assertEqual(text.count("\n"), 1, text)  # once, not again and again
        self.assertIn("cannot be reached", run("bench", "remote", "127.0.0.1:1", want=CANNOT))

    def test_plaintext_stays_here(self):
        self.assertIn("plaintext", run("ping", "127.0.0.1:1", "--listen", "0.0.0.0:0", want=CANNOT))


class Node(unittest.TestCase):
    """A node of ours: that of `troupe bench remote --serve`."""

    def setUp(self):
        self.node = subprocess.Popen([TROUPE, "bench", "remote", "--serve"], text=True,
                                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.at = self.node.stdout.readline().strip()
        self.addCleanup(self.node.stdout.close)

    def tearDown(self):
        self.node.send_signal(signal.SIGTERM)
        self.assertEqual(self.node.wait(30), 0)

    def test_ping(self):
        text = run("ping", self.at, "--count", "3", "--interval", "1")
        self.assertIn("3 sent, 3 answered", text)
        self.assertIn("2 sent, 2 answered",
                      run("ping", "bench-0@" + self.at, "--count", "2", "--interval", "0"))
        self.assertIn("there is no actor 'nosuch'", run("ping", "nosuch@" + self.at, want=NO))

    def test_ps(self):
        self.assertIn("bench-0@" + self.at, run("ps", self.at))
        self.assertEqual(run("ps", self.at, "bench"), f"bench-0@{self.at}\n")
        self.assertEqual(run("ps", self.at, "bench", "--exact"), "")

    def test_stop_and_watch(self):
        watch = subprocess.Popen([TROUPE, "watch", "bench-0@" + self.at], text=True,
                                 stdout=subprocess.PIPE)
        run("ping", "bench-0@" + self.at, "--count", "1")
        # The watch is a message like others, so it may come after the stop: then it finds nobody.
        run("stop", "bench-0@" + self.at)
        out, _ = watch.communicate(timeout=30)
        self.assertRegex(out, "stopped|not found")
        self.assertIn("not found", run("watch", "bench-0@" + self.at, want=NO))
        run("stop", "bench-0@" + self.at, want=NO)

    def test_spawn(self):
        self.assertIn("spawns no 'clerk'", run("spawn", self.at, "clerk", want=NO))

    def test_bench(self):
        text = run("bench", "remote", self.at, "--seconds", "1")
        self.assertRegex(text, r"one way +\d+ messages/s of 100 bytes")
        self.assertRegex(text, r"round trip +[\d.]+ µs")


class Go(unittest.TestCase):
    """The same commands against protoactor-go; each dialect is a class below."""
    dialect = ""

    @classmethod
    def setUpClass(cls):
        if not cls.dialect:
            raise unittest.SkipTest("the dialects are below")
        if not lib.go():
            raise unittest.SkipTest(lib.MISSING_GO)
        lib.build_peers()

    def setUp(self):
        self.peer = lib.Peer(self.dialect)
        self.addCleanup(self.peer.kill)
        self.peer.call("spawn", "echo", "echo")
        self.at = self.peer.address

    def tearDown(self):
        self.assertEqual(self.peer.close(), 0)  # it did not end by itself

    def test_all(self):
        echo = "echo@" + self.at
        self.assertEqual(run("ask", echo, "google.protobuf.StringValue", '"hi"'), '"echo:hi"\n')
        self.assertEqual(run("ask", echo, "google.protobuf.StringValue", 'value: "hi"', "--text"),
                         'value: "echo:hi"\n')
        run("send", echo, "google.protobuf.StringValue", '"there"')
        self.assertIn("1 sent, 1 answered", run("ping", echo, "--count", "1"))
        self.assertIn("1 sent, 1 answered", run("ping", self.at, "--count", "1"))
        self.assertIn("there is no actor", run("ask", "nosuch@" + self.at,
                                               "google.protobuf.StringValue", '"x"', want=NO))
        spawned = run("spawn", self.at, "echo", "--name", "mine").strip()
        self.assertEqual(spawned, f"activator/Remote$mine@{self.at}")
        self.assertEqual(run("ask", spawned, "google.protobuf.StringValue", '"you"'),
                         '"echo:you"\n')
        run("stop", spawned)
        # Asked for its actors such a node would end, so it is not asked.
        self.assertIn("no node of Troupe's", run("ps", self.at, want=NO))
        self.assertIn("1 sent, 1 answered", run("ping", self.at, "--count", "1"))


class GoA(Go):
    dialect = "a"


class GoB(Go):
    dialect = "b"


if __name__ == "__main__":
    unittest.main()
