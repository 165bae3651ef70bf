/*
 * window.h - the named actors through which programs on Proto.Actor look at what a node knows:
 * they answer, and change nothing. Orders come in by the actor `order` alone (door.h).
 *
 *   validation    OrderMessage         → ValidationMessage: would it be taken in?
 *   payment       PaymentMessage       → LedgerMessage: what was captured for that order
 *   inventory     InventoryMessage     → InventoryMessage: how many of that item are on hand
 *   ledger        LedgerMessage        → LedgerMessage: amount and state of that order
 *   notification  NotificationMessage  → NotificationMessage: that user's last order, and its end
 */
#ifndef ORDERS_NODES_WINDOW_H
#define ORDERS_NODES_WINDOW_H

#include "nodes/outbox.h"

#include "troupe/troupe.h"

#define WINDOW_PATH_MAX 1023u

/* Spawns the windows of that role, which read the node's database at `path` on offload threads.
 * False: *error says which cannot start. */
bool windows_open(tr_ctx *root, enum node_role role, const char *path, struct ord_error *error);

#endif
