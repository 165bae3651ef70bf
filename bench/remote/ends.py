"""The systems of bench/remote/run: how each is built, started, and told what to play."""
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))
from systems import Missing, call, need, newer, version  # noqa: E402

BUILD = ROOT / "build" / "bench" / "remote"
RELEASE = ROOT / "build" / "release" / "bench"
START_S = 20


class Failed(Exception):
    """A workload could not be played; the text says why."""


def build_ours(*_):
    for name in ("bench_remote", "bench_remote_tcp"):
        if not (RELEASE / name).exists():
            raise Missing(f"build/release/bench/{name} does not exist (make release)")


def build_go(dialect):
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if not go or version([go, "version"]) < (1, 25):
        raise Missing("Go 1.25 or newer is not installed; Debian's may be older")
    need("protoc", "tools/bootstrap")
    sources, folder = HERE / "peers" / "protoactor-go", BUILD / f"source_{dialect}"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(sources / "main.go", folder)
    for suffix in ("mod", "sum"):
        shutil.copy(sources / f"dialect_{dialect}.{suffix}", folder / f"go.{suffix}")
    for command in ((go, "build", "-o", "protoc-gen-go",
                     "google.golang.org/protobuf/cmd/protoc-gen-go"),
                    ("protoc", "--plugin=protoc-gen-go=./protoc-gen-go", "--go_out=.", f"-I{HERE}",
                     "load.proto"),
                    (go, "build", "-o", str(BUILD / f"go_{dialect}"), ".")):
        call(list(command), cwd=folder, env=dict(os.environ, GOFLAGS="-buildvcs=false"))


def build_erlang(*_):
    need("erlc", "tools/bootstrap --bench")
    call(["erlc", "-o", str(BUILD), str(HERE / "peers" / "erlang" / "bench_remote.erl")])


def build_caf(*_):
    need("g++", "tools/bootstrap")
    if not os.path.exists("/usr/include/caf/io/all.hpp"):
        raise Missing("the headers of CAF's io are not installed (tools/bootstrap --bench)")
    source = HERE / "peers" / "caf"
    if not newer(BUILD / "caf", source):
        call(["g++", "-std=c++17", "-O2", "-o", str(BUILD / "caf"), str(source / "bench_remote.cpp"),
              "-lcaf_io", "-lcaf_core", "-lpthread"])


def program(path):
    return lambda how, address: [str(path), how, address]


def erlang(how, address):
    port = address.rsplit(":", 1)[1]
    common = ["erl", "-noshell", "-start_epmd", "false", "-erl_epmd_port", port, "-setcookie",
              "bench", "-pa", str(BUILD)]
    if how == "serve":
        return [*common, "-name", "bench@127.0.0.1", "-s", "bench_remote", "-extra", "serve"]
    return [*common, "-dist_listen", "false", "-name", "client@127.0.0.1", "-s", "bench_remote",
            "-extra", "run", "bench@127.0.0.1"]


class System:
    def __init__(self, label, build, command):
        self.label, self.build, self.command = label, build, command


SYSTEMS = {
    "troupe": System("Troupe", build_ours, program(RELEASE / "bench_remote")),
    "tcp": System("raw TCP", build_ours, program(RELEASE / "bench_remote_tcp")),
    "go-a": System("protoactor-go A", lambda: build_go("a"), program(BUILD / "go_a")),
    "go-b": System("protoactor-go B", lambda: build_go("b"), program(BUILD / "go_b")),
    "erlang": System("Erlang", build_erlang, erlang),
    "caf": System("CAF io", build_caf, program(BUILD / "caf")),
}


def free_address():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % s.getsockname()[1]


def processor_ns(pid):
    """What all threads of a process have used."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
        except FileNotFoundError:
            pass  # It has ended meanwhile.
    return total


def memory_bytes(pid):
    """Its share of memory that is resident."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    raise Failed("smaps_rollup has no Pss")


class End:
    """One process; its lines come without blocking for ever."""

    def __init__(self, command, env):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, bufsize=1, env=env)
        self.errors = []
        threading.Thread(target=self.drain, daemon=True).start()
        self.wait("ready", START_S)

    def drain(self):
        for line in self.process.stderr:
            self.errors.append(line.strip())

    def wait(self, word, seconds):
        timer = threading.Timer(seconds, self.process.kill)
        timer.start()
        try:
            for line in self.process.stdout:
                words = line.split()
                if words and words[0] == word:
                    return words[1:]
        finally:
            timer.cancel()
        time.sleep(0.05)  # For its last words.
        last = self.errors[-1] if self.errors else f"no \"{word}\" in {seconds} s"
        raise Failed(f"{os.path.basename(self.process.args[0])}: {last}")

    def tell(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except OSError:
            pass  # wait() says why.

    def close(self):
        try:
            self.process.stdin.close()
            self.process.wait(3)
        except (OSError, subprocess.TimeoutExpired):
            pass
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Session:
    """A server and its client, while both live."""

    def __init__(self, server, client, env=None, aliases=0):
        environment = dict(os.environ, **(env or {}))
        self.address, self.ends = free_address(), []
        try:
            command = SYSTEMS[server].command("serve", self.address)
            self.ends.append(End(command + ([str(aliases)] if aliases else []), environment))
            self.ends.append(End(SYSTEMS[client].command("run", self.address), environment))
        except Exception:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def pids(self):
        return [end.process.pid for end in self.ends]

    def play(self, line, limit_s):
        """The words after "end", and the processor time of both ends together."""
        before = [processor_ns(pid) for pid in self.pids()]
        self.ends[1].tell(line)
        words = self.ends[1].wait("end", limit_s)
        try:
            after = [processor_ns(pid) for pid in self.pids()]
        except FileNotFoundError:
            raise Failed("the server has ended") from None
        return words, sum(after) - sum(before)

    def close(self):
        for end in reversed(self.ends):
            end.close()
