/*
 * known.h - which orders were seen before: a filter of fixed size in memory says "certainly
 * not" for nearly every new one; else the database is asked. Intake's thread only.
 */
#ifndef ORDERS_KNOWN_H
#define ORDERS_KNOWN_H

#include "store.h"

struct known;

/* Opens the books that store_open() has made. */
struct known *known_open(const char *path, struct ord_error *error);
void known_close(struct known *known);

/* False: this number was certainly never entered nor let in. */
bool known_maybe(const struct known *known, const struct doc *doc);
void known_add(struct known *known, const struct doc *doc);
/* True if an order of that number was let in and may not be committed: documents from
 * `committed` up to `seq` are under way. */
bool known_under_way(const struct known *known, const struct doc *doc, uint64_t committed,
                     uint64_t seq);
/* Asks the database. */
enum store_known known_find(struct known *known, const struct doc *doc, struct ord_error *error);

/* Up to which order notices were delivered, and those after it. */
int64_t known_noticed(const struct known *known);
bool known_each_unnoticed(struct known *known, store_visit_fn visit, void *user,
                          struct ord_error *error);

#endif
