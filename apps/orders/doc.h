/*
 * doc.h - one order on its way through the actors. A document is held by exactly one actor (or
 * the intake, or the ledger's writer) at a time and handed on by message: whoever has sent it
 * on does not touch it again. Its memory belongs to the intake and is used again once the
 * ledger has committed it.
 */
#ifndef ORDERS_DOC_H
#define ORDERS_DOC_H

#include "books.h"
#include "text.h"

#include "troupe/message.h"

#define CONTENT_SIZE 32 /* SHA-256 */
#define DOC_EXCERPT_SIZE 160

struct doc_line {
    int64_t price;    /* 1/1000 pound */
    int64_t amount;   /* pence */
    int64_t reverses; /* id of the sold line that this one takes back; 0: none */
    uint32_t product;
    int32_t quantity;
    int32_t received; /* pieces that inventory had to get in to serve this line */
    uint8_t outcome;  /* enum line_outcome */
    uint8_t flags;    /* LINE_… */
};

enum doc_what { DOC_ORDER, DOC_REFUSED };

struct doc {
    uint64_t seq; /* place in the intake's order, from 0 */
    enum doc_what what;
    uint8_t kind, state, reason, flags, refusal;
    bool paid;    /* a capture has succeeded */
    bool resumed; /* a process that died may have asked for a capture: ask about it first */
    char key[ORDER_KEY_MAX + 1];
    uint8_t content[CONTENT_SIZE];
    uint32_t customer; /* 0: none */
    uint32_t country;
    int64_t placed_at;
    int64_t amount; /* pence to be paid: sum of the lines sold and charged */
    uint64_t source_line;
    uint64_t started_ns;     /* when the intake let it in */
    uint32_t products_known; /* words of the dictionaries that it may use */
    uint32_t countries_known;
    uint32_t lines;
    uint32_t lines_max; /* room in line[] */
    struct doc_line *line;
    char excerpt[DOC_EXCERPT_SIZE]; /* DOC_REFUSED: why, with the line number */
    tr_pid order;                   /* the actor that waits for it */
};

/* Makes room for at least `lines` lines; false when memory is short. */
bool doc_reserve(struct doc *doc, uint32_t lines);

#endif
