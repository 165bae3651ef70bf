/*
 * payment_layouts.h - messages.PaymentMessage in both of its layouts: {order_id, user_id, amount},
 * and the one before it, {order_id, amount}. They have one name; field 2 is a text in one and a
 * float in the other, and that tells them apart.
 */
#ifndef ORDERS_NODES_PAYMENT_LAYOUTS_H
#define ORDERS_NODES_PAYMENT_LAYOUTS_H

#include "messages.troupe.h"

/* Its body is a struct messages_payment_message; of the early layout user_id is "". */
extern const struct tr_type payment_layouts_type;

#endif
