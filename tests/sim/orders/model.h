/* model.h - the half of the oracle that decides; the other half reads the books. */
#ifndef SIM_ORDERS_MODEL_H
#define SIM_ORDERS_MODEL_H

#include "oracle.h"

/* The numbers of the reference. */
enum { SALE, CANCELLATION, ADJUSTMENT };
enum { FULFILLED, REJECTED, REFUNDED, PARKED };
enum { NONE, NOTHING_LEFT, NOT_PAID, NO_STOCK, NO_SALE, TWICE, SHORT, NO_ANSWER };
enum { SOLD, CHARGED, RETURNED, WRITTEN, DEBT, HELD_BACK, UNPAID, PAID_BACK };
enum { NO_PRICE = 8, REPEATED, BELOW_ZERO, NO_QUANTITY, PRICED_MINUS, PLUS_CANCELLED };
enum { CLEARING, SALES, CHARGES, RETURNS, HELD, RECEIVABLE, BAD_DEBT, ACCOUNTS };

/* What the books must say about one order. */
struct fate {
    int state, reason, flags;
    int64_t amount;
    int outcome[GROUP_ROWS_MAX];
    int64_t reverses[GROUP_ROWS_MAX];
    int64_t got_in[CODES];
    int64_t account[ACCOUNTS];
};

/* The orders of the first `rows` rows, in the order in which the intake completes them. */
int model_orders(const struct history *history, int rows, struct group groups[GROUPS_MAX]);
bool model_same_rows(const struct group *a, const struct group *b);
int model_kind(const struct group *group);
int64_t model_amount(const struct row *row);
/* What becomes of an order that is entered after those that the oracle has. */
void model_decide(struct oracle *oracle, const struct group *group, struct fate *ret);

#endif
