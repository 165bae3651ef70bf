"""The command line: help and version of every command, wrong usage, and that manual pages and
shell completions exist, are installed, and know every option."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest

import lib

COMMANDS = ("run", "generate", "report", "verify", "node", "send")
MANUAL = lib.SOURCE / "docs" / "man"
COMPLETION = lib.SOURCE / "apps" / "orders" / "completion"


class Cli(lib.Case):
    def options_of(self, command):
        text = self.orders(command, "--help").stdout.decode()
        return re.findall(r"^  (--[a-z-]+)", text, re.M)

    def test_help_of_every_command(self):
        text = self.orders("--help").stdout.decode()
        for command in COMMANDS:
            self.assertIn(f"orders {command}", text)
            own = self.orders(command, "--help")
            self.assertEqual(own.stderr, b"")
            self.assertTrue(own.stdout.startswith(f"usage: orders {command}".encode()))
            self.assertIn(b"exit code: 0 good; 1", own.stdout)
            self.assertGreaterEqual(len(self.options_of(command)), 4)
            for text_line in own.stdout.decode().splitlines():
                self.assertLessEqual(len(text_line), 100)

    def test_version_of_every_command(self):
        version = self.orders("--version").stdout
        self.assertRegex(version, rb"^orders \d+\.\d+\.\d+\n$")
        for command in COMMANDS:
            self.assertEqual(self.orders(command, "--version").stdout, version)

    def test_every_option_is_in_the_help_and_taken(self):
        self.assertEqual(sorted(self.options_of("run")), sorted(
            ["--data", "--generate", "--seed", "--lines", "--db", "--workers", "--stock",
             "--declines", "--late", "--duplicate-window", "--notices", "--backpressure",
             "--under-way", "--dropped", "--json", "--quiet",
             "--help", "--version"]))
        for command in COMMANDS:
            for option in self.options_of(command):
                done = self.orders(command, option + "=", want=lib.USAGE)
                self.assertNotIn(b"unknown option", done.stderr)

    def test_wrong_usage(self):
        for args, want in ((("run", "--bogus"), "unknown option '--bogus'"),
                           (("run", "file.csv"), "unexpected argument 'file.csv'"),
                           (("run", "--workers"), "--workers wants a value"),
                           (("run", "--workers", "0"), "--workers is '0', want a whole number"
                            " from 1 to 256"),
                           (("run", "--seed=abc"), "--seed is 'abc'"),
                           (("run", "--db="), "--db is empty"),
                           (("run", "--json=1"), "--json takes no value"),
                           (("report", "--seed", "1"), "unknown option '--seed'"),
                           (("verify", "--out", "x"), "unknown option '--out'"),
                           (("run", "--data", "x", "--generate", "1"), "exclude each other"),
                           (("fly",), "unknown command 'fly', want run, generate, report,"
                            " verify, node or send"),
                           ((), "no command")):
            with self.subTest(args):
                done = self.orders(*args, want=lib.USAGE)
                self.assertEqual(done.stdout, b"")
                self.assertIn(want, done.stderr.decode())

    def test_json_is_json_whatever_the_name_of_the_database(self):
        for name in ('a "quoted" \\ name.db', "b\xfc.db".encode("latin-1"), "tab\t.db"):
            db = os.path.join(os.fsencode(self.dir), os.fsencode(name))
            for command in (("run", "--generate", "20", "--quiet"), ("report",), ("verify",)):
                done = subprocess.run([lib.ORDERS, *command, "--json", "--db", db],
                                      capture_output=True, check=True)
                self.assertIn("database", json.loads(done.stdout))

    # ---- Manual and completion -----------------------------------------------

    def test_manual_pages_name_every_option(self):
        whole = (MANUAL / "orders.1").read_text()
        for command in COMMANDS:
            page = (MANUAL / f"orders-{command}.1").read_text()
            self.assertIn(f"orders\\-{command}", whole.replace("orders-", "orders\\-"))
            for option in self.options_of(command):
                self.assertIn(option.replace("-", "\\-"), page, f"{command} {option}")
        for code in range(4):
            self.assertRegex(whole, rf"\n\.TP\n\.B {code}\n")

    @unittest.skipUnless(shutil.which("man"), "no man here")
    def test_manual_pages_are_well_formed(self):
        for page in MANUAL.glob("*.1"):
            done = subprocess.run(["man", "--warnings", "-l", page], capture_output=True,
                                  env=dict(os.environ, LC_ALL="C.UTF-8", MANWIDTH="80",
                                           MANROFFSEQ=""), check=True)
            self.assertEqual(done.stderr, b"", page)
            self.assertIn(b"NAME", done.stdout)

    def complete(self, *words):
        """What bash offers for the last of these words."""
        script = f"""
            source "{COMPLETION / 'orders.bash'}"
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${{#COMP_LINE}}
            _orders; printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        done = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True,
                              text=True, check=True, cwd=self.dir)
        self.assertEqual(done.stderr, "")
        return sorted(word.strip() for word in done.stdout.split("\n") if word.strip())

    def test_bash_completion(self):
        self.assertEqual(self.complete("orders", ""), sorted(
            [*COMMANDS, "--help", "--version"]))
        self.assertEqual(self.complete("orders", "ver"), ["verify"])
        for command in COMMANDS:
            self.assertEqual(self.complete("orders", command, "--"),
                             sorted(self.options_of(command)))
        self.assertEqual(self.complete("orders", "run", "--see"), ["--seed"])
        self.write(b"", "some.csv")
        self.assertEqual(self.complete("orders", "run", "--data", "so"), ["some.csv"])
        self.assertEqual(self.complete("orders", "run", "--seed", ""), [])

    def test_other_completions_name_every_option(self):
        zsh = (COMPLETION / "_orders").read_text()
        fish = (COMPLETION / "orders.fish").read_text()
        for command in COMMANDS:
            self.assertIn(command, zsh)
            self.assertIn(command, fish)
            for option in self.options_of(command):
                self.assertIn(option + "[", zsh)
                self.assertRegex(fish, rf"-l {option[2:]}\b")
        for shell, path in (("zsh", COMPLETION / "_orders"), ("fish", COMPLETION / "orders.fish")):
            if shutil.which(shell):
                subprocess.run([shell, "-n", path], check=True)

    @unittest.skipIf(lib.SANITIZED, "installs are tested once")
    def test_installed(self):
        root = self.dir / "root"
        subprocess.run(["cmake", "--install", os.environ["TROUPE_BUILD"], "--prefix", root],
                       check=True, capture_output=True)
        found = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
        for want in ("bin/orders", "share/man/man1/orders.1",
                     *(f"share/man/man1/orders-{command}.1" for command in COMMANDS),
                     "share/bash-completion/completions/orders",
                     "share/zsh/site-functions/_orders",
                     "share/fish/vendor_completions.d/orders.fish"):
            self.assertIn(want, found)
        version = subprocess.run([root / "bin/orders", "--version"], capture_output=True,
                                 check=True).stdout
        self.assertEqual(version, self.orders("--version").stdout)


if __name__ == "__main__":
    lib.main()
