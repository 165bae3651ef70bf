/* rules.h - what becomes of each line: pure functions. docs/guide/orders.md explains. */
#ifndef ORDERS_RULES_H
#define ORDERS_RULES_H

#include "doc.h"

/* Decides kind, outcome and flags of every line, the amount to pay, and the order's state if
 * it is decided already (rejected, parked); else state is STATE_FULFILLED for now. */
void rules_classify(struct doc *doc);

/* The order will not be carried out: gives every line that waited for it `outcome`. */
void rules_withdraw(struct doc *doc, uint8_t outcome);

/* Stock did not suffice: decides how the order ends. True: it was paid, a refund is due. */
bool rules_short(struct doc *doc);

/* Its number was used for something else: turns the order into a refusal. */
void rules_conflict(struct doc *doc);

/* Codes of goods start with five digits; all others are charges and adjustments. */
bool rules_is_product(const char *code, size_t size);

#endif
