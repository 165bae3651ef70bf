/*
 * generate.h - orders in the UCI Online Retail layout, made up from a seed: the same columns and
 * the same kinds of dirt in the same proportions as the real file. The same options always give
 * the same bytes.
 */
#ifndef ORDERS_GENERATE_H
#define ORDERS_GENERATE_H

#include "source.h"

struct generate_options {
    uint64_t invoices; /* at least 1 */
    uint64_t seed;
    uint32_t lines; /* of every invoice; 0: as many as real ones have; at most 1,000 */
};

#define GENERATE_INVOICES_MAX UINT64_C(100000000)
#define GENERATE_LINES_MAX 1000

/* A source of CSV text; its progress counts invoices. NULL when memory is short. */
struct ord_source *generate_open(const struct generate_options *options);

#endif
