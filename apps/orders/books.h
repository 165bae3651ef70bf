/*
 * books.h - the words of the books: what kinds of orders and lines there are, how they end, and
 * the accounts. The numbers are stored in the database: append only.
 */
#ifndef ORDERS_BOOKS_H
#define ORDERS_BOOKS_H

#include <stddef.h>
#include <stdint.h>

#define ORDERS_APPLICATION_ID 0x54726f72 /* of the database: "Tror" */
#define ORDERS_SCHEMA_VERSION 1
#define ORDERS_CURRENCY "GBP"

/* What came in under one InvoiceNo. */
#define ORDER_KINDS(X)                                                 \
    X(KIND_SALE, "sale")                                               \
    X(KIND_CANCELLATION, "cancellation") /* InvoiceNo starts with C */ \
    X(KIND_ADJUSTMENT, "adjustment")     /* InvoiceNo starts with A */

/* How an order ends; exactly one of these. */
#define ORDER_STATES(X)             \
    X(STATE_FULFILLED, "fulfilled") \
    X(STATE_REJECTED, "rejected")   \
    X(STATE_REFUNDED, "refunded")   \
    X(STATE_PARKED, "parked")

/* Why an order ended as it did. */
#define ORDER_REASONS(X)                                                        \
    X(REASON_NONE, "none")                                                      \
    X(REASON_NOTHING_LEFT, "no line can be sold")                               \
    X(REASON_DECLINED, "payment declined")                                      \
    X(REASON_NO_STOCK, "out of stock after payment")                            \
    X(REASON_NO_ORIGINAL, "a cancelled line has no original sale")              \
    X(REASON_LOOKS_TWICE, "same customer, basket and amount within the window") \
    X(REASON_WRITE_OFF_SHORT, "more written off than there is")                 \
    X(REASON_PROVIDER_SILENT, "the payment provider did not answer")

/* What became of one line. Outcomes from OUTCOME_NO_PRICE on are refusals. */
#define LINE_OUTCOMES(X)                                          \
    X(OUTCOME_SOLD, "sold")                                       \
    X(OUTCOME_CHARGED, "charged, no product")                     \
    X(OUTCOME_RETURNED, "returned")                               \
    X(OUTCOME_WRITTEN_OFF, "written off")                         \
    X(OUTCOME_BAD_DEBT, "bad debt adjusted")                      \
    X(OUTCOME_PARKED, "parked")                                   \
    X(OUTCOME_NOT_PAID, "order not paid")                         \
    X(OUTCOME_REFUNDED, "refunded")                               \
    X(OUTCOME_NO_PRICE, "no price")                               \
    X(OUTCOME_DUPLICATE, "exact duplicate")                       \
    X(OUTCOME_NEGATIVE_PRICE, "negative price")                   \
    X(OUTCOME_NO_QUANTITY, "no quantity")                         \
    X(OUTCOME_PRICED_WRITE_OFF, "negative quantity with a price") \
    X(OUTCOME_POSITIVE_CANCELLATION, "cancellation of a positive quantity")

/* Ledger accounts. Amounts are signed: debits positive, credits negative. */
#define ACCOUNTS(X)                                  \
    X(ACCOUNT_CLEARING, "payment provider clearing") \
    X(ACCOUNT_SALES, "sales of goods")               \
    X(ACCOUNT_CHARGES, "postage and other charges")  \
    X(ACCOUNT_RETURNS, "returns")                    \
    X(ACCOUNT_HELD, "customer money held")           \
    X(ACCOUNT_RECEIVABLE, "receivables")             \
    X(ACCOUNT_BAD_DEBT, "bad debt adjustments")

/* Why a whole order was refused and not entered under its number. */
#define REFUSALS(X)                                               \
    X(REFUSAL_CONFLICT, "number already used with other content") \
    X(REFUSAL_SPOILED, "a line of the order cannot be read")      \
    X(REFUSAL_UNREADABLE, "line cannot be read")                  \
    X(REFUSAL_TOO_LARGE, "order is too large")

#define X(code, text) code,
enum order_kind { ORDER_KINDS(X) KIND_COUNT };
enum order_state { ORDER_STATES(X) STATE_COUNT };
enum order_reason { ORDER_REASONS(X) REASON_COUNT };
enum line_outcome { LINE_OUTCOMES(X) OUTCOME_COUNT };
enum account { ACCOUNTS(X) ACCOUNT_COUNT };
enum refusal { REFUSALS(X) REFUSAL_COUNT };
#undef X

/* What was noticed about a line or an order; several may hold. */
#define LINE_NO_DESCRIPTION 1u
#define LINE_OUTLIER 2u    /* quantity or amount beyond OUTLIER_… */
#define LINE_NO_PRODUCT 4u /* the code does not start with five digits */
#define LINE_SUB_PENCE 8u  /* the price has a third decimal */
#define ORDER_NO_CUSTOMER 1u
#define ORDER_TWO_TIMES 2u
#define ORDER_SUSPECT 4u /* its fingerprint was seen within the window */

#define OUTLIER_QUANTITY 10000 /* pieces in one line */
#define OUTLIER_PENCE 1000000  /* 10,000.00 in one line */

/* A line's id in the database: the order's id, then the line's place in it, from 0. */
#define LINE_ID_SHIFT 16
#define ORDER_LINES_MAX 65535u
#define ORDER_KEY_MAX 31u /* bytes of an InvoiceNo */

const char *ord_kind_name(int64_t kind);
const char *ord_state_name(int64_t state);
const char *ord_reason_text(int64_t reason);
const char *ord_outcome_text(int64_t outcome);
const char *ord_account_name(int64_t account);
const char *ord_refusal_text(int64_t refusal);

#endif
