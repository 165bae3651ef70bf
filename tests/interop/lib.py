"""What the interoperability tests share: peers that are driven by lines, and a proxy that cuts."""
import collections
import fcntl
import gzip
import os
import pathlib
import queue
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("TROUPE_BUILD", HERE.parent.parent / "build")) / "interop"
NODE = os.environ.get("TROUPE_INTEROP_NODE", "")
LONG = os.environ.get("TROUPE_INTEROP_LONG", "") != ""
SKIPPED = 77  # CTest knows this exit code
WAIT_S = 30

MISSING_GO = ("SKIPPED: Go 1.25 or newer is not installed, so nothing was tested against real "
              "protoactor-go nodes (install it and run again)")


def go():
    """The go command, or None."""
    found = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")
    if not found:
        return None
    text = subprocess.run([found, "version"], capture_output=True, text=True).stdout
    version = re.search(r"go(\d+)\.(\d+)", text)
    return found if version and (int(version[1]), int(version[2])) >= (1, 25) else None


def build_peers():
    """Both dialects of the peer; ends the test, loudly, where they cannot be built."""
    tool = go()
    if not tool:
        print(MISSING_GO, file=sys.stderr)
        sys.exit(1 if os.environ.get("TROUPE_GO") == "required" else SKIPPED)
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for dialect in "ab":
            done = subprocess.run(
                [tool, "build", f"-modfile=dialect_{dialect}.mod", "-o", BUILD / f"peer_{dialect}",
                 "."], cwd=HERE / "peer", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, env=dict(os.environ, GOFLAGS="-buildvcs=false"))
            if done.returncode:
                sys.exit(f"the Go peer of dialect {dialect} cannot be built:\n{done.stdout}")


class Timeout(AssertionError):
    pass


class Peer:
    """A node of its own process. Lines that are not answers to commands are events."""

    def __init__(self, kind, *flags, env=None, prefix=()):
        """`prefix`: what runs the command, as `ip netns exec NAME`."""
        self.kind, self.flags, self.env = kind, [str(flag) for flag in flags], env
        self.prefix = list(prefix)
        self.process, self.stopped = None, False
        self.start()

    def command(self):
        if self.kind == "troupe":
            return [NODE, *self.flags]
        return [str(BUILD / f"peer_{self.kind}"), *self.flags]

    def start(self):
        self.process = subprocess.Popen(
            self.prefix + self.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            env=dict(os.environ, GOMAXPROCS="2", **(self.env or {})))
        self.answers, self.events = queue.Queue(), []
        self.news = threading.Condition()
        self.ended = False
        self.reader = threading.Thread(target=self.read, args=(self.process.stdout,), daemon=True)
        self.reader.start()
        self.address, self.system_id = self.wait(r"ready (\S+) (\S+)").groups()

    def read(self, stream):
        for line in stream:
            line = line.rstrip("\n")
            if line.split(" ")[0] in ("ok", "error"):
                self.answers.put(line)
                continue
            with self.news:
                self.events.append(line)
                self.news.notify_all()
        with self.news:
            self.ended = True
            self.news.notify_all()
        self.answers.put("error the peer has ended")

    def call(self, *words, fails=False):
        """Sends a command and returns what follows "ok"."""
        return self.answer(self.tell(*words), fails)

    def tell(self, *words):
        """Sends a command; answer() gets what comes back."""
        text = " ".join(str(word) for word in words)
        try:
            self.process.stdin.write(text + "\n")
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError):
            self.answers.put("error the peer has ended")
        return text

    def answer(self, text, fails=False):
        try:
            answer = self.answers.get(timeout=WAIT_S)
        except queue.Empty:
            raise Timeout(f"{self.name()}: no answer to {text[:200]!r}") from None
        if answer.startswith("error") != fails:
            raise AssertionError(f"{self.name()}: {text[:200]!r}: {answer}")
        return answer.partition(" ")[2]

    def wait(self, pattern, seconds=WAIT_S, count=1):
        """Waits for a line that matches wholly, takes it out, and returns the match."""
        expression = re.compile(pattern)
        deadline = time.monotonic() + seconds
        with self.news:
            while True:
                for at, line in enumerate(self.events):
                    found = expression.fullmatch(line)
                    if found:
                        del self.events[at]
                        return found
                left = deadline - time.monotonic()
                if left <= 0 or self.ended:
                    raise Timeout(f"{self.name()}: no line {pattern!r}"
                                  f"{' before it ended' if self.ended else ''}; there are "
                                  f"{self.events[-10:]}")
                self.news.wait(left)

    def take(self, pattern):
        """Lines that have come and match; they are taken out."""
        expression = re.compile(pattern)
        with self.news:
            found = [line for line in self.events if expression.fullmatch(line)]
            self.events = [line for line in self.events if not expression.fullmatch(line)]
            return found

    def given(self, flag):
        """The value of a flag."""
        return self.flags[self.flags.index(f"--{flag}") + 1]

    def wait_for_link(self, address, down):
        """Ours only: until the link is down (or not)."""
        deadline = time.monotonic() + WAIT_S
        while (self.call("link", address).split()[0] != "2") != down:  # TR_LINK_UP
            if time.monotonic() > deadline:
                raise Timeout(f"{self.name()}: the link to {address} stays as it is")

    def name(self):
        return f"{self.kind} node {getattr(self, 'address', '')}"

    def at(self, ident):
        return f"{ident}@{self.address}"

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.release()

    def release(self):
        self.reader.join(WAIT_S)
        for end in (self.process.stdin, self.process.stdout):
            if not end.closed:
                end.close()

    def freeze(self):
        """Stops it; returns when all its threads have."""
        self.process.send_signal(signal.SIGSTOP)
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")
        while any(task.joinpath("stat").read_text().rpartition(")")[2].split()[0] not in "Tt"
                  for task in tasks.iterdir()):
            time.sleep(0.001)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        """Ends it; one that had died before is an error."""
        if self.process.poll() is None:
            self.thaw()
            self.call("exit")
            self.process.stdin.close()
            code = self.process.wait(WAIT_S)
        else:
            code = self.process.returncode
        self.release()
        return code


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Proxy:
    """
    Passes TCP connections on. `watch(direction, number, data)` sees the bytes first: "out" from
    who connects, "in" to it; it returns how many to pass on, and fewer than there are cut the
    connection (with a reset) behind them.
    """

    def __init__(self, target, watch=None, port=0):
        self.target, self.watch = target, watch
        self.listener = socket.create_server(("127.0.0.1", port))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.open, self.connections, self.cuts = True, 0, 0
        self.acceptor = threading.Thread(target=self.accept, daemon=True)
        self.acceptor.start()

    def accept(self):
        while self.open:
            try:
                near, _ = self.listener.accept()
            except OSError:
                continue
            try:
                host, port = self.target.rsplit(":", 1)
                far = socket.create_connection((host, int(port)), WAIT_S)
            except OSError:
                near.close()
                continue
            self.connections += 1
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.carry, args=(near, far, self.connections),
                             daemon=True).start()

    def carry(self, near, far, number):
        ways = {near: (far, "out"), far: (near, "in")}
        try:
            while self.open and ways:
                for end in select.select(list(ways), [], [], 1)[0]:
                    other, direction = ways[end]
                    data = end.recv(65536)
                    if not data:
                        other.shutdown(socket.SHUT_WR)
                        del ways[end]
                        continue
                    keep = self.watch(direction, number, data) if self.watch else len(data)
                    other.sendall(data[:keep])
                    if keep < len(data):
                        self.cut(near, far)
                        return
        except OSError:
            pass
        near.close()
        far.close()

    def cut(self, *ends):
        self.cuts += 1
        for end in ends:
            # Lingering for no time: a reset instead of an orderly end.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            end.close()

    def close(self):
        """Nobody listens any more when it returns: closing alone leaves that to who accepts."""
        self.open = False
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # closed before
        self.listener.close()
        self.acceptor.join(WAIT_S)


class Cutter(Proxy):
    """Cuts every connection after a random number of bytes, `most` times in all."""

    def __init__(self, target, most, seed, bytes_least=1, bytes_most=20000):
        self.random = random.Random(seed)
        self.most = most
        self.left = collections.defaultdict(lambda: self.random.randint(bytes_least, bytes_most))
        super().__init__(target, self.count)

    def count(self, _direction, number, data):
        left = self.left[number]
        if self.cuts >= self.most or left >= len(data):
            self.left[number] = left - len(data)
            return len(data)
        return left


class Frames:
    """The gRPC messages in one direction of an HTTP/2 connection."""
    PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

    def __init__(self, from_client):
        self.pending, self.preface = b"", len(self.PREFACE) if from_client else 0
        self.raw, self.streams, self.messages = bytearray(), {}, []
        self.kinds = []  # (type, flags) of every frame

    def feed(self, data):
        self.raw += data
        self.pending += data
        if self.preface and len(self.pending) >= self.preface:
            self.pending, self.preface = self.pending[self.preface:], 0
        while not self.preface and len(self.pending) >= 9:
            size = int.from_bytes(self.pending[:3], "big")
            if len(self.pending) < 9 + size:
                return
            kind, flags = self.pending[3], self.pending[4]
            stream = int.from_bytes(self.pending[5:9], "big")
            body, self.pending = self.pending[9:9 + size], self.pending[9 + size:]
            self.kinds.append((kind, flags))
            if kind == 0:
                assert not flags & 8, "padded frames are not expected"
                self.split(stream, body)

    def split(self, stream, body):
        data = self.streams.get(stream, b"") + body
        while len(data) >= 5 and len(data) >= 5 + int.from_bytes(data[1:5], "big"):
            end = 5 + int.from_bytes(data[1:5], "big")
            message = data[5:end]
            self.messages.append(gzip.decompress(message) if data[0] else message)
            data = data[end:]
        self.streams[stream] = data


class Case(unittest.TestCase):
    """A test with peers of its own, ended after it; a peer that died by itself fails it."""

    def setUp(self):
        self.peers, self.tags = [], 0

    def peer(self, kind, *flags, **kwargs):
        if kind == "troupe" and not NODE:
            self.skipTest("this build has no node (TROUPE_INTEROP_NODE is not set)")
        made = Peer(kind, *flags, **kwargs)
        self.peers.append(made)
        return made

    def proxy(self, made):
        self.addCleanup(made.close)
        return made

    def tag(self):
        self.tags += 1
        return f"t{self.tags}"

    def ask(self, near, pid, message, timeout_ms=10000):
        tag = self.tag()
        near.call("ask", tag, pid, timeout_ms, message)
        return near.wait(rf"(answer|failed) {tag} (.*)").group(2)

    def eventually(self, check, what, seconds=WAIT_S):
        """Until check() is true; it asks the peers, so it takes its time by itself."""
        deadline = time.monotonic() + seconds
        value = check()
        while not value:
            if time.monotonic() > deadline:
                raise Timeout(f"{what} did not come true in {seconds} s")
            time.sleep(0.005)
            value = check()
        return value

    def within(self, seconds, check):
        """Whether check() comes true in that time."""
        try:
            return self.eventually(check, "", seconds)
        except Timeout:
            return False

    def tearDown(self):
        codes = [(peer, peer.process.poll()) for peer in self.peers]
        ended = []
        for peer, code in codes:
            if code is None:
                peer.thaw()
            # A node of ours says by its exit code whether its accounts balance.
            if code is None and peer.kind == "troupe":
                ended.append((peer, peer.close()))
            peer.kill()
        for peer, code in codes + ended:
            self.assertIn(code, (None, 0, -signal.SIGKILL), f"{peer.name()} ended with {code}")


def main():
    build_peers()
    unittest.main(verbosity=2)
