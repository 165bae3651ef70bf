"""Go programs of tests, against protoactor-go of either dialect."""
import functools
import os
import pathlib
import shutil
import subprocess
import sys

import lib

HERE = pathlib.Path(__file__).resolve().parent
MODULES = HERE / "go"
ROOT = HERE.parent.parent
BUILD = pathlib.Path(os.environ["TROUPE_BUILD"])


def build(name, dialect, sources, protos):
    """The program of those Go files; `protos` are further arguments of protoc. Ends the test, loudly,
    where it cannot be built."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")
    if not go:
        print("SKIPPED: Go is not installed, so nothing was tested against protoactor-go",
              file=sys.stderr)
        sys.exit(1 if os.environ.get("TROUPE_GO") == "required" else lib.SKIPPED)
    folder = BUILD / name / dialect
    folder.mkdir(parents=True, exist_ok=True)
    for source in sources:
        shutil.copy(source, folder)
    for suffix in ("mod", "sum"):
        shutil.copy(MODULES / f"dialect_{dialect}.{suffix}", folder / f"go.{suffix}")
    for command in ((go, "build", "-o", "protoc-gen-go",
                     "google.golang.org/protobuf/cmd/protoc-gen-go"),
                    ("protoc", "--plugin=protoc-gen-go=./protoc-gen-go", "--go_out=.",
                     "--go_opt=module=orders", *protos),
                    (go, "build", "-o", "program", ".")):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True,
                              env=dict(os.environ, GOFLAGS="-buildvcs=false"))
        if done.returncode:
            sys.exit(f"{command[0]} failed for dialect {dialect}:\n{done.stdout}{done.stderr}")
    return folder / "program"


@functools.cache
def build_node(dialect):
    """apps/orders/go, which takes the place of a node."""
    mapped = [f"--go_opt=M{proto}=orders/{package}"
              for proto, package in (("talk.proto", "wire"), ("nodes.proto", "wire"),
                                     ("troupe/options.proto", "options"))]
    return build("e2e-go-node", dialect, (ROOT / "apps/orders/go").glob("*.go"),
                 (*mapped, f"-I{ROOT / 'proto/orders'}", f"-I{ROOT / 'proto'}", "talk.proto",
                  "nodes.proto", "troupe/options.proto"))
