/*
 * schema.h - message types that are known at run time only: out of descriptor sets and .proto
 * files, on protobuf's own library. The well-known wrappers and Empty are always known.
 *
 * Not for several threads at once. `error` gets a sentence.
 */
#ifndef TROUPE_CLI_SCHEMA_H
#define TROUPE_CLI_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct schema;

struct schema_error {
    char text[512];
};

enum schema_format { SCHEMA_JSON, SCHEMA_TEXT };

struct schema *schema_create(void);
/* NULL is fine. */
void schema_destroy(struct schema *schema);

/* A google.protobuf.FileDescriptorSet, as protoc --descriptor_set_out writes it. */
bool schema_add_set(struct schema *schema, const char *path, struct schema_error *error);
/* A .proto file; what it imports is looked for in `folders` (NULL-terminated), then beside it. */
bool schema_add_proto(struct schema *schema, const char *path, const char *const *folders,
                      struct schema_error *error);

/* After the last file: how many message types there are, and their full names. */
size_t schema_count(struct schema *schema);
const char *schema_name(struct schema *schema, size_t index);
bool schema_has(struct schema *schema, const char *type);

/* The protobuf encoding of a message given as text; to be freed with free(). */
bool schema_encode(struct schema *schema, const char *type, const char *text,
                   enum schema_format format, uint8_t **ret_data, size_t *ret_size,
                   struct schema_error *error);
/* The other way round: NULL when `data` is no such message; to be freed with free(). */
char *schema_decode(struct schema *schema, const char *type, const uint8_t *data, size_t size,
                    enum schema_format format);

#ifdef __cplusplus
}
#endif

#endif
