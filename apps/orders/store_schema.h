/* store_schema.h - what the database holds; docs/reference/orders-ledger.md explains it. */
#ifndef ORDERS_STORE_SCHEMA_H
#define ORDERS_STORE_SCHEMA_H

#include "books.h"

static const char store_schema[] =
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE countries(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;"
    "CREATE TABLE products(id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE,"
    " description TEXT NOT NULL, initial INTEGER NOT NULL, received INTEGER NOT NULL,"
    " sold INTEGER NOT NULL, written_off INTEGER NOT NULL, returned INTEGER NOT NULL,"
    " on_hand INTEGER NOT NULL) STRICT;"
    "CREATE TABLE orders(id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, content BLOB NOT NULL,"
    " kind INTEGER NOT NULL, state INTEGER NOT NULL, reason INTEGER NOT NULL,"
    " flags INTEGER NOT NULL, customer INTEGER NOT NULL, country INTEGER NOT NULL,"
    " placed_at INTEGER NOT NULL, lines INTEGER NOT NULL, amount INTEGER NOT NULL,"
    " chain BLOB NOT NULL) STRICT;"
    "CREATE TABLE lines(id INTEGER PRIMARY KEY, product INTEGER NOT NULL,"
    " quantity INTEGER NOT NULL, price INTEGER NOT NULL, amount INTEGER NOT NULL,"
    " outcome INTEGER NOT NULL, flags INTEGER NOT NULL, reverses INTEGER NOT NULL,"
    " returned INTEGER NOT NULL, customer INTEGER NOT NULL) STRICT;"
    "CREATE INDEX lines_returnable ON lines(customer, product)"
    " WHERE customer > 0 AND outcome <= 1;"
    "CREATE TABLE entries(id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL,"
    " account INTEGER NOT NULL, amount INTEGER NOT NULL) STRICT;"
    "CREATE TABLE accounts(id INTEGER PRIMARY KEY, name TEXT NOT NULL,"
    " currency TEXT NOT NULL) STRICT;"
    "CREATE TABLE refusals(content BLOB PRIMARY KEY, key TEXT NOT NULL, reason INTEGER NOT NULL,"
    " lines INTEGER NOT NULL, amount INTEGER NOT NULL, source_line INTEGER NOT NULL,"
    " detail TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE cursors(name TEXT PRIMARY KEY, position INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID;"
    "INSERT INTO cursors VALUES('notices', 0);";

#endif
