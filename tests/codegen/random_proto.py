#!/usr/bin/env python3
"""Writes a random .proto file with messages of all kinds.

usage: random_proto.py SEED FOLDER    makes FOLDER/random.proto and FOLDER/names (one message a line)
"""
import pathlib
import random
import sys

SCALARS = ("double float int32 int64 uint32 uint64 sint32 sint64 fixed32 fixed64 sfixed32 sfixed64 "
           "bool string bytes").split()
KEYS = ("int32 int64 uint32 uint64 sint32 sint64 fixed32 fixed64 sfixed32 sfixed64 bool "
        "string").split()
WRAPPERS = "Double Float Int64 UInt64 Int32 UInt32 Bool String Bytes".split()
MESSAGES = 14


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.made = []  # messages that may be fields
        self.lines = []

    def number(self, used):
        while True:
            if self.random.random() < 0.85:
                number = self.random.randint(1, 40)
            else:
                number = self.random.choice((2047, 2048, 19000 - 1, 20000, 536870911))
            if number not in used:
                used.add(number)
                return number

    def kind(self):
        pick = self.random.random()
        if pick < 0.15 and self.made:
            return self.random.choice(self.made)
        if pick < 0.25:
            return "Enum"
        if pick < 0.32:
            return f"google.protobuf.{self.random.choice(WRAPPERS)}Value"
        return self.random.choice(SCALARS)

    def options(self, kind, repeated):
        parts = []
        if kind in ("string", "bytes") or kind.endswith(("StringValue", "BytesValue")):
            if self.random.random() < 0.4:
                parts.append(f"max_size: {self.random.choice((1, 7, 127, 128, 300))}")
        if repeated and self.random.random() < 0.5:
            parts.append(f"max_count: {self.random.randint(1, 40)}")
        result = [f"(troupe.field) = {{{', '.join(parts)}}}"] if parts else []
        if repeated and kind in SCALARS[:13] and self.random.random() < 0.3:
            result.append(f"packed = {self.random.choice(('true', 'false'))}")
        return f" [{', '.join(result)}]" if result else ""

    def field(self, name, used, indent="  "):
        pick, number = self.random.random(), self.number(used)
        if pick < 0.1:
            value = self.kind()
            while value.startswith("google."):
                value = self.kind()
            self.lines.append(f"{indent}map<{self.random.choice(KEYS)}, {value}> {name} = {number}"
                              f" [(troupe.field).max_count = {self.random.randint(1, 12)}];")
            return
        kind = self.kind()
        label = "repeated " if pick < 0.35 else "optional " if pick < 0.45 else ""
        self.lines.append(f"{indent}{label}{kind} {name} = {number}"
                          f"{self.options(kind, label == 'repeated ')};")

    def oneof(self, name, used):
        self.lines.append(f"  oneof {name} {{")
        for index in range(self.random.randint(1, 5)):
            kind = self.kind()
            self.lines.append(f"    {kind} {name}{index} = {self.number(used)}"
                              f"{self.options(kind, False)};")
        self.lines.append("  }")

    def message(self, name):
        used = set()
        self.lines.append(f"message {name} {{")
        for index in range(self.random.randint(0, 12)):
            if self.random.random() < 0.1:
                self.oneof(f"choice{index}", used)
            else:
                self.field(f"f{index}", used)
        trailing = self.random.random() < 0.3
        if trailing:
            kind = self.random.choice(("repeated " + self.random.choice(SCALARS[:14]), "string",
                                       "bytes"))
            self.lines.append(f"  {kind} trail = {self.number(used)} "
                              "[(troupe.field).unbounded = true];")
        self.lines.append("}\n")
        if not trailing:
            self.made.append(name)


def main():
    maker = Maker(int(sys.argv[1]))
    folder = pathlib.Path(sys.argv[2])
    names = [f"M{index}" for index in range(MESSAGES)]
    for name in names:
        maker.message(name)
    head = ('syntax = "proto3";\npackage random;\nimport "google/protobuf/wrappers.proto";\n'
            'import "troupe/options.proto";\n'
            "option (troupe.file) = {string_size: 20, bytes_size: 30, count: 5};\n"
            "enum Enum { ZERO = 0; ONE = 1; BIG = 2147483647; LOW = -2147483648; }\n\n")
    (folder / "random.proto").write_text(head + "\n".join(maker.lines), encoding="utf-8")
    (folder / "names").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


main()
