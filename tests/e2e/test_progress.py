"""The progress of a run: a bar with rate and ETA on a terminal, plain lines elsewhere."""
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import unittest

import lib

ORDERS = 300 if lib.SANITIZED else 6000
WORDS = r"(\d+:)?\d+:\d\d (left|taken)"


class Progress(lib.Case):
    def on_terminal(self, columns, *args):
        """What is drawn on a terminal so wide."""
        main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        with subprocess.Popen(self.command("run", "--db", self.db, *args), stderr=side,
                              stdout=subprocess.DEVNULL) as process:
            os.close(side)
            text = b""
            while True:
                try:
                    some = os.read(main, 65536)
                except OSError:  # the other side is gone
                    break
                if not some:
                    break
                text += some
        os.close(main)
        return process.returncode, text.decode()

    def test_bar(self):
        code, text = self.on_terminal(100, "--generate", ORDERS)
        self.assertEqual(code, lib.GOOD)
        frames = [frame for frame in re.split(r"[\r\n]+", text) if frame.strip("\x1b[K ")]
        bar = re.compile(r"^\[#*\.*\] +\d+%  [\d,]+ orders  [\d,]+/s  " + WORDS + "\x1b\\[K$")
        for frame in frames:
            self.assertRegex(frame, bar)
            self.assertLess(len(frame), 100)
        self.assertIn("100%", frames[-1])
        self.assertIn(f"{ORDERS:,} orders", frames[-1])
        self.assertIn("taken", frames[-1])
        shares = [int(re.search(r"(\d+)%", frame).group(1)) for frame in frames]
        self.assertEqual(shares, sorted(shares))

    def test_narrow_terminals_do_not_wrap(self):
        for columns in (20, 45, 60):
            self.db = self.dir / f"{columns}.db"
            _, text = self.on_terminal(columns, "--generate", 400)
            for frame in re.split(r"[\r\n]+", text):
                self.assertLess(len(frame.replace("\x1b[K", "")), columns)

    def test_complaints_have_lines_of_their_own(self):
        path = self.write(lib.HEADER + lib.line("1") + lib.line("2", quantity="x"))
        code, text = self.on_terminal(100, "--data", path)
        self.assertEqual(code, lib.WRONG)
        said = [part for part in text.split("\n") if "order 2 is refused" in part]
        self.assertEqual(len(said), 1)
        self.assertRegex(said[0].strip("\r"), r"^(.*\x1b\[K)?orders: .*Quantity is 'x'")

    def test_plain_lines(self):
        done = self.orders("run", "--db", self.db, "--generate", ORDERS)
        text = done.stderr.decode()
        self.assertNotIn("\r", text)
        self.assertNotIn("\x1b", text)
        for said in text.splitlines():
            self.assertRegex(said, r"^ *\d+%  [\d,]+ orders  [\d,]+/s  " + WORDS + "$")
        self.assertTrue(text.splitlines()[-1].startswith("100%"))

    def test_quiet(self):
        done = self.orders("run", "--db", self.db, "--generate", 100, "--quiet")
        self.assertEqual(done.stderr, b"")
        code, text = self.on_terminal(100, "--generate", 100, "--quiet")
        self.assertEqual((code, text), (lib.GOOD, ""))

    def test_a_pipe_has_no_end_to_count_to(self):
        fifo = self.dir / "fifo"
        os.mkfifo(fifo)
        with subprocess.Popen(self.command("generate", "--generate", 50, "--out", fifo)) as writer:
            done = self.orders("run", "--db", self.db, "--data", fifo)
            self.assertEqual(writer.wait(), lib.GOOD)
        self.assertRegex(done.stderr.decode().splitlines()[-1], r"^100%  50 orders .* taken$")


if __name__ == "__main__":
    lib.main()
