// Bounds, sizes, and what cannot be a flat struct.
#include "model.hpp"
#include "troupe/options.pb.h"

#include <algorithm>
#include <sstream>

namespace troupe_gen
{

using Type = pb::FieldDescriptor;

// No message is longer: TR_MESSAGE_SIZE_MAX of troupe/message.h.
static constexpr uint64_t message_size_max = 64u << 20;
// Keys are compared one by one when a map is decoded.
static constexpr uint64_t map_count_max = 1024;

Model::Model(const std::string &settings)
{
    std::istringstream list(settings);
    std::string setting;
    while (std::getline(list, setting, ',')) {
        size_t equals = setting.find('=');
        std::string name = setting.substr(0, equals);
        std::string value = equals == std::string::npos ? "" : setting.substr(equals + 1);
        uint64_t *target = name == "string_size"  ? &string_size_
                           : name == "bytes_size" ? &bytes_size_
                           : name == "count"      ? &count_
                                                  : nullptr;
        if (!target)
            throw Refused("parameter '" + setting +
                          "' is unknown: want string_size=N, bytes_size=N or count=N");
        char *end = nullptr;
        *target = std::strtoull(value.c_str(), &end, 10);
        if (value.empty() || *end != '\0' || *target == 0 || *target > message_size_max)
            throw Refused("parameter '" + setting + "' has the value '" + value +
                          "', want a number from 1 to " + std::to_string(message_size_max));
    }
}

// ---- One field --------------------------------------------------------------

static bool is_wrapper(const pb::Descriptor *message)
{
    return message && message->file()->name() == "google/protobuf/wrappers.proto";
}

// What it is, regardless of sizes.
void Model::set_shape(Field *field)
{
    const Type *proto = field->proto;
    const pb::Descriptor *outer = proto->containing_type();
    field->always = outer->options().map_entry();
    field->map = proto->is_map();
    field->repeated = proto->is_repeated();
    field->oneof = proto->real_containing_oneof();
    // In the message StringValue itself the value is a field like any other.
    if (is_wrapper(proto->message_type())) {
        field->wrapped = true;
        field->value = proto->message_type()->field(0);
    }
    bool presence = field->wrapped || proto->has_optional_keyword() || field->is_message();
    field->has = presence && !field->repeated && !field->oneof && !field->always;
    if (field->is_message())
        field->message = message(field->value->message_type());
}

static uint64_t first_set(uint64_t a, uint64_t b, uint64_t c)
{
    return a ? a : b ? b : c;
}

void Model::set_bounds(Field *field)
{
    const Type *proto = field->proto;
    const pb::Descriptor *outer = proto->containing_type();
    troupe::FieldSettings own = proto->options().GetExtension(troupe::field);
    if (field->always) { // The map that this is an entry of has the settings.
        const pb::Descriptor *owner = outer->containing_type();
        for (int i = 0; i < owner->field_count(); i++)
            if (owner->field(i)->message_type() == outer)
                own = owner->field(i)->options().GetExtension(troupe::field);
        if (proto->number() == 1)
            own.set_max_size(own.max_key_size());
        own.set_max_count(0);
    } else if (own.max_key_size() && !field->map) {
        refuse(proto, "max_key_size is for maps only");
    }
    const troupe::FileSettings &file = proto->file()->options().GetExtension(troupe::file);
    bool sized = field->is_text() || field->is_bytes();
    if (own.max_size() && !sized && !field->map)
        refuse(proto, "max_size is for string, bytes and maps of them");
    if (own.max_count() && !field->repeated)
        refuse(proto, "max_count is for repeated fields and maps");
    field->trailing = own.unbounded() && !field->always;
    if (field->trailing && (field->map || field->oneof || field->has))
        refuse(proto, "a map, an optional field or a member of a oneof cannot be unbounded");
    if (field->trailing && !sized && !field->repeated)
        refuse(proto, "unbounded is for string, bytes and repeated fields");
    if (sized)
        field->max_size = field->trailing_data()
                              ? own.max_size()
                              : first_set(own.max_size(),
                                          field->is_text() ? file.string_size() : file.bytes_size(),
                                          field->is_text() ? string_size_ : bytes_size_);
    if (field->repeated)
        field->max_count = field->trailing ? own.max_count()
                                           : first_set(own.max_count(), file.count(), count_);
    if (std::max(field->max_size, field->max_count) > message_size_max)
        refuse(proto, "the bound is " +
                          std::to_string(std::max(field->max_size, field->max_count)) +
                          ", want at most " + std::to_string(message_size_max));
    if (field->map && field->max_count > map_count_max)
        refuse(proto, "the map may have " + std::to_string(field->max_count) +
                          " entries, want at most " + std::to_string(map_count_max) +
                          ": use a repeated message");
}

Field Model::field(const Type *proto)
{
    Field field;
    field.proto = field.value = proto;
    field.name = identifier(snake(proto->name()));
    set_shape(&field);
    set_bounds(&field);
    if (field.message && field.message->trailing)
        refuse(proto, "message " + field.value->message_type()->full_name() +
                          " has the unbounded field " + field.message->trailing->proto->name() +
                          ", so it cannot be part of another message");
    return field;
}

// ---- One message ------------------------------------------------------------

void Model::check_names(const Message &message) const
{
    std::map<std::string, std::string> members;
    auto add = [&](const std::string &name, const Field &field) {
        auto [known, added] = members.emplace(name, field.proto->name());
        if (!added)
            refuse(field.proto, "its member '" + name + "' is also one of field " + known->second +
                                    ": rename one of them");
    };
    std::set<const pb::OneofDescriptor *> oneofs;
    for (const Field &field : message.fields) {
        add(field.name, field);
        if (field.has)
            add("has_" + field.name, field);
        if (field.repeated)
            add(field.name + "_count", field);
        else if (field.is_bytes() || field.trailing)
            add(field.name + "_size", field);
        if (field.oneof && oneofs.insert(field.oneof).second)
            add(oneof_field(field.oneof), field);
    }
}

// The unbounded field goes to the end of the struct, wherever it is declared.
void Model::check_trailing(Message *message) const
{
    auto is_trailing = [](const Field &field) { return field.trailing; };
    auto found = std::find_if(message->fields.begin(), message->fields.end(), is_trailing);
    if (found == message->fields.end())
        return;
    auto second = std::find_if(found + 1, message->fields.end(), is_trailing);
    if (second != message->fields.end())
        refuse(second->proto, "field " + found->proto->name() +
                                  " is unbounded already, and only one can end the struct");
    std::rotate(found, found + 1, message->fields.end());
    message->trailing = &message->fields.back();
}

static uint64_t varint_size(uint64_t value)
{
    uint64_t size = 1;
    for (; value >= 0x80; value >>= 7)
        size++;
    return size;
}

// Bytes of the longest encoding of one value, without its tag; UINT64_MAX: unbounded.
uint64_t Model::value_max(const Field &field)
{
    uint64_t size = 10;
    switch (field.value->type()) {
    case Type::TYPE_BOOL:
        size = 1;
        break;
    case Type::TYPE_UINT32:
    case Type::TYPE_SINT32:
        size = 5;
        break;
    case Type::TYPE_FIXED32:
    case Type::TYPE_SFIXED32:
    case Type::TYPE_FLOAT:
        size = 4;
        break;
    case Type::TYPE_FIXED64:
    case Type::TYPE_SFIXED64:
    case Type::TYPE_DOUBLE:
        size = 8;
        break;
    case Type::TYPE_STRING:
    case Type::TYPE_BYTES:
        size = varint_size(field.max_size) + field.max_size;
        break;
    case Type::TYPE_MESSAGE:
        if (field.message->encoded_max == 0 && field.message->proto->field_count() > 0)
            return UINT64_MAX;
        size = varint_size(field.message->encoded_max) + field.message->encoded_max;
        break;
    default:
        break; // A varint of up to 64 bits.
    }
    if (field.wrapped)
        size = varint_size(1 + size) + 1 + size;
    return size;
}

void Model::set_encoded_max(Message *message) const
{
    uint64_t sum = 0;
    for (const Field &field : message->fields) {
        uint64_t value = value_max(field);
        uint64_t count = field.repeated ? field.max_count : 1;
        uint64_t tag = varint_size(static_cast<uint64_t>(field.proto->number()) << 3);
        bool unbounded = value > message_size_max || count > message_size_max ||
                         (field.repeated ? count == 0 : field.trailing && field.max_size == 0);
        if (unbounded)
            return;
        sum += field.packed() ? tag + 10 + count * value : count * (tag + value);
        if (sum > message_size_max)
            return;
    }
    message->encoded_max = sum;
}

Message *Model::message(const pb::Descriptor *proto)
{
    auto known = messages_.find(proto);
    if (known != messages_.end())
        return known->second.get();
    if (proto->file()->syntax() != pb::FileDescriptor::SYNTAX_PROTO3)
        refuse(proto, "its file is not proto3: say syntax = \"proto3\"");
    if (std::find(open_.begin(), open_.end(), proto) != open_.end()) {
        std::string path;
        for (auto at = std::find(open_.begin(), open_.end(), proto); at != open_.end(); ++at)
            path += (*at)->full_name() + ", ";
        refuse(proto, "the message contains itself (" + path + proto->full_name() +
                          "), and a flat struct cannot: keep the inner one encoded, as bytes");
    }
    open_.push_back(proto);
    auto made = std::make_unique<Message>();
    made->proto = proto;
    made->name = identifier(message_name(proto));
    made->map_entry = proto->options().map_entry();
    for (int i = 0; i < proto->field_count(); i++)
        made->fields.push_back(field(proto->field(i)));
    check_names(*made);
    check_trailing(made.get());
    set_encoded_max(made.get());
    for (const Field &field : made->fields)
        made->by_number.push_back(&field);
    std::sort(made->by_number.begin(), made->by_number.end(), [](const Field *a, const Field *b) {
        return a->proto->number() < b->proto->number();
    });
    open_.pop_back();
    return (messages_[proto] = std::move(made)).get();
}

// ---- One file ---------------------------------------------------------------

// Depth first: what a message is made of comes before it.
static void collect(Model *model, const pb::Descriptor *proto, const pb::FileDescriptor *file,
                    std::vector<Message *> *list)
{
    Message *message = model->message(proto);
    for (const Field &field : message->fields)
        if (field.message && field.message->proto->file() == file)
            collect(model, field.message->proto, file, list);
    if (std::find(list->begin(), list->end(), message) == list->end())
        list->push_back(message);
    for (int i = 0; i < proto->nested_type_count(); i++)
        if (!proto->nested_type(i)->options().map_entry())
            collect(model, proto->nested_type(i), file, list);
}

std::vector<Message *> Model::messages(const pb::FileDescriptor *file)
{
    std::vector<Message *> list;
    for (int i = 0; i < file->message_type_count(); i++)
        collect(this, file->message_type(i), file, &list);
    return list;
}

// Different names of protobuf may be one name in C.
void Model::check_file(const pb::FileDescriptor *file)
{
    std::map<std::string, std::string> names;
    auto add = [&](const std::string &name, const std::string &of) {
        auto [known, added] = names.emplace(name, of);
        if (!added && known->second != of)
            throw Refused(of + " and " + known->second + " would both be '" + name +
                          "' in C: rename one of them, or set (troupe.file).prefix");
    };
    auto add_enum = [&](const pb::EnumDescriptor *proto) {
        add(enum_name(proto), proto->full_name());
        for (int i = 0; i < proto->value_count(); i++)
            add(enum_value(proto->value(i)), proto->value(i)->full_name());
    };
    for (const pb::EnumDescriptor *proto : enums(file))
        add_enum(proto);
    for (const Message *message : messages(file)) {
        add(message->name, message->proto->full_name());
        for (const Field &field : message->fields) {
            if (!field.oneof)
                continue;
            add(oneof_name(field.oneof), field.oneof->full_name());
            add(oneof_none(field.oneof), field.oneof->full_name());
            add(oneof_case(field), field.proto->full_name());
        }
    }
}

static void collect_enums(const pb::Descriptor *proto,
                          std::vector<const pb::EnumDescriptor *> *list)
{
    for (int i = 0; i < proto->enum_type_count(); i++)
        list->push_back(proto->enum_type(i));
    for (int i = 0; i < proto->nested_type_count(); i++)
        collect_enums(proto->nested_type(i), list);
}

std::vector<const pb::EnumDescriptor *> Model::enums(const pb::FileDescriptor *file)
{
    std::vector<const pb::EnumDescriptor *> list;
    for (int i = 0; i < file->enum_type_count(); i++)
        list.push_back(file->enum_type(i));
    for (int i = 0; i < file->message_type_count(); i++)
        collect_enums(file->message_type(i), &list);
    return list;
}

} // namespace troupe_gen
