// The fields as data, and what ties it all together: struct tr_type.
#include "emit.hpp"
#include "troupe/options.pb.h"

namespace troupe_gen
{

using Type = pb::FieldDescriptor;

void emit_enum_info(const Model &model, const pb::EnumDescriptor *proto, Out &out)
{
    std::string name = model.enum_name(proto);
    out("static const struct tr_enum_value values_", name, "[] = {");
    for (int i = 0; i < proto->value_count(); i++)
        out("{\"", proto->value(i)->name(), "\", ", model.enum_value(proto->value(i)), "},");
    out("};");
    out("const struct tr_enum_info ", name, "_enum = {");
    out("\"", proto->full_name(), "\", values_", name, ", ",
        static_cast<uint64_t>(proto->value_count()));
    out("};");
    out("_Static_assert(sizeof(enum ", name, ") == 4, \"an enum of protobuf has 4 bytes\");");
    out();
}

static std::string kind_name(const Field &field)
{
    switch (field.value->cpp_type()) {
    case Type::CPPTYPE_BOOL:
        return "BOOL";
    case Type::CPPTYPE_INT32:
        return "INT32";
    case Type::CPPTYPE_UINT32:
        return "UINT32";
    case Type::CPPTYPE_INT64:
        return "INT64";
    case Type::CPPTYPE_UINT64:
        return "UINT64";
    case Type::CPPTYPE_FLOAT:
        return "FLOAT";
    case Type::CPPTYPE_DOUBLE:
        return "DOUBLE";
    case Type::CPPTYPE_ENUM:
        return "ENUM";
    case Type::CPPTYPE_MESSAGE:
        return "MESSAGE";
    default:
        return field.is_text() ? "STRING" : "BYTES";
    }
}

static std::string flags_of(const Field &field)
{
    std::string flags;
    auto add = [&](bool set, const char *flag) {
        if (set)
            flags += (flags.empty() ? "" : " | ") + std::string("TR_FIELD_") + flag;
    };
    add(field.repeated, "REPEATED");
    add(field.map, "MAP");
    add(field.has, "OPTIONAL");
    add(field.oneof, "ONEOF");
    add(field.trailing, "TRAILING");
    add(field.wrapped, "WRAPPED");
    return flags.empty() ? "0" : flags;
}

static void emit_field(const Model &model, const Message &message, const Field &field, Out &out)
{
    auto offset = [&](const std::string &member) {
        return "offsetof(struct " + message.name + ", " + member + ")";
    };
    std::string nowhere = "TR_FIELD_NOWHERE";
    std::string presence = field.repeated ? offset(field.name + "_count")
                           : field.has    ? offset("has_" + field.name)
                           : field.oneof  ? offset(Model::oneof_field(field.oneof))
                                          : nowhere;
    bool sized = (field.is_bytes() && !field.repeated) || field.trailing_data();
    std::string size_at = sized ? offset(field.name + "_size") : field.is_bytes() ? "0" : nowhere;
    std::string one = field.name + (field.repeated || field.trailing ? "[0]" : "");
    out("{");
    out(".name = \"", field.proto->name(), "\",");
    out(".json_name = \"", field.proto->json_name(), "\",");
    out(".number = ", static_cast<uint64_t>(field.proto->number()), ",");
    out(".kind = TR_FIELD_", kind_name(field), ",");
    out(".flags = ", flags_of(field), ",");
    out(".offset = ", offset(field.name), ",");
    out(".stride = sizeof(((struct ", message.name, " *)0)->", one, "),");
    out(".presence = ", presence, ",");
    out(".size_at = ", size_at, ",");
    out(".data_at = ", field.is_bytes() && field.repeated ? "sizeof(uint32_t)" : "0", ",");
    out(".count_max = ", field.max_count, ",");
    out(".size_max = ", field.max_size, ",");
    if (field.message)
        out(".message = &", field.message->name, "_info,");
    if (field.is_enum())
        out(".enumeration = &", model.enum_name(field.value->enum_type()), "_enum,");
    out("},");
}

static void emit_type(const Message &message, Out &out)
{
    const std::string &name = message.name;
    const troupe::MessageSettings &settings = message.proto->options().GetExtension(
        troupe::message);
    std::string flags = settings.control() && settings.durable()
                            ? "TR_TYPE_CONTROL | TR_TYPE_DURABLE"
                        : settings.control() ? "TR_TYPE_CONTROL"
                        : settings.durable() ? "TR_TYPE_DURABLE"
                                             : "0";
    out("static const struct tr_codec codec_", name, " = {");
    if (message.encoded_max)
        out(".encoded_size_max = ", message.encoded_max, " + TR_ENCODE_SLACK_,");
    out(".encoded_size = encoded_size_", name, ",");
    out(".encode = encode_", name, ",");
    if (message.trailing)
        out(".measure = measure_", name, ",");
    out(".decode = decode_", name, ",");
    out(".info = &", name, "_info,");
    out("};");
    out();
    out("const struct tr_type ", name, "_type = {");
    out(".name = \"", message.proto->full_name(), "\",");
    out(".size = sizeof(struct ", name, "),");
    out(".codec = &codec_", name, ",");
    out(".flags = ", flags, ",");
    out("};");
    out("_Static_assert(sizeof(struct ", name,
        ") <= TR_MESSAGE_SIZE_MAX, \"the struct is too large for a message: lower its bounds\");");
    out();
}

void emit_info(const Model &model, const Message &message, Out &out)
{
    const std::string &name = message.name;
    if (!message.fields.empty()) {
        out("static const struct tr_field fields_", name, "[] = {");
        for (const Field *field : message.by_number)
            emit_field(model, message, *field, out);
        out("};");
    }
    out("const struct tr_message_info ", name, "_info = {");
    out(".name = \"", message.proto->full_name(), "\",");
    out(".size = sizeof(struct ", name, "),");
    out(".fields = ", message.fields.empty() ? "NULL" : "fields_" + name, ",");
    out(".field_count = ", static_cast<uint64_t>(message.fields.size()), ",");
    out("};");
    out();
    if (!message.map_entry)
        emit_type(message, out);
}

} // namespace troupe_gen
