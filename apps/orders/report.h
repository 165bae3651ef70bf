/* report.h - what the books say, for people or as JSON. */
#ifndef ORDERS_REPORT_H
#define ORDERS_REPORT_H

#include "flow.h"
#include "verify.h"

#include <stdio.h>

/* Prints what is in the database, and what the run did if `run` is given. The same books give
 * the same text. False: the database cannot be read. *ret_balanced: debits equal credits. */
bool report_books(FILE *out, const char *path, bool json, const struct flow_result *run,
                  bool *ret_balanced, struct ord_error *error);

void report_verified(FILE *out, const char *path, bool json, const struct verify_result *result);

#endif
