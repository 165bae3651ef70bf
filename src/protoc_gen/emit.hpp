// emit.hpp - what is written for each message. All take the model and the text to write to.
#ifndef PROTOC_GEN_EMIT_HPP
#define PROTOC_GEN_EMIT_HPP

#include "model.hpp"
#include "out.hpp"

namespace troupe_gen
{

// The header of a file: enums, structs, descriptors.
void emit_header(Model &model, const pb::FileDescriptor *file, Out &out);

// Functions of one message in the source.
void emit_encode(const Model &model, const Message &message, Out &out);
void emit_size(const Model &model, const Message &message, Out &out);
void emit_decode(const Model &model, const Message &message, Out &out);
void emit_measure(const Message &message, Out &out);
// Field tables and the descriptor.
void emit_enum_info(const Model &model, const pb::EnumDescriptor *proto, Out &out);
void emit_info(const Model &model, const Message &message, Out &out);

// The file's name with another ending.
std::string with_ending(const std::string &proto, const std::string &ending);
// The C type of one value that is neither text, bytes nor message.
std::string scalar_type(const Model &model, const Field &field);
// The tag of the field on the wire; `kind` is the wire type.
uint64_t tag_of(const pb::FieldDescriptor *proto, unsigned kind);
// The wire type of one value.
unsigned wire_kind(const Field &field);
// The last two digits of a number, as C writes them.
std::string hex(uint64_t byte);
// Statements that write a tag to `out`.
void emit_tag(uint64_t tag, Out &out);
// How functions of other files are called: this file's are static, and inlined where it pays.
std::string callee(const char *what, const Message &message, const pb::FileDescriptor *from);

} // namespace troupe_gen

#endif
