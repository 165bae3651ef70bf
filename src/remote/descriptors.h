/* remote/descriptors.h - a FileDescriptorSet of what nodes answer, put in by the build; empty where
 * there was no protoc. */
#ifndef TROUPE_REMOTE_DESCRIPTORS_H
#define TROUPE_REMOTE_DESCRIPTORS_H

#include <stddef.h>

extern const unsigned char tri_descriptors[];
extern const size_t tri_descriptors_size;

#endif
