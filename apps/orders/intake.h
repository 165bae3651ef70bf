/*
 * intake.h - from CSV lines to documents: checks the columns, gathers the lines of an InvoiceNo,
 * finds exact duplicates and repeated baskets, and digests the content. Nothing is dropped: what
 * cannot be read becomes a refused document that says why. Memory is bounded.
 */
#ifndef ORDERS_INTAKE_H
#define ORDERS_INTAKE_H

#include "csv.h"
#include "dict.h"
#include "doc.h"

/* Invoices gathered at a time: lines of one may come between those of others. */
#define INTAKE_OPEN 4u
#define INTAKE_ORDER_BYTES_MAX (16u << 20)

struct intake_options {
    struct ord_source *source; /* borrowed, as the dictionaries are */
    const char *name;          /* of the source, for messages */
    struct dict *products;
    struct dict *countries;
    int64_t window_s; /* repeated baskets closer than this are suspect; 0: never */
};

enum intake_result {
    INTAKE_DOC,
    INTAKE_END,
    INTAKE_BROKEN /* nothing more comes; *error says why */
};

struct intake;

struct intake *intake_create(const struct intake_options *options, struct ord_error *error);
void intake_destroy(struct intake *intake);

/* Fills `doc` with the next order or refusal. */
enum intake_result intake_next(struct intake *intake, struct doc *doc, struct ord_error *error);

/* Data lines read so far, the bad ones included; empty lines and the header are none. */
uint64_t intake_lines(const struct intake *intake);

#endif
