#!/usr/bin/env python3
"""orders run --backpressure: what each policy does when orders come faster than the ledger commits.

However many orders are turned away, none of them was acknowledged, none of them is in the books,
and the next run enters exactly those.
"""
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile

ORDERS = os.environ["TROUPE_ORDERS"]
COUNT = 2000
UNDER_WAY = 16 # so few that the source is faster than the ledger on any machine


def orders(*arguments, want):
    done = subprocess.run([ORDERS, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False)
    if done.returncode != want:
        sys.exit(f"orders {' '.join(arguments)}: exit code {done.returncode}, want {want}\n"
                 f"{done.stdout}{done.stderr}")
    return done


def run(db, policy, want, *more):
    out = orders("run", "--generate", str(COUNT), "--db", str(db), "--backpressure", policy,
                 "--under-way", str(UNDER_WAY), "--json", "--quiet", *more, want=want).stdout
    result = json.loads(out)["run"]
    assert result["lines_accounted"] and result["messages_accounted"], result
    return result


def keys(path):
    return [line.split()[0] for line in path.read_text().splitlines()]


def entered(db):
    with sqlite3.connect(db) as connection:
        return {key for (key,) in connection.execute("SELECT key FROM orders")}


def drop(folder):
    db, notices, dropped = folder / "drop.db", folder / "notices", folder / "dropped"
    first = run(db, "drop", 1, "--notices", str(notices), "--dropped", str(dropped))
    acknowledged, turned_away = keys(notices), keys(dropped)
    assert first["dropped"] > 0, "the source was slower than the ledger"
    assert len(turned_away) == first["dropped"]
    assert len(acknowledged) == first["orders_entered"]
    assert len(acknowledged) + len(turned_away) == COUNT
    assert not set(acknowledged) & set(turned_away), "an acknowledged order was dropped"
    assert entered(db) == set(acknowledged)
    second = run(db, "delay", 0, "--notices", str(notices))
    assert second["orders_known"] == first["orders_entered"]
    assert second["orders_entered"] == first["dropped"]
    assert sorted(keys(notices)) == sorted(acknowledged + turned_away), "one notice for each"
    orders("verify", "--db", str(db), want=0)


def keep_all(folder):
    most = {}
    for policy in ["delay", "queue"]:
        db = folder / f"{policy}.db"
        result = run(db, policy, 0)
        assert result["dropped"] == 0 and result["orders_entered"] == COUNT, result
        assert len(entered(db)) == COUNT
        orders("verify", "--db", str(db), want=0)
        most[policy] = result["under_way_most"]
    assert most["delay"] <= UNDER_WAY and most["queue"] > UNDER_WAY, most


def wrong_word(folder):
    done = orders("run", "--backpressure", "panic", "--db", str(folder / "none.db"), want=2)
    assert "--backpressure is 'panic', want delay, drop or queue" in done.stderr, done.stderr
    assert not (folder / "none.db").exists()


with tempfile.TemporaryDirectory() as name:
    for test in [drop, keep_all, wrong_word]:
        test(pathlib.Path(name))
        print(f"ok {test.__name__}")
