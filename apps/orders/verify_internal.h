/* verify_internal.h - what the two halves of the auditor share. */
#ifndef ORDERS_VERIFY_INTERNAL_H
#define ORDERS_VERIFY_INTERNAL_H

#include "verify.h"

struct sqlite3;

void verify_note(struct verify_result *result, const char *name, bool good, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* A check in SQL: the query gives a count of offences and an example. */
void verify_sql(struct sqlite3 *db, struct verify_result *result, const char *name,
                const char *sql);

#endif
