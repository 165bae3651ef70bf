// Straight-line code that reads a message: each field expects the next one behind it, and only
// what comes out of order goes through the switch.
#include "emit.hpp"

#include <algorithm>

namespace troupe_gen
{

using Type = pb::FieldDescriptor;

// ---- Clearing ---------------------------------------------------------------

static void emit_clear_field(const Message &message, const Field &field, Out &out)
{
    std::string value = "m->" + field.name;
    if (field.has)
        out("m->has_", field.name, " = false;");
    if (field.repeated)
        out(value, "_count = 0;");
    else if (field.is_bytes() || field.trailing_data())
        out(value, "_size = 0;");
    else if (field.is_text())
        out(value, "[0] = '\\0';");
    else if (field.is_message())
        out(callee("clear", *field.message, message.proto->file()), "(&", value, ");");
    else if (field.is_enum())
        out("memset(&", value, ", 0, sizeof ", value, ");");
    else
        out(value, " = 0;");
}

// Structs of a few stores are zeroed; of larger ones only what is read before it is written.
static void emit_clear(const Message &message, Out &out)
{
    const std::string &name = message.name;
    out("static void clear_", name, "(struct ", name, " *m)");
    out("{");
    out("if (sizeof *m <= 64) {");
    out("memset(m, 0, sizeof *m);");
    out("return;");
    out("}");
    std::set<const pb::OneofDescriptor *> oneofs;
    for (const Field &field : message.fields) {
        if (!field.oneof)
            emit_clear_field(message, field, out);
        else if (oneofs.insert(field.oneof).second)
            out("memset(&m->", Model::oneof_field(field.oneof), ", 0, sizeof m->",
                Model::oneof_field(field.oneof), ");");
    }
    out("}");
    out();
}

// ---- One value --------------------------------------------------------------

static void emit_check(Out &out)
{
    out("if (TR_UNLIKELY_(!at))");
    out("    return TR_EPROTO;");
}

// What was read, as a value of C.
static std::string c_value(const Model &model, const Field &field)
{
    switch (field.value->type()) {
    case Type::TYPE_BOOL:
        return "value != 0";
    case Type::TYPE_INT32:
        return "(int32_t)value";
    case Type::TYPE_UINT32:
        return "(uint32_t)value";
    case Type::TYPE_INT64:
    case Type::TYPE_SFIXED64:
        return "(int64_t)value";
    case Type::TYPE_SINT32:
        return "tr_unzigzag32_((uint32_t)value)";
    case Type::TYPE_SINT64:
        return "tr_unzigzag64_(value)";
    case Type::TYPE_SFIXED32:
        return "(int32_t)value";
    case Type::TYPE_FLOAT:
        return "tr_float_of_(value)";
    case Type::TYPE_DOUBLE:
        return "tr_double_of_(value)";
    case Type::TYPE_ENUM:
        return "(" + scalar_type(model, field) + ")(int32_t)value";
    default:
        return "value";
    }
}

static unsigned plain_kind(const Field &field)
{
    Field plain = field;
    plain.wrapped = false;
    return wire_kind(plain);
}

static void emit_take_scalar(const Model &model, const Field &field, const std::string &to,
                             const std::string &end, Out &out)
{
    unsigned kind = plain_kind(field);
    out(kind == 5 ? "uint32_t value;" : "uint64_t value;");
    out("at = tr_get_",
        kind == 0   ? "varint"
        : kind == 1 ? "fixed64"
                    : "fixed32",
        "_(at, ", end, ", &value);");
    emit_check(out);
    out(to, " = ", c_value(model, field), ";");
}

// Text or bytes of which `size` are at `at`.
static void emit_take_data(const Message &message, const Field &field, const std::string &to,
                           const std::string &size_to, Out &out)
{
    std::string room = "sizeof " + to + (field.is_text() ? " - 1" : "");
    if (field.trailing_data())
        room = "body_size - offsetof(struct " + message.name + ", " + field.name + ")" +
               (field.is_text() ? " - 1" : "");
    if (field.trailing_data() && field.is_text())
        out("if (TR_UNLIKELY_(body_size == offsetof(struct ", message.name, ", ", field.name,
            ") || size > ", room, "))");
    else
        out("if (TR_UNLIKELY_(size > ", room, "))");
    out("    return TR_EFULL;");
    if (field.is_text()) {
        out("if (TR_UNLIKELY_(!tr_take_text_(", to, ", at, size)))");
        out("    return TR_EPROTO;");
    } else {
        out("if (size > 0)");
        out("    memcpy(", to, ", at, size);");
    }
    if (field.is_bytes() || field.trailing_data())
        out(size_to, " = (uint32_t)size;");
    out("at += size;");
}

// Reads one value at `at` into `to`; `end` names what it must not go beyond.
static void emit_take_value(const Model &model, const Message &message, const Field &field,
                            const std::string &to, const std::string &size_to,
                            const std::string &end, Out &out)
{
    if (plain_kind(field) != 2) {
        emit_take_scalar(model, field, to, end, out);
        return;
    }
    out("size_t size;");
    out("at = tr_get_size_(at, ", end, ", &size);");
    emit_check(out);
    if (!field.is_message()) {
        emit_take_data(message, field, to, size_to, out);
        return;
    }
    out("tr_err err = ", callee("merge", *field.message, message.proto->file()),
        "(at, at + size, &", to, ");");
    out("if (TR_UNLIKELY_(err != TR_OK))");
    out("    return err;");
    out("at += size;");
}

// A google.protobuf.…Value: the value is field 1 of a message, and may be left out.
static void emit_take_wrapped(const Model &model, const Message &message, const Field &field,
                              const std::string &to, const std::string &size_to, Out &out)
{
    out("size_t wrapped;");
    out("at = tr_get_size_(at, end, &wrapped);");
    emit_check(out);
    out("const uint8_t *inner_end = at + wrapped;");
    out("while (at < inner_end) {");
    out("uint64_t inner_tag;");
    out("at = tr_get_varint_(at, inner_end, &inner_tag);");
    emit_check(out);
    out("if (inner_tag != ", tag_of(field.value, plain_kind(field)), ") {");
    out("at = tr_skip_(at, inner_end, inner_tag);");
    emit_check(out);
    out("continue;");
    out("}");
    emit_take_value(model, message, field, to, size_to, "inner_end", out);
    out("}");
}

// ---- One field --------------------------------------------------------------

static std::string array_room(const Message &message, const Field &field)
{
    if (!field.trailing)
        return std::to_string(field.max_count);
    return "(body_size - offsetof(struct " + message.name + ", " + field.name + ")) / sizeof m->" +
           field.name + "[0]";
}

// Makes one value absent, so that what is merged into it starts from nothing.
static void emit_clear_value(const Message &message, const Field &field, const std::string &to,
                             const std::string &size_to, Out &out)
{
    if (field.is_text() && !field.trailing_data())
        out(to, "[0] = '\\0';");
    else if (field.is_bytes())
        out(size_to, " = 0;");
    else if (field.is_message())
        out(callee("clear", *field.message, message.proto->file()), "(&", to, ");");
    else if (field.is_enum())
        out("memset(&", to, ", 0, sizeof ", to, ");");
    else
        out(to, " = 0;");
}

// An entry whose key is there already takes the older one's place.
static void emit_take_entry(const Field &field, Out &out)
{
    std::string array = "m->" + field.name, count = array + "_count";
    const Message &entry = *field.message;
    out("size_t size;");
    out("at = tr_get_size_(at, end, &size);");
    emit_check(out);
    out("if (TR_UNLIKELY_(", count, " >= ", field.max_count, "))");
    out("    return TR_EFULL;");
    out("struct ", entry.name, " *entry = &", array, "[", count, "];");
    out("clear_", entry.name, "(entry);");
    out("tr_err err = merge_", entry.name, "(at, at + size, entry);");
    out("if (TR_UNLIKELY_(err != TR_OK))");
    out("    return err;");
    out("at += size;");
    out("uint32_t i = 0;");
    out("for (; i < ", count, "; i++)");
    out("    if (",
        entry.by_number[0]->is_text() ? "strcmp(" + array + "[i].key, entry->key) == 0"
                                      : array + "[i].key == entry->key",
        ")");
    out("        break;");
    out("if (i < ", count, ")");
    out("    ", array, "[i] = *entry;");
    out("else");
    out("    ", count, "++;");
}

static void emit_take_element(const Model &model, const Message &message, const Field &field,
                              Out &out)
{
    std::string array = "m->" + field.name, count = array + "_count";
    std::string to = array + "[" + count + "]";
    std::string size_to = to + ".size";
    if (field.is_bytes())
        to += ".data";
    out("if (TR_UNLIKELY_(", count, " >= ", array_room(message, field), "))");
    out("    return TR_EFULL;");
    if (field.is_message() || field.wrapped)
        emit_clear_value(message, field, to, size_to, out);
    if (field.wrapped)
        emit_take_wrapped(model, message, field, to, size_to, out);
    else
        emit_take_value(model, message, field, to, size_to, "end", out);
    out(count, "++;");
}

static void emit_take_packed(const Model &model, const Message &message, const Field &field,
                             Out &out)
{
    std::string array = "m->" + field.name, count = array + "_count";
    out("size_t size;");
    out("at = tr_get_size_(at, end, &size);");
    emit_check(out);
    out("const uint8_t *packed_end = at + size;");
    out("while (at < packed_end) {");
    out("if (TR_UNLIKELY_(", count, " >= ", array_room(message, field), "))");
    out("    return TR_EFULL;");
    emit_take_scalar(model, field, array + "[" + count + "]", "packed_end", out);
    out(count, "++;");
    out("}");
}

static void emit_take_single(const Model &model, const Message &message, const Field &field,
                             Out &out)
{
    std::string to = "m->" + field.name, size_to = to + "_size";
    if (field.oneof) {
        std::string which = "m->" + Model::oneof_field(field.oneof);
        if (field.is_message() || field.wrapped) {
            out("if (", which, " != ", model.oneof_case(field), ") {");
            emit_clear_value(message, field, to, size_to, out);
            out("}");
        }
        out(which, " = ", model.oneof_case(field), ";");
    } else if (field.has) {
        out("m->has_", field.name, " = true;");
    }
    if (field.wrapped)
        emit_take_wrapped(model, message, field, to, size_to, out);
    else
        emit_take_value(model, message, field, to, size_to, "end", out);
}

// The tags under which a field may come: arrays of numbers packed and one by one.
static std::vector<uint64_t> tags_of(const Field &field)
{
    unsigned kind = wire_kind(field);
    if (field.repeated && kind != 2)
        return field.packed()
                   ? std::vector<uint64_t>{tag_of(field.proto, 2), tag_of(field.proto, kind)}
                   : std::vector<uint64_t>{tag_of(field.proto, kind), tag_of(field.proto, 2)};
    return {tag_of(field.proto, kind)};
}

// The tag that is expected behind a field, if it is one byte; 0: none.
static uint64_t expected_after(const Message &message, size_t index)
{
    const Field &field = *message.by_number[index];
    uint64_t tag = 0;
    if (field.repeated && !field.packed())
        tag = tags_of(field)[0];
    else if (index + 1 < message.by_number.size())
        tag = tags_of(*message.by_number[index + 1])[0];
    return tag < 0x80 ? tag : 0;
}

static void emit_case(const Model &model, const Message &message, size_t index, Out &out)
{
    const Field &field = *message.by_number[index];
    std::vector<uint64_t> tags = tags_of(field);
    bool jumped_to = (field.repeated && !field.packed() && tags[0] < 0x80) ||
                     (index > 0 && expected_after(message, index - 1) == tags[0]);
    for (uint64_t tag : tags) {
        bool packed = field.repeated && wire_kind(field) != 2 && (tag & 7) == 2;
        out("case ", tag < 0x100 ? hex(tag) : text(tag), ":");
        if (jumped_to && tag == tags[0])
            out("field_", static_cast<uint64_t>(field.proto->number()), ":");
        out("{");
        if (packed)
            emit_take_packed(model, message, field, out);
        else if (field.map)
            emit_take_entry(field, out);
        else if (field.repeated)
            emit_take_element(model, message, field, out);
        else
            emit_take_single(model, message, field, out);
        uint64_t next = tag == tags[0] ? expected_after(message, index) : 0;
        if (next) {
            out("if (at < end && *at == ", hex(next), ") {");
            out("at++;");
            out("goto field_", next >> 3, ";");
            out("}");
        }
        out("break;");
        out("}");
    }
}

// ---- The message ------------------------------------------------------------

static void emit_merge(const Model &model, const Message &message, Out &out)
{
    const std::string &name = message.name;
    out("static tr_err merge_", name, "(const uint8_t *at, const uint8_t *end, struct ", name,
        " *restrict m", message.trailing ? ", size_t body_size" : "", ")");
    out("{");
    if (message.fields.empty())
        out("(void)m;");
    out("while (at < end) {");
    out("uint64_t tag;");
    out("at = tr_get_varint_(at, end, &tag);");
    emit_check(out);
    out("switch (tag) {");
    for (size_t i = 0; i < message.by_number.size(); i++)
        emit_case(model, message, i, out);
    out("default:");
    out("at = tr_skip_(at, end, tag);");
    emit_check(out);
    out("}");
    out("}");
    out("return TR_OK;");
    out("}");
    out();
}

void emit_decode(const Model &model, const Message &message, Out &out)
{
    const std::string &name = message.name;
    emit_clear(message, out);
    emit_merge(model, message, out);
    if (message.map_entry)
        return;
    out("static tr_err decode_", name,
        "(const uint8_t *data, size_t size, void *body, size_t body_size)");
    out("{");
    out("struct ", name, " *m = (struct ", name, " *)body;");
    out("if (body_size < sizeof *m)");
    out("    return TR_EFULL;");
    out("clear_", name, "(m);");
    out("return merge_", name, "(data, data + size, m", message.trailing ? ", body_size" : "",
        ");");
    out("}");
    out();
}

// How much one occurrence of the trailing field adds to its length.
static void emit_measure_part(const Field &field, uint64_t tag, Out &out)
{
    bool packed = field.repeated && wire_kind(field) != 2 && (tag & 7) == 2;
    if (field.repeated && !packed) {
        out("length++;");
        return;
    }
    out("size_t part_size;");
    out("const uint8_t *part = tr_get_size_(at, end, &part_size);");
    out("if (!part)");
    out("    return TR_EPROTO;");
    if (!field.repeated)
        out("length = part_size > length ? part_size : length;");
    else if (wire_kind(field) == 0)
        out("length += tr_count_varints_(part, part_size);");
    else
        out("length += part_size / ", wire_kind(field) == 1 ? "8" : "4", ";");
}

void emit_measure(const Message &message, Out &out)
{
    if (!message.trailing)
        return;
    const Field &field = *message.trailing;
    const std::string &name = message.name;
    out("static tr_err measure_", name,
        "(const uint8_t *data, size_t size, size_t *ret_body_size)");
    out("{");
    out("const uint8_t *at = data, *end = data + size;");
    out("size_t length = 0;");
    out("while (at < end) {");
    out("uint64_t tag;");
    out("at = tr_get_varint_(at, end, &tag);");
    emit_check(out);
    for (uint64_t tag : tags_of(field)) {
        out("if (tag == ", tag, ") {");
        emit_measure_part(field, tag, out);
        out("}");
    }
    out("at = tr_skip_(at, end, tag);");
    emit_check(out);
    out("}");
    uint64_t limit = field.repeated ? field.max_count : field.max_size;
    if (limit) {
        out("if (length > ", limit, ")");
        out("    return TR_EFULL;");
    }
    if (field.is_text() && !field.repeated)
        out("length++; /* The NUL. */");
    out("return tr_trailing_size_(sizeof(struct ", name, "), offsetof(struct ", name, ", ",
        field.name, "),");
    out("                         sizeof(((struct ", name, " *)0)->", field.name,
        "[0]), length, ret_body_size);");
    out("}");
    out();
}

} // namespace troupe_gen
