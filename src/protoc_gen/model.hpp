// model.hpp - a message as the flat struct that it becomes: names, bounds, sizes.
#ifndef PROTOC_GEN_MODEL_HPP
#define PROTOC_GEN_MODEL_HPP

#include <google/protobuf/descriptor.h>

#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace troupe_gen
{

namespace pb = google::protobuf;

// Why no code can be generated; names the file, the line and the offending element.
struct Refused : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Message;

struct Field {
    const pb::FieldDescriptor *proto; // as it is declared
    const pb::FieldDescriptor *value; // what is stored: of a google.protobuf.…Value its value
    std::string name;                 // in C
    bool wrapped = false;             // a google.protobuf.…Value
    bool repeated = false;            // an array with a count; maps too
    bool map = false;
    bool trailing = false; // unbounded, at the end of the struct
    bool has = false;      // a bool says whether it is there
    bool always = false;   // a key or value of a map: written whatever it is
    const pb::OneofDescriptor *oneof = nullptr;
    uint64_t max_size = 0;  // of a text or bytes; 0: unbounded
    uint64_t max_count = 0; // of an array; 0: unbounded
    Message *message = nullptr;

    bool is(pb::FieldDescriptor::Type type) const
    {
        return value->type() == type;
    }
    bool is_text() const
    {
        return is(pb::FieldDescriptor::TYPE_STRING);
    }
    bool is_bytes() const
    {
        return is(pb::FieldDescriptor::TYPE_BYTES);
    }
    bool is_message() const
    {
        return is(pb::FieldDescriptor::TYPE_MESSAGE);
    }
    bool is_enum() const
    {
        return is(pb::FieldDescriptor::TYPE_ENUM);
    }
    // Text or bytes with the whole rest of the struct for themselves.
    bool trailing_data() const
    {
        return trailing && !repeated;
    }
    bool trailing_array() const
    {
        return trailing && repeated;
    }
    bool packed() const
    {
        return repeated && proto->is_packed();
    }
};

struct Message {
    const pb::Descriptor *proto;
    std::string name;          // of the struct, without `struct `
    std::vector<Field> fields; // in the order of the struct
    std::vector<const Field *> by_number;
    const Field *trailing = nullptr;
    bool map_entry = false;
    uint64_t encoded_max = 0; // 0: unbounded
};

// Builds and keeps the messages of a run. `settings` are the plugin's parameters.
class Model
{
  public:
    explicit Model(const std::string &settings);

    // The message with everything in it; throws Refused.
    Message *message(const pb::Descriptor *proto);
    // All messages of a file, those that are part of others before them.
    std::vector<Message *> messages(const pb::FileDescriptor *file);
    // Throws Refused if two things would have one name in C.
    void check_file(const pb::FileDescriptor *file);
    static std::vector<const pb::EnumDescriptor *> enums(const pb::FileDescriptor *file);

    std::string prefix(const pb::FileDescriptor *file) const;
    std::string enum_name(const pb::EnumDescriptor *proto) const;
    std::string enum_value(const pb::EnumValueDescriptor *proto) const;
    std::string oneof_name(const pb::OneofDescriptor *proto) const; // of its enum
    std::string oneof_case(const Field &field) const;
    std::string oneof_none(const pb::OneofDescriptor *proto) const;
    static std::string oneof_field(const pb::OneofDescriptor *proto); // in the struct

  private:
    std::string message_name(const pb::Descriptor *proto) const;
    Field field(const pb::FieldDescriptor *proto);
    void set_bounds(Field *field);
    void set_shape(Field *field);
    void check_names(const Message &message) const;
    void check_trailing(Message *message) const;
    void set_encoded_max(Message *message) const;
    static uint64_t value_max(const Field &field);

    std::map<const pb::Descriptor *, std::unique_ptr<Message>> messages_;
    std::vector<const pb::Descriptor *> open_; // being built: a message again here contains itself
    uint64_t string_size_ = 63, bytes_size_ = 256, count_ = 16;
};

// `FooBar`, `fooBar` and `FOOBar` as `foo_bar`.
std::string snake(const std::string &name);
std::string upper(std::string name);
// `name`, with an underscore behind it if it means something in C or C++.
std::string identifier(const std::string &name);
// "shop.proto:12: shop.Order.items: " and the reason, as an exception.
[[noreturn]] void refuse(const pb::FieldDescriptor *field, const std::string &reason);
[[noreturn]] void refuse(const pb::Descriptor *message, const std::string &reason);

} // namespace troupe_gen

#endif
