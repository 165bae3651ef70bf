/* verify.h - checks every promise of the books from the database alone. Shares no code, not even
 * a header, with what wrote them: its only knowledge is docs/reference/orders-ledger.md. */
#ifndef ORDERS_VERIFY_H
#define ORDERS_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#define VERIFY_CHECKS_MAX 64
#define VERIFY_TEXT_SIZE 240

struct verify_check {
    const char *name;
    bool good;
    char detail[VERIFY_TEXT_SIZE]; /* what was found; for a failed one: the first offence */
};

struct verify_result {
    int count, failed;
    struct verify_check check[VERIFY_CHECKS_MAX];
};

/* False when the database cannot be read at all; `why` (VERIFY_TEXT_SIZE bytes) says so. */
bool verify_books(const char *path, struct verify_result *ret_result, char *why);

/* Adds checks of three nodes' databases against each other: of a ledger, whose books
 * verify_books() has checked, a gateway and a processing node. Everything is as it must be only
 * when nothing is under way. False as above. */
bool verify_nodes(const char *ledger, const char *gateway, const char *processing,
                  struct verify_result *result, char *why);

#endif
