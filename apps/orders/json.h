/* json.h - writes JSON to a stream: nesting and commas are kept track of. */
#ifndef ORDERS_JSON_H
#define ORDERS_JSON_H

#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH_MAX 8

struct json {
    FILE *out;
    int depth;
    int count[JSON_DEPTH_MAX]; /* members written so far at each depth */
};

/* name NULL inside lists and at the top; bracket '{' or '['. */
void json_open(struct json *json, const char *name, char bracket);
void json_close(struct json *json, char bracket);
void json_text(struct json *json, const char *name, const char *text);
void json_int(struct json *json, const char *name, int64_t number);
void json_bool(struct json *json, const char *name, int value);
void json_real(struct json *json, const char *name, double number);

#endif
