#!/usr/bin/env python3
"""An independent reading of an order file: counts its dirt and, from docs/guide/orders.md alone,
works out what the books must say. Shares nothing with the order system but that page.

  oracle.py FILE.csv[.xz]    prints the expectation as JSON
"""
import collections
import csv
import datetime
import json
import lzma
import sys
from decimal import ROUND_HALF_UP, Decimal

PENNY = Decimal("0.01")


def pence(quantity, price):
    exact = quantity * price
    return int(exact.quantize(PENNY, ROUND_HALF_UP) * 100)  # half away from zero


def read(path):
    opener = lzma.open if str(path).endswith(".xz") else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        yield from (row for row in rows if row)


class Line:
    def __init__(self, row):
        self.text = tuple(row)
        self.code, self.description = row[1], row[2]
        self.quantity, self.price = int(row[3]), Decimal(row[5])
        self.amount = pence(self.quantity, self.price)
        self.product = self.code[:5].isdigit() and len(self.code) >= 5
        self.outcome = None
        self.left = self.quantity  # of a sale: pieces not yet returned


class Order:
    def __init__(self, row):
        self.key = row[0]
        self.kind = {"C": "cancellation", "A": "adjustment"}.get(row[0][0], "sale")
        self.customer = row[6]
        self.country = row[7]
        self.at = datetime.datetime.fromisoformat(row[4])
        self.times = set()
        self.lines = []
        self.state, self.reason = "fulfilled", "none"


def gather(path):
    orders = {}
    for row in read(path):
        order = orders.get(row[0]) or orders.setdefault(row[0], Order(row))
        order.lines.append(Line(row))
        order.times.add(row[4])
    return list(orders.values())


def first_outcome(order, line):
    if line.quantity == 0:
        return "no quantity"
    if order.kind == "adjustment":
        return "bad debt adjusted"
    if order.kind == "cancellation":
        if line.quantity > 0:
            return "cancellation of a positive quantity"
        return "negative price" if line.price < 0 else "to return"
    if line.price < 0:
        return "negative price"
    if line.quantity < 0:
        return "written off" if line.price == 0 else "negative quantity with a price"
    if line.price == 0:
        return "no price"
    return "sold" if line.product else "charged, no product"


REFUSED = {"no quantity", "cancellation of a positive quantity", "negative price",
           "negative quantity with a price", "no price", "exact duplicate"}


def basket(order):
    return order.customer, frozenset(collections.Counter(
        (line.code, line.quantity, line.price) for line in order.lines).items())


def settle(orders, window=datetime.timedelta(minutes=10), recent_orders=1024):
    """Gives every order its state and every line its outcome."""
    recent = collections.deque(maxlen=recent_orders)
    sales = collections.defaultdict(list)  # of one customer, code and price, in order of entry
    for order in orders:
        seen = set()
        for line in order.lines:
            line.outcome = ("exact duplicate" if line.text in seen
                            else first_outcome(order, line))
            seen.add(line.text)
        live = [line for line in order.lines if line.outcome not in REFUSED]
        twice = False
        if order.customer and order.kind == "sale":
            this = basket(order)
            twice = any(b == this and abs(order.at - at) <= window for b, at in recent)
            recent.append((this, order.at))
        if not live:
            order.state, order.reason = "rejected", "no line can be sold"
        elif twice and any(line.outcome in ("sold", "charged, no product") and line.amount > 0
                           for line in live):
            order.state = "parked"
            order.reason = "same customer, basket and amount within the window"
            for line in live:
                line.outcome = "parked"
        for line in order.lines:
            place = order.customer, line.code, line.price
            if line.outcome in ("sold", "charged, no product") and order.customer:
                sales[place].append(line)
            elif line.outcome == "to return":
                fit = [s for s in sales[place] if s.left >= -line.quantity] if order.customer else []
                exact = [s for s in fit if s.left == -line.quantity]
                if fit:
                    (exact or fit)[-1].left += line.quantity
                    line.outcome = "returned"
                else:
                    line.outcome = "parked"
                    order.state = "parked"
                    order.reason = "a cancelled line has no original sale"


def tally(pairs):
    table = collections.defaultdict(lambda: [0, 0])
    for name, count, amount in pairs:
        table[name][0] += count
        table[name][1] += amount
    return {name: tuple(both) for name, both in table.items()}


def dirt(orders):
    """The kinds of dirt, by the words of the report's table "noticed"."""
    every = [(order, line) for order in orders for line in order.lines]
    cancels = [o for o in orders if o.kind == "cancellation"]
    nobody = [o for o in orders if not o.customer]
    return {
        "orders that cancel": len(cancels),
        "lines of these": sum(len(o.lines) for o in cancels),
        "lines with a negative quantity": sum(line.quantity < 0 for _, line in every),
        "of them outside cancellations": sum(line.quantity < 0 and o.kind != "cancellation"
                                             for o, line in every),
        "lines with no price": sum(line.price == 0 for _, line in every),
        "lines with a negative price": sum(line.price < 0 for _, line in every),
        "orders without a customer": len(nobody),
        "lines of orders without a customer": sum(len(o.lines) for o in nobody),
        "lines without a description": sum(not line.description for _, line in every),
        "lines that repeat one of their order": sum(
            len(o.lines) - len({line.text for line in o.lines}) for o in orders),
        "codes that are no product": len({line.code for _, line in every if not line.product}),
        "lines with such a code": sum(not line.product for _, line in every),
        "orders with two timestamps": sum(len(o.times) > 1 for o in orders),
        "outliers, beyond 10,000 pieces or 10,000.00": sum(
            abs(line.quantity) > 10000 or abs(line.amount) > 1000000 for _, line in every),
        "prices with three decimals": sum(
            line.price != line.price.quantize(PENNY) for _, line in every),
        "lines of the largest order": max(len(o.lines) for o in orders),
    }


def totals(orders):
    def total(pick):
        lines = [line for o in orders for line in o.lines if pick(o, line)]
        exact = sum((line.quantity * line.price for line in lines), Decimal(0))
        amount = sum(line.amount for line in lines)
        return len(lines), amount, int((exact - Decimal(amount) / 100) * 1000)
    return {
        "positive sales": total(lambda o, line: line.quantity > 0 and line.price > 0),
        "cancellations": total(lambda o, line: o.kind == "cancellation"),
        "gross": total(lambda o, line: True),
    }


def ledger(orders):
    """Balance of every account, debits positive."""
    sums = collections.Counter()
    for order in orders:
        for line in order.lines:
            if line.outcome in ("sold", "charged, no product"):
                sums["payment provider clearing"] += line.amount
                sums["sales of goods" if line.outcome == "sold"
                     else "postage and other charges"] -= line.amount
            elif line.outcome == "returned":
                sums["payment provider clearing"] += line.amount
                sums["returns"] -= line.amount
            elif line.outcome == "bad debt adjusted":
                sums["receivables"] += line.amount
                sums["bad debt adjustments"] -= line.amount
    return dict(sums)


def expect(path):
    orders = gather(path)
    settle(orders)
    return {
        "orders": len(orders),
        "lines": sum(len(o.lines) for o in orders),
        "dirt": dirt(orders),
        "totals": totals(orders),
        "outcomes": tally((line.outcome, 1, line.amount) for o in orders for line in o.lines),
        "states": tally(((o.state, o.reason), 1, len(o.lines)) for o in orders),
        "ledger": ledger(orders),
    }


if __name__ == "__main__":
    found = expect(sys.argv[1])
    found["states"] = [[*name, *both] for name, both in found["states"].items()]
    json.dump(found, sys.stdout, indent=2)
    print()
