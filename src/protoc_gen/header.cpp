// The header: what a user of the messages sees.
#include "emit.hpp"

#include <cctype>
#include <sstream>

namespace troupe_gen
{

using Type = pb::FieldDescriptor;

std::string with_ending(const std::string &proto, const std::string &ending)
{
    size_t dot = proto.rfind(".proto");
    return (dot == std::string::npos ? proto : proto.substr(0, dot)) + ending;
}

std::string scalar_type(const Model &model, const Field &field)
{
    switch (field.value->cpp_type()) {
    case Type::CPPTYPE_BOOL:
        return "bool";
    case Type::CPPTYPE_INT32:
        return "int32_t";
    case Type::CPPTYPE_UINT32:
        return "uint32_t";
    case Type::CPPTYPE_INT64:
        return "int64_t";
    case Type::CPPTYPE_UINT64:
        return "uint64_t";
    case Type::CPPTYPE_FLOAT:
        return "float";
    case Type::CPPTYPE_DOUBLE:
        return "double";
    case Type::CPPTYPE_ENUM:
        return "enum " + model.enum_name(field.value->enum_type());
    default:
        refuse(field.proto, "its type has no counterpart in C");
    }
}

// The comments that stand before and behind an element, as lines of one C comment.
template <typename Descriptor> static void emit_comment(const Descriptor *proto, Out &out)
{
    pb::SourceLocation at;
    if (!proto->GetSourceLocation(&at))
        return;
    std::istringstream all(at.leading_comments + at.trailing_comments);
    std::vector<std::string> lines;
    for (std::string line; std::getline(all, line);) {
        line.erase(0, line.find_first_not_of(" \t"));
        line.erase(line.find_last_not_of(" \t\r") + 1);
        for (size_t end; (end = line.find("*/")) != std::string::npos;)
            line.replace(end, 2, "* /");
        for (size_t begin; (begin = line.find("/*")) != std::string::npos;)
            line.replace(begin, 2, "/ *");
        if (!line.empty())
            lines.push_back(line);
    }
    if (lines.size() == 1)
        out("/* ", lines[0], " */");
    if (lines.size() < 2)
        return;
    out("/*");
    for (const std::string &line : lines)
        out(" * ", line);
    out(" */");
}

static void emit_enum(const Model &model, const pb::EnumDescriptor *proto, Out &out)
{
    std::string name = model.enum_name(proto);
    emit_comment(proto, out);
    out("enum ", name, " {");
    for (int i = 0; i < proto->value_count(); i++) {
        emit_comment(proto->value(i), out);
        int number = proto->value(i)->number();
        std::string value = number == INT32_MIN ? "-2147483647 - 1" : std::to_string(number);
        out(model.enum_value(proto->value(i)), " = ", value, ",");
    }
    out("};");
    out("extern const struct tr_enum_info ", name, "_enum;");
    out();
}

static void emit_oneof_enum(const Model &model, const Message &message,
                            const pb::OneofDescriptor *oneof, Out &out)
{
    out("enum ", model.oneof_name(oneof), " {");
    out(model.oneof_none(oneof), " = 0,");
    for (const Field &field : message.fields)
        if (field.oneof == oneof)
            out(model.oneof_case(field), " = ", std::to_string(field.proto->number()), ",");
    out("};");
    out();
}

// The element of an array of bytes has its size beside it.
static void emit_bytes(const Field &field, const std::string &suffix, const std::string &size,
                       Out &out)
{
    if (!field.repeated) {
        out("uint32_t ", field.name, "_size;");
        out("uint8_t ", field.name, "[", size, "];");
        return;
    }
    out("struct {");
    out("uint32_t size;");
    out("uint8_t data[", size, "];");
    out("} ", field.name, suffix, ";");
}

static void emit_member(const Model &model, const Field &field, Out &out)
{
    emit_comment(field.proto, out);
    std::string suffix;
    if (field.has)
        out("bool has_", field.name, ";");
    if (field.repeated)
        out("uint32_t ", field.name, "_count;");
    if (field.repeated)
        suffix = field.trailing ? "[]" : "[" + std::to_string(field.max_count) + "]";
    if (field.trailing_data()) {
        out("uint32_t ", field.name, "_size;");
        out(field.is_text() ? "char " : "uint8_t ", field.name, "[];");
    } else if (field.is_text()) {
        out("char ", field.name, suffix, "[", field.max_size + 1, "];");
    } else if (field.is_bytes()) {
        emit_bytes(field, suffix, std::to_string(field.max_size), out);
    } else if (field.is_message()) {
        out("struct ", field.message->name, " ", field.name, suffix, ";");
    } else {
        out(scalar_type(model, field), " ", field.name, suffix, ";");
    }
}

// The members of a oneof share their place; bytes in it bring their size along.
static void emit_oneof(const Model &model, const Message &message, const pb::OneofDescriptor *oneof,
                       Out &out)
{
    emit_comment(oneof, out);
    out("enum ", model.oneof_name(oneof), " ", Model::oneof_field(oneof), ";");
    out("union {");
    for (const Field &field : message.fields) {
        if (field.oneof != oneof)
            continue;
        if (field.is_bytes())
            out("struct {");
        emit_member(model, field, out);
        if (field.is_bytes())
            out("};");
    }
    out("};");
}

static void emit_struct(const Model &model, const Message &message, Out &out)
{
    std::set<const pb::OneofDescriptor *> oneofs;
    for (const Field &field : message.fields)
        if (field.oneof && oneofs.insert(field.oneof).second)
            emit_oneof_enum(model, message, field.oneof, out);
    oneofs.clear();
    emit_comment(message.proto, out);
    out("struct ", message.name, " {");
    if (message.fields.empty())
        out("char none; /* The message has no fields. */");
    for (const Field &field : message.fields)
        if (!field.oneof)
            emit_member(model, field, out);
        else if (oneofs.insert(field.oneof).second)
            emit_oneof(model, message, field.oneof, out);
    out("};");
    if (!message.map_entry)
        out("extern const struct tr_type ", message.name, "_type;");
    out("extern const struct tr_message_info ", message.name, "_info;");
    out();
}

static void emit_private(const Message &message, Out &out)
{
    if (message.trailing)
        return; // Cannot be part of another message.
    const std::string &name = message.name;
    out("uint8_t *", name, "_put_(const struct ", name, " *m, uint8_t *out);");
    out("size_t ", name, "_size_(const struct ", name, " *m);");
    out("void ", name, "_clear_(struct ", name, " *m);");
    out("tr_err ", name, "_merge_(const uint8_t *at, const uint8_t *end, struct ", name, " *m);");
}

// Those whose code is needed; nothing is stored of a wrapper but its value.
static bool has_header(const pb::FileDescriptor *file)
{
    return file->name() != "google/protobuf/wrappers.proto" &&
           file->name() != "google/protobuf/descriptor.proto" &&
           file->name() != "troupe/options.proto";
}

void emit_header(Model &model, const pb::FileDescriptor *file, Out &out)
{
    std::string guard = "TROUPE_GENERATED_";
    for (char c : file->name())
        guard += std::isalnum(static_cast<unsigned char>(c))
                     ? static_cast<char>(std::toupper(static_cast<unsigned char>(c)))
                     : '_';
    out("/* Generated by protoc-gen-troupe from ", file->name(), ". Changes will be lost. */");
    out("#ifndef ", guard);
    out("#define ", guard);
    out();
    out("#include \"troupe/codec.h\"");
    for (int i = 0; i < file->dependency_count(); i++)
        if (has_header(file->dependency(i)))
            out("#include \"", with_ending(file->dependency(i)->name(), ".troupe.h"), "\"");
    out();
    out("TR_BEGIN_DECLS");
    out("TR_BEGIN_STRUCTS_");
    out();
    for (const pb::EnumDescriptor *proto : Model::enums(file))
        emit_enum(model, proto, out);
    std::vector<Message *> messages = model.messages(file);
    for (const Message *message : messages)
        emit_struct(model, *message, out);
    out("/* For the code of files that import this one. */");
    for (const Message *message : messages)
        emit_private(*message, out);
    out();
    out("TR_END_STRUCTS_");
    out("TR_END_DECLS");
    out();
    out("#endif");
}

} // namespace troupe_gen
