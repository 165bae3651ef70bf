/*
 * messages.h - what the actors of the order system say to each other.
 *
 *   intake ─place→ order ─check→ validation
 *                  order ─capture, inquire, refund→ payment
 *                  order ─reserve→ inventory
 *                  order ─post→ ledger
 *                  order ─notice→ notification
 *
 * A message with a document hands the document over: see doc.h.
 */
#ifndef ORDERS_MESSAGES_H
#define ORDERS_MESSAGES_H

#include "doc.h"
#include "payment.h"

#include "troupe/troupe.h"

struct order_place {
    struct doc *doc;
};
/* Instead: an earlier run has entered this order, and its money may not be back yet. */
struct order_owes {
    int64_t id;
    int64_t pence;
    char key[ORDER_KEY_MAX + 1];
};
struct order_check {
    struct doc *doc;
};
struct order_checked {
    struct doc *doc;
};

struct payment_capture {
    char key[ORDER_KEY_MAX + 1];
    int64_t pence;
};
struct payment_inquire {
    char key[ORDER_KEY_MAX + 1];
    unsigned attempt;
};
struct payment_refund {
    char key[ORDER_KEY_MAX + 1];
    int64_t pence;
};
struct payment_result {
    enum payment_answer answer;
};
/* The provider's late answer, on its way from payment to itself. */
struct payment_due {
    tr_caller caller;
    enum payment_answer answer;
};

struct inventory_reserve {
    struct doc *doc;
};
struct inventory_reserved {
    struct doc *doc;
    bool enough;
};

struct ledger_post {
    struct doc *doc;
};
struct ledger_posted {
    int64_t id;
    uint8_t state;
};
struct ledger_noticed {
    int64_t position;
};

/* Tell the customer of order `id`. */
struct notice {
    int64_t id;
    uint8_t state;
    char key[ORDER_KEY_MAX + 1];
};
struct notice_question {
    char none;
};
struct notice_position {
    int64_t position;
    uint64_t delivered;
};

TR_TYPE(order_place);
TR_TYPE(order_owes);
TR_TYPE(order_check);
TR_TYPE(order_checked);
TR_TYPE(payment_capture);
TR_TYPE(payment_inquire);
TR_TYPE(payment_refund);
TR_TYPE(payment_result);
TR_TYPE(payment_due);
TR_TYPE(inventory_reserve);
TR_TYPE(inventory_reserved);
TR_TYPE_FLAGS(ledger_post, TR_TYPE_DURABLE);
TR_TYPE(ledger_posted);
TR_TYPE(ledger_noticed);
TR_TYPE_FLAGS(notice, TR_TYPE_DURABLE);
TR_TYPE(notice_question);
TR_TYPE(notice_position);

#endif
