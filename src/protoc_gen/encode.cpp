// Straight-line code that writes a message, and that tells how long it will be.
#include "emit.hpp"

namespace troupe_gen
{

using Type = pb::FieldDescriptor;

uint64_t tag_of(const Type *proto, unsigned kind)
{
    return static_cast<uint64_t>(proto->number()) << 3 | kind;
}

unsigned wire_kind(const Field &field)
{
    if (field.wrapped)
        return 2;
    switch (field.value->type()) {
    case Type::TYPE_FIXED64:
    case Type::TYPE_SFIXED64:
    case Type::TYPE_DOUBLE:
        return 1;
    case Type::TYPE_STRING:
    case Type::TYPE_BYTES:
    case Type::TYPE_MESSAGE:
        return 2;
    case Type::TYPE_FIXED32:
    case Type::TYPE_SFIXED32:
    case Type::TYPE_FLOAT:
        return 5;
    default:
        return 0;
    }
}

std::string hex(uint64_t byte)
{
    static const char digits[] = "0123456789abcdef";
    return std::string("0x") + digits[byte >> 4 & 15] + digits[byte & 15];
}

void emit_tag(uint64_t tag, Out &out)
{
    for (; tag >= 0x80; tag >>= 7)
        out("*out++ = ", hex((tag & 0x7F) | 0x80), ";");
    out("*out++ = ", hex(tag), ";");
}

std::string callee(const char *what, const Message &message, const pb::FileDescriptor *from)
{
    if (message.proto->file() == from)
        return std::string(what) + "_" + message.name;
    return message.name + "_" + what + "_";
}

// The number that goes out as a varint or in 4 or 8 bytes.
static std::string wire_value(const Field &field, const std::string &value)
{
    switch (field.value->type()) {
    case Type::TYPE_INT32:
        return "(uint64_t)(int64_t)" + value;
    case Type::TYPE_ENUM:
        return "(uint64_t)(int64_t)(int32_t)" + value;
    case Type::TYPE_INT64:
    case Type::TYPE_SFIXED64:
        return "(uint64_t)" + value;
    case Type::TYPE_SFIXED32:
        return "(uint32_t)" + value;
    case Type::TYPE_SINT32:
        return "tr_zigzag32_(" + value + ")";
    case Type::TYPE_SINT64:
        return "tr_zigzag64_(" + value + ")";
    case Type::TYPE_FLOAT:
        return "tr_float_bits_(" + value + ")";
    case Type::TYPE_DOUBLE:
        return "tr_double_bits_(" + value + ")";
    default:
        return value;
    }
}

static std::string scalar_put(const Field &field, const std::string &value)
{
    std::string wire = wire_value(field, value);
    Field plain = field;
    plain.wrapped = false;
    switch (wire_kind(plain)) {
    case 1:
        return "out = tr_put_fixed64_(out, " + wire + ");";
    case 5:
        return "out = tr_put_fixed32_(out, " + wire + ");";
    default:
        return field.is(Type::TYPE_BOOL) ? "*out++ = " + value + " ? 1 : 0;"
                                         : "out = tr_put_number_(out, " + wire + ");";
    }
}

static std::string scalar_size(const Field &field, const std::string &value)
{
    Field plain = field;
    plain.wrapped = false;
    switch (wire_kind(plain)) {
    case 1:
        return "8";
    case 5:
        return "4";
    default:
        return field.is(Type::TYPE_BOOL) ? "1"
                                         : "tr_varint_size_(" + wire_value(field, value) + ")";
    }
}

// What must hold for a value to be written where its absence means the default.
static std::string is_set(const Field &field, const std::string &value)
{
    if (field.is(Type::TYPE_FLOAT) || field.is(Type::TYPE_DOUBLE))
        return wire_value(field, value) + " != 0";
    return value + (field.is(Type::TYPE_BOOL) ? "" : " != 0");
}

// Where a value is: the expressions for it, and of bytes and trailing text for its size.
struct Place {
    std::string value, size;
};

static Place place(const Field &field)
{
    std::string value = "m->" + field.name;
    if (field.repeated) {
        value += "[i]";
        return field.is_bytes() ? Place{value + ".data", value + ".size"} : Place{value, ""};
    }
    return {value, value + "_size"};
}

// ---- Writing ----------------------------------------------------------------

static uint64_t inner_tag(const Field &field, bool inner)
{
    Field plain = field;
    plain.wrapped = false;
    return tag_of(inner ? field.value : field.proto, wire_kind(plain));
}

// Tag and value. `unless_default`: nothing for 0 and the empty text. `inner`: in a wrapper.
static void emit_put_value(const Message &message, const Field &field, const Place &at,
                           bool unless_default, bool inner, Out &out)
{
    uint64_t tag = inner_tag(field, inner);
    auto begin = [&](const std::string &condition) {
        if (unless_default)
            out("if (", condition, ") {");
        emit_tag(tag, out);
    };
    auto check = [&] {
        out("if (TR_UNLIKELY_(!out))");
        out("    return NULL;");
    };
    if (field.is_message()) {
        out("{");
        emit_tag(tag, out);
        out("uint8_t *begin = out + 1;");
        out("out = ", callee("put", *field.message, message.proto->file()), "(&", at.value,
            ", begin);");
        check();
        out("out = tr_put_size_before_(begin, out);");
        out("}");
        return;
    }
    if (field.is_text() && !field.trailing_data()) {
        out("{");
        out("bool ascii;");
        out("size_t size = tr_text_size_(", at.value, ", sizeof ", at.value, ", &ascii);");
        out("if (TR_UNLIKELY_(size == sizeof ", at.value, "))");
        out("    return NULL; /* Longer than its bound. */");
        begin("size > 0");
        out("out = tr_put_text_(out, ", at.value, ", sizeof ", at.value, ", size, ascii);");
        check();
    } else if (field.is_text()) {
        begin(at.size + " > 0");
        out("out = tr_put_text_(out, ", at.value, ", ", at.size, ", ", at.size, ", false);");
        check();
    } else if (field.is_bytes()) {
        if (!field.trailing) {
            out("if (TR_UNLIKELY_(", at.size, " > sizeof ", at.value, "))");
            out("    return NULL; /* Longer than its bound. */");
        }
        begin(at.size + " > 0");
        out("out = tr_put_bytes_(out, ", at.value, ", ", at.size, ");");
    } else {
        begin(is_set(field, at.value));
        out(scalar_put(field, at.value));
    }
    if (unless_default)
        out("}");
    if (field.is_text() && !field.trailing_data())
        out("}");
}

static void emit_put_one(const Message &message, const Field &field, bool unless_default, Out &out)
{
    if (!field.wrapped) {
        emit_put_value(message, field, place(field), unless_default, false, out);
        return;
    }
    out("{");
    emit_tag(tag_of(field.proto, 2), out);
    out("uint8_t *wrapped = ++out;");
    emit_put_value(message, field, place(field), true, true, out);
    out("out = tr_put_size_before_(wrapped, out);");
    out("}");
}

static void emit_put_array(const Message &message, const Field &field, Out &out)
{
    std::string count = "m->" + field.name + "_count";
    if (!field.trailing) {
        out("if (TR_UNLIKELY_(", count, " > ", field.max_count, "))");
        out("    return NULL; /* More than its bound. */");
    }
    if (!field.packed()) {
        out("for (uint32_t i = 0; i < ", count, "; i++) {");
        emit_put_one(message, field, false, out);
        out("}");
        return;
    }
    out("if (", count, " > 0) {");
    emit_tag(tag_of(field.proto, 2), out);
    unsigned kind = wire_kind(field);
    if (kind == 0)
        out("uint8_t *begin = ++out;");
    else
        out("out = tr_put_varint_(out, (uint64_t)", count, " * ", kind == 1 ? "8" : "4", ");");
    out("for (uint32_t i = 0; i < ", count, "; i++)");
    out("    ", scalar_put(field, place(field).value));
    if (kind == 0)
        out("out = tr_put_size_before_(begin, out);");
    out("}");
}

static void emit_put_field(const Model &model, const Message &message, const Field &field, Out &out)
{
    if (field.repeated) {
        emit_put_array(message, field, out);
        return;
    }
    bool guarded = field.oneof || field.has;
    if (field.oneof)
        out("if (m->", Model::oneof_field(field.oneof), " == ", model.oneof_case(field), ") {");
    else if (field.has)
        out("if (m->has_", field.name, ") {");
    emit_put_one(message, field, !guarded && !field.always, out);
    if (guarded)
        out("}");
}

// A case that there is not has no encoding.
static void emit_check_cases(const Model &model, const Message &message, Out &out)
{
    std::set<const pb::OneofDescriptor *> seen;
    for (const Field &first : message.fields) {
        if (!first.oneof || !seen.insert(first.oneof).second)
            continue;
        out("switch (m->", Model::oneof_field(first.oneof), ") {");
        out("case ", model.oneof_none(first.oneof), ":");
        for (const Field &field : message.fields)
            if (field.oneof == first.oneof)
                out("case ", model.oneof_case(field), ":");
        out("break;");
        out("default:");
        out("return NULL;");
        out("}");
    }
}

static std::string trailing_room(const Message &message)
{
    const std::string &field = message.trailing->name;
    return "(body_size - offsetof(struct " + message.name + ", " + field + ")) / sizeof m->" +
           field + "[0]";
}

static std::string trailing_length(const Message &message)
{
    return "m->" + message.trailing->name + (message.trailing->repeated ? "_count" : "_size");
}

void emit_encode(const Model &model, const Message &message, Out &out)
{
    const std::string &name = message.name;
    std::string size = message.trailing ? ", size_t body_size" : "";
    out("static uint8_t *put_", name, "(const struct ", name, " *restrict m", size,
        ", uint8_t *restrict out)");
    out("{");
    if (message.fields.empty())
        out("(void)m;");
    if (message.trailing) {
        out("if (TR_UNLIKELY_(", trailing_length(message), " > ", trailing_room(message), "))");
        out("    return NULL; /* Longer than the body. */");
    }
    emit_check_cases(model, message, out);
    for (const Field *field : message.by_number)
        emit_put_field(model, message, *field, out);
    out("return out;");
    out("}");
    out();
    if (message.map_entry)
        return;
    out("static uint8_t *encode_", name, "(const void *body, size_t body_size, uint8_t *out)");
    out("{");
    out("if (TR_UNLIKELY_(body_size < sizeof(struct ", name, ")))");
    out("    return NULL;");
    out("return put_", name, "((const struct ", name, " *)body, ",
        message.trailing ? "body_size, " : "", "out);");
    out("}");
    out();
}

// ---- Sizes ------------------------------------------------------------------

static std::string tag_size(uint64_t tag)
{
    uint64_t size = 1;
    for (; tag >= 0x80; tag >>= 7)
        size++;
    return std::to_string(size);
}

// Adds the most that the value can take: whether it is the default is not looked at.
static void emit_add_value(const Message &message, const Field &field, const Place &at,
                           const std::string &sum, bool inner, Out &out)
{
    std::string tag = tag_size(inner_tag(field, inner));
    if (field.is_text() && !field.trailing_data()) {
        out("part = tr_text_length_(", at.value, ", sizeof ", at.value, ");");
        out(sum, " += ", tag, " + tr_varint_size_(part) + part;");
    } else if (field.is_text() || field.is_bytes()) {
        std::string most = field.trailing ? ""
                                          : " < sizeof " + at.value + " ? " + at.size +
                                                " : sizeof " + at.value;
        out("part = ", at.size, most, ";");
        out(sum, " += ", tag, " + tr_varint_size_(part) + part;");
    } else if (field.is_message()) {
        out("part = ", callee("size", *field.message, message.proto->file()), "(&", at.value, ");");
        out(sum, " += ", tag, " + tr_varint_size_(part) + part;");
    } else {
        out(sum, " += ", tag, " + ", scalar_size(field, at.value), ";");
    }
}

static void emit_add_one(const Message &message, const Field &field, Out &out)
{
    if (!field.wrapped) {
        emit_add_value(message, field, place(field), "sum", false, out);
        return;
    }
    out("{");
    out("size_t inner = 0;");
    emit_add_value(message, field, place(field), "inner", true, out);
    out("sum += ", tag_size(tag_of(field.proto, 2)), " + tr_varint_size_(inner) + inner;");
    out("}");
}

static void emit_add_array(const Message &message, const Field &field, Out &out)
{
    std::string count = "m->" + field.name + "_count", limit = count;
    if (!field.trailing) {
        out("count = ", count, " < ", field.max_count, " ? ", count, " : ", field.max_count, ";");
        limit = "count";
    }
    if (field.packed()) {
        out("part = 0;");
        out("for (uint32_t i = 0; i < ", limit, "; i++)");
        out("    part += ", scalar_size(field, place(field).value), ";");
        out("if (part > 0)");
        out("    sum += ", tag_size(tag_of(field.proto, 2)), " + tr_varint_size_(part) + part;");
        return;
    }
    out("for (uint32_t i = 0; i < ", limit, "; i++) {");
    emit_add_one(message, field, out);
    out("}");
}

static bool needs_part(const Field &field)
{
    return field.is_text() || field.is_bytes() || field.is_message() || field.packed();
}

void emit_size(const Model &model, const Message &message, Out &out)
{
    const std::string &name = message.name;
    bool part = false, count = false;
    for (const Field &field : message.fields) {
        part = part || needs_part(field);
        count = count || (field.repeated && !field.trailing);
    }
    out("static size_t size_", name, "(const struct ", name, " *m)");
    out("{");
    out("size_t sum = 0;");
    if (part)
        out("size_t part;");
    if (count)
        out("uint32_t count;");
    out("(void)m; /* Where all that it holds has a fixed size. */");
    for (const Field *field : message.by_number) {
        if (field->repeated) {
            emit_add_array(message, *field, out);
            continue;
        }
        if (field->oneof)
            out("if (m->", Model::oneof_field(field->oneof), " == ", model.oneof_case(*field),
                ") {");
        else if (field->has)
            out("if (m->has_", field->name, ") {");
        emit_add_one(message, *field, out);
        if (field->oneof || field->has)
            out("}");
    }
    out("return sum;");
    out("}");
    out();
    if (message.map_entry)
        return;
    out("static size_t encoded_size_", name, "(const void *body, size_t body_size)");
    out("{");
    out("const struct ", name, " *m = (const struct ", name, " *)body;");
    out("if (body_size < sizeof *m", message.trailing ? " ||" : ")");
    if (message.trailing)
        out("    ", trailing_length(message), " > ", trailing_room(message), ")");
    out("    return 0; /* It has no encoding. */");
    out("return size_", name, "(m) + TR_ENCODE_SLACK_;");
    out("}");
    out();
}

} // namespace troupe_gen
