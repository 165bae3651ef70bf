#!/usr/bin/env python3
"""Every block of C in the guides must stand, word for word, in an example that is built and run.

usage: docs_snippets.py SOURCE
"""
import pathlib
import re
import sys

source = pathlib.Path(sys.argv[1])
programs = {path: path.read_text() for path in sorted((source / "examples").glob("*.c"))}
blocks = missing = 0
for guide in sorted((source / "docs" / "guide").glob("*.md")):
    for block in re.findall(r"^```c\n(.*?)^```$", guide.read_text(), re.M | re.S):
        blocks += 1
        if not any(block in text for text in programs.values()):
            missing += 1
            print(f"{guide.relative_to(source)}: not in any example:\n{block}")
print(f"{blocks} blocks, {missing} missing")
sys.exit(1 if missing or not blocks else 0)
