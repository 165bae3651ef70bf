/* json.c - see json.h. */
#include "json.h"

#include "text.h"

#include <string.h>

static void put_quoted(FILE *out, const char *text)
{
    size_t size = strlen(text), length;
    fputc('"', out);
    for (; size > 0; text += length, size -= length) {
        unsigned char c = (unsigned char)*text;
        length = ord_utf8_length(text, size);
        if (length == 0) { /* A path or a damaged database: JSON has no place for such bytes. */
            fputs("\\ufffd", out);
            length = 1;
        } else if (c == '"' || c == '\\') {
            fprintf(out, "\\%c", c);
        } else if (c < 0x20) {
            fprintf(out, "\\u%04x", c);
        } else {
            fwrite(text, 1, length, out);
        }
    }
    fputc('"', out);
}

static void member(struct json *json, const char *name)
{
    if (json->depth > 0) {
        fprintf(json->out, "%s\n%*s", json->count[json->depth]++ > 0 ? "," : "", json->depth * 2,
                "");
    }
    if (name) {
        put_quoted(json->out, name);
        fputs(": ", json->out);
    }
}

void json_open(struct json *json, const char *name, char bracket)
{
    member(json, name);
    fputc(bracket, json->out);
    if (json->depth < JSON_DEPTH_MAX - 1)
        json->depth++;
    json->count[json->depth] = 0;
}

void json_close(struct json *json, char bracket)
{
    int members = json->count[json->depth];
    json->depth--;
    if (members > 0)
        fprintf(json->out, "\n%*s", json->depth * 2, "");
    fputc(bracket, json->out);
    if (json->depth == 0)
        fputc('\n', json->out);
}

void json_text(struct json *json, const char *name, const char *text)
{
    member(json, name);
    put_quoted(json->out, text);
}

void json_int(struct json *json, const char *name, int64_t number)
{
    member(json, name);
    fprintf(json->out, "%lld", (long long)number);
}

void json_bool(struct json *json, const char *name, int value)
{
    member(json, name);
    fputs(value ? "true" : "false", json->out);
}

void json_real(struct json *json, const char *name, double number)
{
    member(json, name);
    fprintf(json->out, "%.3f", number);
}
