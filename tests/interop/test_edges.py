"""
Bytes that no node of ours would send, and what ours answers; what ours must never send to a Go
node; sizes, compression, addresses, TLS.
"""
import re
import shutil
import subprocess
import tempfile
import unittest

import lib
import proto

STRING = "google.protobuf.StringValue"
A, B = "a", "b"


def string(value):
    return proto.data(1, value)


class Raw(lib.Case):
    """`tool` speaks bare gRPC; `back` is where the node dials the one that it pretends to be."""

    def setUp(self):
        super().setUp()
        self.tool = self.peer("b")
        self.back = self.tool.call("raw", "serve", "back", "127.0.0.1:0")
        self.node = self.ours()
        self.node.call("spawn", "echo", "echo")
        self.node.call("spawn", "sink", "sink")

    def ours(self):
        return self.peer("troupe", "--backoff", 5)

    def connect(self, tag, system_id="RAWNODE"):
        self.tool.call("raw", "open", tag, self.node.address)
        self.send(tag, proto.connect(system_id, self.back))
        answer = self.received(tag)
        self.assertEqual(proto.kind(answer), "connect-response")
        return answer

    def send(self, tag, message):
        self.tool.call("raw", "send", tag, message.hex() or "-")

    def received(self, tag):
        text = self.tool.wait(rf"raw {re.escape(tag)} (\S+)").group(1)
        return b"" if text == "-" else bytes.fromhex(text)

    def accept_back(self, number=1):
        """Takes the node's own connection to us; returns its tag."""
        tag = f"back.{number}"
        self.tool.wait(rf"raw-open {tag} /remote.Remoting/Receive")
        request = self.received(tag)
        self.assertEqual(proto.kind(request), "connect-request")
        server = proto.first(proto.first(request, 2), 2)
        self.assertEqual(proto.first(server, 2).decode(), self.node.address)
        self.send(tag, proto.connected("RAWNODE"))
        return tag

    def target(self, dialect, ident, address=None):
        address = self.node.address if address is None else address
        return proto.pid(address, ident) if dialect == A else ident

    def one(self, dialect, ident, payload, type_name=STRING, address=None, **fields):
        return proto.batch([type_name], [self.target(dialect, ident, address)],
                           [proto.envelope(0, payload, 0, **fields)])

    def ask(self, tag, dialect, value, request=0, sender="me"):
        me = proto.pid(self.back, sender)
        self.send(tag, proto.batch(
            [STRING], [self.target(dialect, "echo")],
            [proto.envelope(0, string(value), sender=1, sender_request=request)], [me]))

    def check_target(self, one, dialect, ident):
        """An actor of the one that we pretend to be; The address `nonhost` always means the receiver."""
        if dialect == B:
            self.assertEqual(one.target, ident.encode())
        else:
            self.assertIn(one.target, (proto.pid(self.back, ident), proto.pid("nonhost", ident)))

    def next_envelope(self, tag):
        """The next one that is not the node's way to find out the dialect."""
        while True:
            message = self.received(tag)
            if proto.kind(message) != "batch":
                continue
            for one in proto.envelopes(message):
                if one.type != "actor.Touch":
                    return one

    def still_serves(self, tag="alive"):
        self.connect(tag)
        self.send(tag, self.one(A, "sink", string(f"alive-{tag}")))
        self.node.wait(rf"got sink text:alive-{tag} -")


class Bytes(Raw):
    def test_a_request_number_comes_back(self):
        for number, dialect in enumerate((A, B), 1):
            with self.subTest(dialect):
                if number == 2:
                    self.setUp()
                self.connect("t")
                self.ask("t", dialect, "hi", 7)
                answer = self.next_envelope(self.accept_back())
                self.assertEqual((answer.type, answer.payload, answer.target_request),
                                 (STRING, string("echo:hi"), 7))
                self.check_target(answer, dialect, "me")

    def test_a_future_may_have_a_request_number_as_well(self):
        self.connect("t")
        self.ask("t", A, "hi", 7, "future$7")
        answer = self.next_envelope(self.accept_back())
        self.assertEqual((answer.payload, answer.target_request), (string("echo:hi"), 7))
        self.check_target(answer, A, "future$7")

    def test_the_handshake_names_the_node(self):
        answer = proto.first(self.connect("t"), 3)
        self.assertTrue(proto.first(answer, 2))
        self.assertEqual(proto.first(answer, 3, 0), 0)

    def test_a_blocked_node_is_told_so(self):
        self.node.call("block", "BADNODE")
        answer = proto.first(self.connect("t", "BADNODE"), 3)
        self.assertEqual(proto.first(answer, 3, 0), 1)
        self.tool.wait(r"raw-end t (?!OK).*")
        self.tool.tell("raw", "send", "t", self.one(A, "sink", string("blocked")).hex())
        self.tool.answers.get(timeout=lib.WAIT_S)  # either way
        self.still_serves()
        self.assertEqual(self.node.take("got sink text:blocked .*"), [])

    def test_messages_before_the_handshake_harm_nothing(self):
        self.tool.call("raw", "open", "t", self.node.address)
        self.send("t", self.one(A, "sink", string("early")))
        self.still_serves()

    def test_nonsense_harms_nothing(self):
        good = proto.envelope(0, string("x"))
        pid = [self.target(A, "sink")]
        cases = {
            "type out of range": proto.batch([STRING], pid, [proto.envelope(9, string("x"))]),
            "target out of range": proto.batch([STRING], pid, [proto.envelope(0, b"", 7)]),
            "sender out of range": proto.batch([STRING], pid, [proto.envelope(0, b"", 0, 5)]),
            "negative index": proto.batch([STRING], pid, [proto.number(3, (1 << 64) - 1)]),
            "unknown serializer": proto.batch([STRING], pid, [proto.envelope(serializer=2)]),
            "payload that is no message": proto.batch([STRING], pid, [proto.envelope(0, b"\x0a\x50x")]),
            "text that is not UTF-8": proto.batch([STRING], pid, [proto.envelope(0, b"\x0a\x01\xff")]),
            "no tables": proto.batch([], [], [good]),
            "cut short": proto.batch([STRING], pid, [good])[:-3],
            "nothing": b"",
            "nothing but a tag": b"\x0a",
            "unknown kind of message": proto.data(9, b"abc"),
            "second handshake": proto.connect("AGAIN", self.back),
            "answer out of place": proto.connected("X"),
            "disconnect": proto.DISCONNECT,
            "a long name": proto.batch(["x" * 70000], pid, [good]),
            "a long id": proto.batch([STRING], [proto.pid(self.node.address, "y" * 70000)], [good]),
            "a watch of nothing": self.one(A, "echo", b"", "actor.Watch"),
            "an end of nobody": self.one(A, "echo", b"\x0a\x00\x10\x63", "actor.Terminated"),
            "a spawn of nothing": self.one(A, "activator", b"", "remote.ActorPidRequest"),
        }
        for number, (name, message) in enumerate(cases.items()):
            with self.subTest(name):
                self.connect(f"t{number}")
                self.send(f"t{number}", message)
                self.still_serves(f"alive{number}")

    def test_an_unknown_type_does_not_spoil_the_rest_of_its_batch(self):
        good = proto.envelope(1, string("kept"))
        self.connect("t")
        self.send("t", proto.batch(["no.such.Type", STRING], [self.target(A, "sink")],
                                   [good, proto.envelope(0, b"abc"), good]))
        for _ in range(2):
            self.node.wait("got sink text:kept -")
        self.assertEqual(self.node.take("got sink .*"), [])

    def test_every_name_of_the_node_is_understood(self):
        self.connect("t")
        port = self.node.address.rsplit(":", 1)[1]
        for number, address in enumerate((self.node.address, f"localhost:{port}", "nonhost", "")):
            self.send("t", self.one(A, "sink", string(f"n{number}"), address=address))
            self.node.wait(rf"got sink text:n{number} -")

    def test_a_watch_of_nobody_is_answered(self):
        self.connect("t")
        watch = proto.data(1, proto.pid(self.back, "w"))
        self.send("t", self.one(A, "nobody", watch, "actor.Watch"))
        answer = self.next_envelope(self.accept_back())
        self.assertEqual(answer.type, "actor.Terminated")
        self.check_target(answer, A, "w")
        self.assertEqual(answer.payload,
                         proto.data(1, proto.pid(self.node.address, "nobody")) + proto.number(2, 2))

    def test_a_request_to_nobody_is_answered(self):
        self.connect("t")
        self.send("t", proto.batch([STRING], [self.target(A, "nobody")],
                                   [proto.envelope(0, string("x"), sender=1, sender_request=9)],
                                   [proto.pid(self.back, "me")]))
        answer = self.next_envelope(self.accept_back())
        self.assertEqual((answer.type, answer.target_request), ("actor.DeadLetterResponse", 9))

    def test_a_client_without_an_address_is_answered_on_its_own_stream(self):
        self.tool.call("raw", "open", "c", self.node.address)
        self.send("c", proto.connect_client("NATTED"))
        self.assertEqual(proto.kind(self.received("c")), "connect-response")
        me = proto.pid("$client/NATTED", "me")
        self.send("c", proto.batch([STRING], [self.target(B, "echo")],
                                   [proto.envelope(0, string("hi"), sender=1, sender_request=4)],
                                   [me]))
        answer = self.next_envelope("c")
        self.assertEqual((answer.payload, answer.target_request), (string("echo:hi"), 4))

    def test_a_node_that_leaves_says_so_before_its_streams_end(self):
        # A Go node whose stream ends with OK and without that never dials the address again.
        self.connect("t")
        shutdown = self.node.tell("shutdown", "graceful")
        self.assertEqual(self.received("t"), proto.DISCONNECT)
        self.assertEqual(self.tool.take("raw-end t .*"), [])
        self.tool.call("raw", "half-close", "t")
        self.tool.wait(r"raw-end t .*")
        self.node.answer(shutdown)

    def test_a_message_may_be_large_but_not_boundless(self):
        self.connect("t")
        self.send("t", self.one(A, "sink", proto.data(1, b"z" * 5_000_000),
                                "google.protobuf.BytesValue"))
        self.node.wait(r"got sink bytes:5000000:\w+ -")
        self.node.close()
        self.node = self.peer("troupe", "--message-bytes", 1 << 20)
        self.node.call("spawn", "sink", "sink")
        self.connect("u")
        self.send("u", self.one(A, "sink", proto.data(1, b"z" * 2_000_000),
                                "google.protobuf.BytesValue"))
        self.tool.wait(r"raw-end u ResourceExhausted .*")
        self.still_serves()


class Services(Raw):
    def unary(self, method, request):
        self.tool.call("raw", "unary", "u", self.node.address, f"/remote.Remoting/{method}",
                       request.hex() or "-")

    def test_processes_are_listed(self):
        for match, pattern, want in ((0, "e", {"echo", "driver"}), (0, "ech", {"echo"}),
                                     (1, "echo", {"echo"}), (1, "ech", set())):
            self.unary("ListProcesses", proto.text(1, pattern) + proto.number(2, match))
            found = {proto.first(one, 2).decode()
                     for field, one in proto.read(self.received("u")) if field == 1}
            self.assertEqual(found, want)

    def test_regular_expressions_are_not_understood(self):
        self.unary("ListProcesses", proto.text(1, ".*") + proto.number(2, 2))
        self.tool.wait("raw-end u Unimplemented .*")

    def test_diagnostics_are_given(self):
        for name, want in (("echo", "echo: alive"), ("nobody", "nobody: no such actor")):
            self.unary("GetProcessDiagnostics", proto.data(1, proto.pid(self.node.address, name)))
            self.assertTrue(proto.first(self.received("u"), 1).decode().startswith(want))

    def test_health_as_grpc_go_asks(self):
        self.tool.call("raw", "health", "h", self.node.address)
        self.tool.wait("health h SERVING")
        self.tool.call("raw", "health", "h", self.node.address, "remote.Remoting")
        self.tool.wait("health h SERVING")
        self.tool.call("raw", "health", "h", self.node.address, "no.such.Service")
        self.tool.wait("health h NotFound")

    def test_an_unknown_method_is_unimplemented(self):
        self.tool.call("raw", "unary", "u", self.node.address, "/remote.Remoting/Nonsense", "-")
        self.tool.wait("raw-end u Unimplemented .*")


class Allowed(Raw):
    def ours(self):
        return self.peer("troupe", "--backoff", 5, "--allow", 0)

    def test_what_is_not_allowed_is_not_done(self):
        self.connect("t")
        for type_name, payload, ident in (
                ("actor.Stop", b"", "echo"), ("actor.PoisonPill", b"", "echo"),
                ("actor.Watch", proto.data(1, proto.pid(self.back, "w")), "echo"),
                ("remote.ActorPidRequest", proto.text(1, "x") + proto.text(2, "echo"), "activator")):
            self.send("t", self.one(A, ident, payload, type_name))
        self.ask("t", A, "there")
        answer = self.next_envelope(self.accept_back())
        self.assertEqual(answer.payload, string("echo:there"))
        self.tool.call("raw", "unary", "l", self.node.address, "/remote.Remoting/ListProcesses", "-")
        self.tool.wait("raw-end l PermissionDenied .*")


class NeverSent(Raw):
    """A pretended Go node of dialect A looks at every byte that ours sends."""

    def dialled(self, answer_probe):
        """The node has been made to dial us; returns the tag and what it sent up to `text`."""
        self.node.call("send", f"x@{self.back}", "text:first")
        tag = self.accept_back()
        seen = []
        while not any(one.type == STRING for one in seen):
            message = self.received(tag)
            self.assertLess(len(message), 4 << 20)
            self.assertEqual(proto.kind(message), "batch")
            for one in proto.envelopes(message):
                seen.append(one)
                if one.type == "actor.Touch" and one.sender and answer_probe:
                    self.answer(one, answer_probe)
        return tag, seen

    def answer(self, probe, dialect):
        """As a Go node does when a request finds nobody."""
        self.connect("answer")
        sender = proto.pid(proto.first(probe.sender, 1).decode(), proto.first(probe.sender, 2).decode())
        target = sender if dialect == A else proto.first(probe.sender, 2)
        self.send("answer", proto.batch(["actor.DeadLetterResponse"], [target],
                                        [proto.envelope(0, b"")]))

    def test_the_dialect_is_found_out_and_kept_to(self):
        for dialect in (A, B):
            with self.subTest(dialect):
                if dialect == B:
                    self.setUp()
                tag, seen = self.dialled(dialect)
                self.check(tag, seen, dialect)

    def check(self, tag, seen, dialect):
        for number in range(50):
            self.node.call("request", f"x{number % 3}@{self.back}", f"num:{number}")
        while sum(one.type == "google.protobuf.UInt64Value" for one in seen) < 50:
            message = self.received(tag)
            seen += proto.envelopes(message) # an index out of range would raise
        for one in seen:
            self.assertEqual(one.serializer, 0)
            self.assertIn(one.type, (STRING, "google.protobuf.UInt64Value", "actor.Touch"))
            if one.type == "actor.Touch" or dialect == A:
                self.assertIn(proto.first(one.target, 1).decode(), (self.back, "nonhost"))
            else:
                self.assertIn(one.target, (b"x", b"x0", b"x1", b"x2"))
            if one.sender:
                self.assertEqual(proto.first(one.sender, 1).decode(), self.node.address)

    def test_no_second_stream_and_no_unary_call(self):
        tag, _ = self.dialled(A)
        for number in range(20):
            self.node.call("watch", f"w{number}@{self.back}")
        watched = 0
        while watched < 20:
            watched += sum(one.type == "actor.Watch" for one in proto.envelopes(self.received(tag)))
        self.assertEqual(self.tool.take(r"raw-open .*"), [])


class Quiet(lib.Case):
    """Go servers end connections whose client pings: ours may not, and answers all pings."""

    def test_no_pings_of_our_own(self):
        for kind in (A, B):
            with self.subTest(kind):
                port = lib.free_port()
                seen = {"out": lib.Frames(True), "in": lib.Frames(False)}

                def note(direction, number, data):
                    if number == 1:
                        seen[direction].feed(data)
                    return len(data)
                proxy = self.proxy(lib.Proxy(f"127.0.0.1:{port}", note))
                far = self.peer(kind, "--listen", f"127.0.0.1:{port}", "--advertise", proxy.address)
                near = self.peer("troupe")
                far.call("spawn", "numbers", "numbers")
                near.call("flood", "f", far.at("numbers"), 1, "1:100000", 0)
                near.wait("flooded f")
                self.eventually(lambda: far.call("numbers", "numbers", 1) == "100000 100000 0 0",
                                "all numbers")
                self.assertEqual(proxy.connections, 1)
                pings = [flags & 1 for kind, flags in seen["out"].kinds if kind == 6]
                asked = [flags & 1 for kind, flags in seen["in"].kinds if kind == 6].count(0)
                self.assertEqual(pings.count(0), 0)
                self.assertEqual(pings.count(1), asked)
                self.assertGreater(asked, 0)  # grpc-go measures the bandwidth with them


class DotNet(Raw):
    """Proto.Actor for .NET numbers the outcomes of a spawn in another way."""

    def ours(self):
        return self.peer("troupe", "--backoff", 5, "--dialect-net", self.back)

    def test_statuses_of_dotnet(self):
        for number, (status, has_pid) in enumerate(((0, True), (1, True), (2, False))):
            self.node.call("spawn-at", f"s{number}", self.back, "x", "echo", 10000)
            if number == 0:
                tag = self.accept_back()
            request = self.next_envelope(tag)
            self.assertEqual(request.type, "remote.ActorPidRequest")
            self.assertIn(request.target, (b"$activator", b"activator"))
            if number == 0:
                self.connect("t", "DOTNET")
            pid = proto.pid(self.back, "$activator/x") if has_pid else b""
            payload = (proto.data(1, pid) if pid else b"") + proto.number(2, status)
            me = proto.first(request.sender, 2)
            self.send("t", proto.batch(["remote.ActorPidResponse"], [me], [proto.envelope(
                0, payload, target_request=request.sender_request)]))
            want = f"\\$activator/x@{self.back}" if has_pid else "-"
            self.node.wait(rf"spawned s{number} {status} {want}")

    def test_senders_without_an_address_are_of_the_dialler(self):
        self.connect("t", "DOTNET")
        self.send("t", proto.batch([STRING], ["echo"],
                                   [proto.envelope(0, string("hi"), sender=1, sender_request=3)],
                                   [proto.pid("", "someone")]))
        answer = self.next_envelope(self.accept_back())
        self.assertEqual((answer.target, answer.payload, answer.target_request),
                         (b"someone", string("echo:hi"), 3))


class Sizes(lib.Case):
    def test_more_than_a_go_node_takes_is_a_dead_letter_here(self):
        for kind in (A, B):
            with self.subTest(kind):
                near, far = self.peer("troupe"), self.peer(kind)
                far.call("spawn", "echo", "echo")
                self.assertEqual(self.ask(near, far.at("echo"), "num:1"), "num:1")
                dead = int(near.call("dead"))
                near.call("send", far.at("echo"), "bytes:5000000")
                self.eventually(lambda: int(near.call("dead")) == dead + 1, "a dead letter")
                self.assertEqual(self.ask(near, far.at("echo"), "num:2"), "num:2")
                self.assertEqual(far.take("link-down .*"), [])

    def test_many_large_ones_are_cut_into_batches_that_go_takes(self):
        for kind in (A, B):
            with self.subTest(kind):
                # All of them fit into the queue, however slow the peer is.
                near, far = self.peer("troupe", "--queue", 64 << 20), self.peer(kind)
                far.call("spawn", "sink", "sink")
                for _ in range(30):
                    near.call("send", far.at("sink"), "bytes:900000")
                for _ in range(30):
                    far.wait(r"got sink bytes:900000:\w+ -")

    def test_compressed_messages_are_taken(self):
        for kind in (A, B):
            with self.subTest(kind):
                near, far = self.peer(kind, "--gzip"), self.peer("troupe")
                far.call("spawn", "echo", "echo")
                answer = self.ask(near, far.at("echo"), "text:" + "squeeze" * 500)
                self.assertEqual(answer, "text:echo:" + "squeeze" * 500)


class Security(lib.Case):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("openssl"):
            raise unittest.SkipTest("openssl is not installed")
        cls.dir = tempfile.mkdtemp(prefix="interop-tls-")
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        for name in ("ca", "other"):
            cls.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                        "-nodes", "-subj", f"/CN={name}", "-days", "2", "-keyout", f"{name}.key",
                        "-out", f"{name}.pem")
            cls.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-subj", "/CN=node", "-keyout", f"{name}-node.key", "-out", f"{name}.csr")
            with open(f"{cls.dir}/{name}.ext", "w", encoding="utf-8") as file:
                file.write("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
            cls.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{name}.pem", "-CAkey",
                        f"{name}.key", "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext",
                        "-out", f"{name}-node.pem")

    @classmethod
    def openssl(cls, *words):
        subprocess.run(["openssl", *words], cwd=cls.dir, check=True, capture_output=True)

    def flags(self, name="ca"):
        return ("--tls-cert", f"{self.dir}/{name}-node.pem", "--tls-key",
                f"{self.dir}/{name}-node.key", "--tls-ca", f"{self.dir}/{name}.pem")

    def test_mutual_tls_with_every_kind_of_node(self):
        for near_kind, far_kind in (("troupe", "troupe"), ("troupe", A), (A, "troupe"),
                                    ("troupe", B), (B, "troupe")):
            with self.subTest(f"{near_kind} to {far_kind}"):
                near, far = self.peer(near_kind, *self.flags()), self.peer(far_kind, *self.flags())
                far.call("spawn", "echo", "echo")
                self.assertEqual(self.ask(near, far.at("echo"), "text:safe"), "text:echo:safe")

    def test_who_has_no_certificate_of_ours_is_not_heard(self):
        far = self.peer("troupe", *self.flags())
        far.call("spawn", "sink", "sink")
        for flags in ((), self.flags("other")):
            near = self.peer("troupe", *flags, "--give-up", 300, "--backoff", 50)
            self.assertNotIn("text:", self.ask(near, far.at("sink"), "text:intruder", 3000))
        good = self.peer("troupe", *self.flags())
        good.call("send", far.at("sink"), "text:good")
        far.wait("got sink text:good -")
        self.assertEqual(far.take("got sink .*"), [])

    def test_plaintext_beyond_loopback_is_refused(self):
        if not lib.NODE:
            self.skipTest("this build has no node")
        done = subprocess.run([lib.NODE, "--listen", "0.0.0.0:0"], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=30)
        self.assertEqual(done.returncode, 2)
        self.assertIn("0.0.0.0", done.stderr)


if __name__ == "__main__":
    lib.main()
