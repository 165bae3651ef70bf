/* window.c - see window.h. Each question is read from the database on an offload thread. */
#include "nodes/window.h"

#include "books.h"
#include "nodes/door.h"
#include "nodes/payment_layouts.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#define BUSY_MS 200
/* Questions that are being read, per window; more are answered that it is busy. */
#define WINDOW_OPEN_MAX 256u

enum window_kind { VALIDATION, PAYMENT, INVENTORY, LEDGER, NOTIFICATION, WINDOWS };

struct window_args {
    enum window_kind kind;
    char path[WINDOW_PATH_MAX + 1];
};

/* A question on its way to the database, and its answer on the way back. */
struct window_question {
    enum window_kind kind;
    tr_caller caller;
    char key[DOOR_TEXT_MAX + 1];  /* of what is asked for */
    char also[DOOR_TEXT_MAX + 1]; /* goes back with the answer */
    char path[WINDOW_PATH_MAX + 1];
};
struct window_answer {
    enum window_kind kind;
    tr_caller caller;
    char key[DOOR_TEXT_MAX + 1], also[DOOR_TEXT_MAX + 1];
    int64_t number;
    char text[256];
};
TR_TYPE(window_question);
TR_TYPE(window_answer);

struct window {
    struct window_args args;
    unsigned open;
};

static const struct {
    const char *name;
    enum node_role role;
    const char *sql; /* one parameter; number, state, text */
} windows[WINDOWS] = {
    [VALIDATION] = {"validation", ROLE_PROCESSING, NULL},
    [PAYMENT] = {"payment", ROLE_PROCESSING,
                 "SELECT amount * paid, state, CASE WHEN paid THEN 'paid' WHEN reason = 2 THEN"
                 " 'declined' ELSE 'not paid' END FROM orders WHERE key = ?"},
    [INVENTORY] = {"inventory", ROLE_LEDGER,
                   "SELECT on_hand, NULL, description FROM products WHERE code = ?"},
    [LEDGER] = {"ledger", ROLE_LEDGER, "SELECT amount, state, NULL FROM orders WHERE key = ?"},
    [NOTIFICATION] = {"notification", ROLE_LEDGER,
                      "SELECT id, state, key FROM orders WHERE customer = CAST(? AS INTEGER)"
                      " AND customer > 0 ORDER BY id DESC LIMIT 1"},
};

/* ---- On an offload thread -------------------------------------------------- */

static void fill_in(struct window_answer *answer, sqlite3_stmt *query)
{
    const char *text = (const char *)sqlite3_column_text(query, 2);
    const char *state = sqlite3_column_type(query, 1) == SQLITE_NULL
                            ? ""
                            : ord_state_name(sqlite3_column_int64(query, 1));
    answer->number = sqlite3_column_int64(query, 0);
    if (answer->kind == NOTIFICATION)
        snprintf(answer->text, sizeof(answer->text), "order %s: %s", text ? text : "?", state);
    else
        snprintf(answer->text, sizeof(answer->text), "%s", text ? text : state);
}

static tr_err look_up(const void *arg, void *result)
{
    const struct window_question *question = arg;
    struct window_answer *answer = result;
    sqlite3 *db = NULL;
    sqlite3_stmt *query = NULL;
    *answer = (struct window_answer){.kind = question->kind, .caller = question->caller};
    memcpy(answer->key, question->key, sizeof(answer->key));
    memcpy(answer->also, question->also, sizeof(answer->also));
    snprintf(answer->text, sizeof(answer->text), "unknown");
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(question->path, &db, flags, NULL) == SQLITE_OK) {
        sqlite3_busy_timeout(db, BUSY_MS);
        int step = SQLITE_ERROR;
        if (sqlite3_prepare_v2(db, windows[question->kind].sql, -1, &query, NULL) == SQLITE_OK) {
            sqlite3_bind_text(query, 1, question->key, -1, SQLITE_STATIC);
            step = sqlite3_step(query);
        }
        if (step == SQLITE_ROW)
            fill_in(answer, query);
        else if (step != SQLITE_DONE)
            snprintf(answer->text, sizeof(answer->text), "cannot be read now");
        sqlite3_finalize(query);
    } else {
        snprintf(answer->text, sizeof(answer->text), "cannot be read now");
    }
    sqlite3_close(db);
    return TR_OK;
}

/* ---- The actor ------------------------------------------------------------- */

static tr_err window_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    ((struct window *)state)->args = *(const struct window_args *)arg;
    return TR_OK;
}

static void answer_with(tr_ctx *ctx, const struct window_answer *answer)
{
    struct messages_ledger_message ledger = {.amount = (float)((double)answer->number / 100)};
    struct messages_inventory_message inventory = {.quantity = (int32_t)answer->number};
    struct messages_notification_message notification = {.user_id = ""};
    switch (answer->kind) {
    case INVENTORY:
        memcpy(inventory.item_id, answer->key, sizeof(inventory.item_id));
        memcpy(inventory.order_id, answer->also, sizeof(inventory.order_id));
        tr_reply_to_(ctx, answer->caller, &messages_inventory_message_type, &inventory,
                     sizeof(inventory));
        break;
    case NOTIFICATION:
        memcpy(notification.user_id, answer->key, sizeof(notification.user_id));
        snprintf(notification.message, sizeof(notification.message), "%.255s", answer->text);
        tr_reply_to_(ctx, answer->caller, &messages_notification_message_type, &notification,
                     sizeof(notification));
        break;
    default:
        memcpy(ledger.order_id, answer->key, sizeof(ledger.order_id));
        snprintf(ledger.status, sizeof(ledger.status), "%.63s", answer->text);
        tr_reply_to_(ctx, answer->caller, &messages_ledger_message_type, &ledger, sizeof(ledger));
    }
}

static tr_err ask(tr_ctx *ctx, struct window *self, const char *key, const char *also)
{
    struct window_question question = {.kind = self->args.kind, .caller = tr_caller_of(ctx)};
    if (tr_pid_is_nobody(question.caller.pid))
        return TR_OK; /* Nobody wants to know. */
    snprintf(question.key, sizeof(question.key), "%.63s", key);
    snprintf(question.also, sizeof(question.also), "%.63s", also);
    memcpy(question.path, self->args.path, sizeof(question.path));
    if (self->open == WINDOW_OPEN_MAX) {
        struct window_answer busy = {.kind = question.kind, .caller = question.caller};
        memcpy(busy.key, question.key, sizeof(busy.key));
        memcpy(busy.also, question.also, sizeof(busy.also));
        snprintf(busy.text, sizeof(busy.text), "busy, ask again");
        answer_with(ctx, &busy);
        return TR_OK;
    }
    self->open++;
    tr_offload_(ctx, look_up, &window_answer_type, &window_question_type, &question,
                sizeof(question));
    return TR_OK;
}

static tr_err on_order(tr_ctx *ctx, const struct messages_order_message *msg)
{
    struct messages_validation_message answer = {.is_valid = false};
    memcpy(answer.order_id, msg->order_id, sizeof(answer.order_id));
    answer.is_valid = door_refusal(msg->order_id, msg->amount) == NULL;
    if (!tr_pid_is_nobody(tr_caller_of(ctx).pid))
        tr_reply_(ctx, &messages_validation_message_type, &answer, sizeof(answer));
    return TR_OK;
}

static tr_err window_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    struct window *self = state;
    enum window_kind kind = self->args.kind;
    const void *body = tr_msg_body(msg);
    if (msg->type == &window_answer_type) {
        self->open--;
        answer_with(ctx, body);
        return TR_OK;
    }
    if (msg->type == &tr_request_failed_type) {
        self->open--; /* Whoever asked gets no answer, and knows what that means. */
        return TR_OK;
    }
    if (kind == VALIDATION && msg->type == &messages_order_message_type)
        return on_order(ctx, body);
    if (kind == PAYMENT && msg->type == &payment_layouts_type)
        return ask(ctx, self, ((const struct messages_payment_message *)body)->order_id, "");
    if (kind == INVENTORY && msg->type == &messages_inventory_message_type)
        return ask(ctx, self, ((const struct messages_inventory_message *)body)->item_id,
                   ((const struct messages_inventory_message *)body)->order_id);
    if (kind == LEDGER && msg->type == &messages_ledger_message_type)
        return ask(ctx, self, ((const struct messages_ledger_message *)body)->order_id, "");
    if (kind == NOTIFICATION && msg->type == &messages_notification_message_type)
        return ask(ctx, self, ((const struct messages_notification_message *)body)->user_id, "");
    return tr_unhandled(ctx);
}

static const struct tr_actor window_actor = {
    .name = "window",
    .state_size = sizeof(struct window),
    .arg_size = sizeof(struct window_args),
    .init = window_init,
    .receive = window_receive,
};

bool windows_open(tr_ctx *root, enum node_role role, const char *path, struct ord_error *error)
{
    for (int kind = 0; kind < WINDOWS; kind++) {
        struct window_args args = {.kind = (enum window_kind)kind};
        if (windows[kind].role != role)
            continue;
        if (strlen(path) > WINDOW_PATH_MAX)
            return ord_fail(error, "the path '%.60s…' is too long", path);
        memcpy(args.path, path, strlen(path) + 1);
        tr_pid pid = tr_spawn(root, &window_actor, .name = windows[kind].name, .arg = &args);
        if (tr_pid_is_nobody(pid))
            return ord_fail(error, "actor '%s' cannot start: %s", windows[kind].name,
                            tr_strerror(tr_pid_err(pid)));
    }
    return true;
}
