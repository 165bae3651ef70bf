"""What the guide and the reference say is so: examples run, counts are the real file's, numbers
are the ones in the program."""
import os
import pathlib
import re
import subprocess
import unittest

import lib
import test_real

GUIDE = (lib.SOURCE / "docs/guide/orders.md").read_text()
REFERENCE = (lib.SOURCE / "docs/reference/orders-ledger.md").read_text()


def section(name):
    return GUIDE.split(f"\n## {name}\n")[1].split("\n## ")[0]


class Docs(lib.Case):
    def test_examples_run(self):
        path = f"{pathlib.Path(lib.ORDERS).parent}:{os.environ['PATH']}"
        blocks = re.findall(r"```sh\n(.*?)```", GUIDE, re.S)
        self.assertGreater(len(blocks), 0)
        for block in blocks:
            subprocess.run(["bash", "-euc", block], check=True, cwd=self.dir,
                           env=dict(os.environ, PATH=path), capture_output=True)

    def rules(self):
        rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([\d,]+) \|$", section("Dirt"), re.M)
        return {what: int(count.replace(",", "")) for what, _, count in rows}

    def test_every_kind_of_dirt_has_its_rule(self):
        self.run_orders("--generate", 10)
        reported = [row["what"] for row in self.books()["noticed"]]
        self.assertEqual(list(self.rules()), reported)

    def test_counts_are_the_real_ones(self):
        """test_real holds the same figures against the file."""
        self.assertEqual(self.rules(), test_real.README | test_real.OWN)
        for total in test_real.TOTALS:
            self.assertIn(total, section("Dirt"))

    def test_numbers_are_the_programs(self):
        header = (lib.SOURCE / "apps/orders/books.h").read_text()
        text = " ".join(REFERENCE.split())
        found = 0
        for words in re.findall(r"#define \w+\(X\)(.*?)\n\n", header, re.S):
            for number, word in enumerate(re.findall(r'X\(\w+, "([^"]+)"\)', words)):
                found += 1
                self.assertRegex(text, rf"\b{number} {re.escape(word.split(',')[0])}")
        self.assertEqual(found, 3 + 4 + 8 + 14 + 7 + 4)


if __name__ == "__main__":
    lib.main()
