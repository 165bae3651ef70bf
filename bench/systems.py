"""The measured systems: how each is built and started. Used by bench/run."""

import os
import re
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
BUILD = os.path.join(ROOT, "build", "bench")
PEERS = os.path.join(HERE, "peers")


class Missing(Exception):
    """A system cannot be measured here; the text says why and what to do."""


def need(tool, hint):
    if not shutil.which(tool):
        raise Missing(f"{tool} is not installed ({hint})")


def call(command, cwd=None, env=None):
    """Runs a build step; its output is shown only if it fails."""
    done = subprocess.run(command, cwd=cwd, env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        tail = "\n    ".join(done.stdout.strip().splitlines()[-15:])
        raise Missing(f"`{' '.join(command)}` failed with {done.returncode}:\n    {tail}")


def version(command):
    """The first two numbers that a command prints: (1, 25)."""
    text = subprocess.run(command, capture_output=True, text=True)
    found = re.search(r"(\d+)\.(\d+)", text.stdout + text.stderr)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def newer(target, *folders):
    """Whether target is newer than every file of the folders."""
    if not os.path.exists(target):
        return False
    made = os.path.getmtime(target)
    return all(os.path.getmtime(os.path.join(at, name)) <= made
               for folder in folders for at, _, names in os.walk(folder) for name in names)


def built(name, *parts):
    return os.path.join(BUILD, "peers", name, *parts)


def source(name, *parts):
    return os.path.join(PEERS, name, *parts)


def build_troupe():
    program = os.path.join(ROOT, "build", "release", "bench", "bench_troupe")
    if not os.path.exists(program):
        raise Missing("build/release/bench/bench_troupe does not exist (make release)")


def build_caf():
    need("g++", "tools/bootstrap")
    if not os.path.exists("/usr/include/caf/all.hpp"):
        raise Missing("the headers of CAF are not installed (tools/bootstrap --bench)")
    program = built("caf", "bench_caf")
    if not newer(program, source("caf")):
        os.makedirs(built("caf"), exist_ok=True)
        units = [source("caf", name) for name in ("main.cpp", "chain.cpp", "flow.cpp")]
        call(["g++", "-std=c++17", "-O2", "-o", program, *units, "-lcaf_core", "-lpthread"])


def build_erlang():
    need("erlc", "tools/bootstrap --bench")
    os.makedirs(built("erlang"), exist_ok=True)
    call(["erlc", "-o", built("erlang"), source("erlang", "bench.erl")])


def build_protoactor():
    need("go", "install Go 1.25 or newer; Debian's may be older")
    if version(["go", "version"]) < (1, 25):
        raise Missing("go is older than 1.25, which the module asks for")
    os.makedirs(built("protoactor-go"), exist_ok=True)
    call(["go", "build", "-o", built("protoactor-go", "bench"), "."], cwd=source("protoactor-go"))


def build_pekko():
    need("java", "tools/bootstrap --bench")
    need("javac", "tools/bootstrap --bench")
    need("mvn", "tools/bootstrap --bench")
    if version(["javac", "-version"])[0] < 17:
        raise Missing("javac is older than 17")
    jars, classes = built("pekko", "jars"), built("pekko", "classes")
    if not newer(os.path.join(jars, ".complete"), source("pekko")):
        call(["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={jars}"],
             cwd=source("pekko"))
        folder = source("pekko", "src", "main", "java", "bench")
        call(["javac", "--release", "17", "-cp", os.path.join(jars, "*"), "-d", classes,
              *[os.path.join(folder, name) for name in sorted(os.listdir(folder))]])
        open(os.path.join(jars, ".complete"), "w").close()


def build_ractor():
    need("cargo", "install Rust 1.85 or newer; Debian's may be older")
    if version(["cargo", "--version"]) < (1, 85):
        raise Missing("cargo is older than 1.85, which ractor asks for")
    call(["cargo", "build", "-q", "--release", "--target-dir", built("ractor")],
         cwd=source("ractor"))


class System:
    """
    name; label for people; build(); variants, of which the better one counts in each cell;
    command(workload, workers, scale, variant, warm_s); warm_s: how long it is warmed up.
    """

    def __init__(self, name, label, build, command, variants=("",), warm_s=0):
        self.name, self.label, self.build, self.command = name, label, build, command
        self.variants, self.warm_s = variants, warm_s


def troupe_command(workload, workers, scale, variant, warm_s):
    return [os.path.join(ROOT, "build", "release", "bench", "bench_troupe"),
            workload, str(workers), scale]


def caf_command(workload, workers, scale, variant, warm_s):
    return [built("caf", "bench_caf"), workload, str(workers), scale]


def erlang_command(workload, workers, scale, variant, warm_s):
    return ["erl", "+S", f"{workers}:{workers}", "+P", "2000000", "-noshell",
            "-pa", built("erlang"), "-s", "bench", "-extra", workload, scale]


def protoactor_command(workload, workers, scale, variant, warm_s):
    return [built("protoactor-go", "bench"), workload, str(workers), scale, variant.split()[0]]


def pekko_command(workload, workers, scale, variant, warm_s):
    path = built("pekko", "classes") + ":" + os.path.join(built("pekko", "jars"), "*")
    return ["java", "-cp", path, "bench.Bench", workload, str(workers), scale, f"{warm_s:g}"]


def ractor_command(workload, workers, scale, variant, warm_s):
    return [built("ractor", "release", "bench_ractor"), workload, str(workers), scale]


SYSTEMS = [
    System("troupe", "Troupe", build_troupe, troupe_command),
    System("caf", "CAF", build_caf, caf_command),
    System("erlang", "Erlang/OTP", build_erlang, erlang_command),
    System("protoactor-go", "protoactor-go", build_protoactor, protoactor_command,
           ("long-lived goroutines", "default dispatcher")),
    System("pekko", "Pekko", build_pekko, pekko_command, warm_s=1.5),
    System("ractor", "ractor", build_ractor, ractor_command),
]
