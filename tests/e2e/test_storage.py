"""Disk full, locked databases and other trouble below: a clear error, and the run resumes
afterwards without double entries."""
import contextlib
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import threading
import unittest

import lib

IOFAULT = os.environ.get("TROUPE_IOFAULT")
ORDERS = 300 if lib.SANITIZED else 1500
ARGS = ("--generate", ORDERS, "--seed", 21, "--declines", 50, "--stock", 800)


def mounts_work():
    """A name space of mounts of our own: as root, or as anyone where the kernel allows it."""
    done = subprocess.run(["unshare", "-rm", "sh", "-c", "mount -t tmpfs none /mnt"],
                          capture_output=True, check=False) if shutil.which("unshare") else None
    return done is not None and done.returncode == 0


class Storage(lib.Case):
    @classmethod
    def setUpClass(cls):
        maker = cls("run_orders")
        maker.db = lib.shared_dir() / "expected.db"
        maker.run_orders(*ARGS)
        cls.expected = maker.books(maker.db)

    def resumes(self, known_at_least=0):
        """The same run once more ends well, with the books of a run without trouble."""
        report, said = self.run_orders(*ARGS)
        self.assertEqual(said, "")
        self.assertGreaterEqual(report["run"]["orders_known"], known_at_least)
        self.assertEqual(self.books(), self.expected)
        self.assertTrue(all(check["good"] for check in self.verify().values()))
        return report["run"]["orders_known"]

    # ---- Disk full ---------------------------------------------------------

    def test_file_size_limit(self):
        """A limit on the size of files works like a full disk, and needs no privileges."""
        for size in (4096, 60000, 300000, 1000000):
            if size > 1000 * ORDERS:
                continue # So few orders may fit.
            with self.subTest(size):
                for path in self.dir.glob("books.db*"):
                    path.unlink()
                _, said = self.run_orders(*ARGS, want=lib.CANNOT, preexec_fn=lambda: resource.
                                          setrlimit(resource.RLIMIT_FSIZE, (size, size)))
                self.assertIn("books.db", said)
                self.assertIn("run again", said)
                self.resumes()

    @unittest.skipUnless(IOFAULT, "needs preloading")
    def test_no_space_at_any_operation(self):
        count = self.dir / "count"
        self.run_orders(*ARGS, env={"LD_PRELOAD": IOFAULT, "IOFAULT_COUNT": str(count)})
        total = int(count.read_text())
        dice = random.Random(8)
        plan = sorted(set(range(1, 13)) | set(dice.sample(range(13, total), min(12, total - 13))))
        failed, partly = 0, 0
        for number in plan:
            for how, want in (("enospc", "full"), ("eio", "I/O error")):
                for path in self.dir.glob("books.db*"):
                    path.unlink()
                report, said = self.run_orders(*ARGS, want=None, env={
                    "LD_PRELOAD": IOFAULT, "IOFAULT": f"{how}:{number}"})
                if report is None:  # what fails after the last commit may go unnoticed
                    self.assertRegex(said, f"database '.*books.db'.*({want}|I/O error|full)")
                    # Only the report that follows the last commit may fail without that advice.
                    self.assertRegex(said, "resumes|cannot be read")
                    failed += 1
                partly += 0 < self.resumes() < ORDERS
        self.assertGreater(failed, len(plan))
        print(f"{failed} failures at {len(plan)} of {total} operations, {partly} of them amid the"
              " orders")

    def test_full_file_system(self):
        if not mounts_work():
            print("SKIPPED: no mounts without privileges here", file=sys.stderr)
            self.skipTest("no mounts here")
        script = f"""
            set -e
            mount -t tmpfs -o size=600k none "{self.dir}"
            set +e
            "$ORDERS" run --db "{self.db}" --quiet --json {' '.join(map(str, ARGS))} >/dev/null \
                2>/dev/shm/said.$$
            code=$?
            cat /dev/shm/said.$$ >&2; rm /dev/shm/said.$$
            echo "exit $code"
            mount -o remount,size=100m "{self.dir}"
            "$ORDERS" run --db "{self.db}" --quiet --json {' '.join(map(str, ARGS))} >/dev/null
            echo "exit $?"
            "$ORDERS" verify --db "{self.db}" >/dev/null
            echo "exit $?"
            "$ORDERS" report --json --db "{self.db}"
        """
        done = subprocess.run(["unshare", "-rm", "bash", "-c", script], capture_output=True,
                              text=True, check=False, timeout=300,
                              env=dict(os.environ, ORDERS=lib.ORDERS))
        exits = [text for text in done.stdout.splitlines() if text.startswith("exit ")]
        self.assertEqual(exits, ["exit 3", "exit 0", "exit 0"], done.stderr)
        self.assertRegex(done.stderr, r"database .* full .*free some space and run again")
        report = lib.json.loads(done.stdout[done.stdout.index("{"):])
        del report["database"]
        self.assertEqual(report, self.expected)

    def test_report_that_cannot_be_written(self):
        for command in (("run", *ARGS, "--quiet"), ("report",), ("verify",)):
            with self.subTest(command[0]), open("/dev/full", "wb") as full:
                done = subprocess.run(self.command(*command, "--db", self.db), stdout=full,
                                      stderr=subprocess.PIPE, check=False)
                self.assertEqual(done.returncode, lib.CANNOT)
                self.assertIn(b"cannot be written", done.stderr)
        self.resumes(ORDERS)
        for args in (("--out", "/dev/full"), ()):
            with open("/dev/full", "wb") as full:
                done = subprocess.run(self.command("generate", "--generate", 100, *args),
                                      stdout=full, stderr=subprocess.PIPE, check=False)
            self.assertEqual(done.returncode, lib.CANNOT)
            self.assertIn(b"cannot be written: No space left on device", done.stderr)

    def test_notices_that_cannot_be_written(self):
        _, said = self.run_orders(*ARGS, "--notices", "/dev/full", want=lib.CANNOT)
        self.assertRegex(said, "the notice of order .* cannot be written")
        notices = self.dir / "notices.txt"
        self.run_orders(*ARGS, "--notices", notices)
        self.assertEqual(len({text.split()[0] for text in notices.read_text().splitlines()}),
                         ORDERS)
        self.assertEqual(self.books(), self.expected)

    # ---- Locked, foreign, missing --------------------------------------------

    def test_locked_from_the_start(self):
        self.run_orders("--generate", 100, *ARGS[2:])
        with contextlib.closing(sqlite3.connect(self.db, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            _, said = self.run_orders(*ARGS, want=lib.CANNOT)
            self.assertRegex(said, "database '.*': cannot be opened for writing: database is locked"
                             ".*another program holds it; run again: it resumes")
            other.execute("ROLLBACK")
        self.resumes(100)

    def test_locked_amid_the_run(self):
        """Another program takes the database while orders wait at a pipe, and keeps it."""
        text = self.orders("generate", *ARGS[:4]).stdout
        half = text.index(b"\n", len(text) // 2) + 1
        fifo = self.dir / "fifo"
        os.mkfifo(fifo)
        command = self.command("run", "--data", fifo, "--db", self.db, "--quiet", "--json",
                               *ARGS[4:], "--seed", 21)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            with open(fifo, "wb", buffering=0) as pipe:
                pipe.write(text[:half])
                # The first batches must be in: wait until the database says so.
                entered = 0
                while entered == 0 and process.poll() is None:
                    with contextlib.suppress(sqlite3.Error):
                        entered = self.query("SELECT count(*) FROM orders")[0][0]
                other = sqlite3.connect(self.db, isolation_level=None, timeout=30)
                other.execute("BEGIN IMMEDIATE")
                with contextlib.suppress(BrokenPipeError):
                    pipe.write(text[half:])
            _, said = process.communicate(timeout=120)
            other.execute("ROLLBACK")
            other.close()
            self.assertEqual(process.returncode, lib.CANNOT)
            self.assertRegex(said.decode(), "a batch cannot begin: database is locked.*resumes")
        self.resumes(1)

    def test_a_short_lock_is_waited_for(self):
        with contextlib.closing(sqlite3.connect(self.db, isolation_level=None,
                                                check_same_thread=False)) as other:
            other.execute("PRAGMA journal_mode=WAL")
            other.execute("BEGIN IMMEDIATE")
            timer = threading.Timer(0.5, lambda: other.execute("ROLLBACK"))
            timer.start()
            self.run_orders(*ARGS)
            timer.join()
        self.assertEqual(self.books(), self.expected)

    def test_readers_do_not_disturb(self):
        self.run_orders("--generate", 50, *ARGS[2:])
        with contextlib.closing(sqlite3.connect(self.db, isolation_level=None)) as other:
            other.execute("BEGIN")
            other.execute("SELECT count(*) FROM orders").fetchall()
            self.run_orders(*ARGS)
            other.execute("ROLLBACK")
        self.assertEqual(self.books(), self.expected)

    def test_two_runs_at_once(self):
        """One of them may give up; neither enters an order twice."""
        for _ in range(2 if lib.SANITIZED else 6):
            for path in self.dir.glob("books.db*"):
                path.unlink()
            command = self.command("run", "--db", self.db, "--quiet", "--json", *ARGS)
            both = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                    for _ in range(2)]
            said = [process.communicate(timeout=200)[1].decode() for process in both]
            for process, text in zip(both, said):
                self.assertIn(process.returncode, (lib.GOOD, lib.CANNOT), text)
                if process.returncode == lib.CANNOT:
                    self.assertRegex(text, "another (run|program).*it resumes")
            self.resumes()

    def test_no_place_for_the_database(self):
        self.db = self.dir / "none" / "books.db"
        _, said = self.run_orders(*ARGS, want=lib.CANNOT)
        self.assertIn("none/books.db': cannot be opened: unable to open database file", said)
        self.db = self.dir
        _, said = self.run_orders(*ARGS, want=lib.CANNOT)
        self.assertIn("unable to open database file", said)

    def test_databases_of_others(self):
        other = sqlite3.connect(self.db)
        other.execute("CREATE TABLE mine(x)")
        other.commit()
        other.close()
        before = self.db.read_bytes()
        _, said = self.run_orders(*ARGS, want=lib.CANNOT)
        self.assertIn("is a database of another program", said)
        for command in ("report", "verify"):
            done = self.orders(command, "--db", self.db, want=lib.CANNOT)
            self.assertIn(b"holds no order books", done.stderr)
        self.assertEqual([t for (t,) in self.query("SELECT name FROM sqlite_schema")], ["mine"])
        self.assertLessEqual(len(before), len(self.db.read_bytes()))
        self.db = self.write(lib.HEADER * 100, "text.db")
        _, said = self.run_orders(*ARGS, want=lib.CANNOT)
        self.assertIn("file is not a database", said)
        self.assertEqual(self.db.read_bytes(), lib.HEADER * 100)

    def test_books_of_another_version(self):
        self.run_orders("--generate", 10)
        other = sqlite3.connect(self.db)
        other.execute("PRAGMA user_version=99")
        other.close()
        for command in (("run",), ("verify",), ("report",)):
            done = self.orders(*command, "--db", self.db, want=lib.CANNOT)
            self.assertRegex(done.stderr.decode(), "schema version 99, .*1")


if __name__ == "__main__":
    lib.main()
