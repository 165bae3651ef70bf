/* books.c - names of the numbers that are stored. */
#include "books.h"

#define X(code, text) text,
static const char *const kinds[] = {ORDER_KINDS(X)};
static const char *const states[] = {ORDER_STATES(X)};
static const char *const reasons[] = {ORDER_REASONS(X)};
static const char *const outcomes[] = {LINE_OUTCOMES(X)};
static const char *const accounts[] = {ACCOUNTS(X)};
static const char *const refusals[] = {REFUSALS(X)};
#undef X

/* A database may hold anything: numbers out of range get a name too. */
#define NAME_IN(names, index) \
    ((index) >= 0 && (size_t)(index) < sizeof(names) / sizeof(names[0]) ? names[index] : "unknown")

const char *ord_kind_name(int64_t kind)
{
    return NAME_IN(kinds, kind);
}

const char *ord_state_name(int64_t state)
{
    return NAME_IN(states, state);
}

const char *ord_reason_text(int64_t reason)
{
    return NAME_IN(reasons, reason);
}

const char *ord_outcome_text(int64_t outcome)
{
    return NAME_IN(outcomes, outcome);
}

const char *ord_account_name(int64_t account)
{
    return NAME_IN(accounts, account);
}

const char *ord_refusal_text(int64_t refusal)
{
    return NAME_IN(refusals, refusal);
}
