// Names in C for names in protobuf.
#include "model.hpp"
#include "troupe/options.pb.h"

#include <cctype>

namespace troupe_gen
{

std::string snake(const std::string &name)
{
    std::string result;
    for (size_t i = 0; i < name.size(); i++) {
        auto at = [&](size_t k) { return static_cast<unsigned char>(name[k]); };
        bool begins = std::isupper(at(i)) && i > 0 && name[i - 1] != '_' &&
                      (!std::isupper(at(i - 1)) ||
                       (i + 1 < name.size() && std::islower(at(i + 1))));
        if (begins)
            result += '_';
        result += static_cast<char>(std::tolower(at(i)));
    }
    return result;
}

std::string upper(std::string name)
{
    for (char &c : name)
        c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return name;
}

std::string identifier(const std::string &name)
{
    static const std::set<std::string> reserved = {
        "alignas",      "alignof",       "and",
        "and_eq",       "asm",           "auto",
        "bitand",       "bitor",         "bool",
        "break",        "case",          "catch",
        "char",         "class",         "compl",
        "concept",      "const",         "continue",
        "co_await",     "co_return",     "co_yield",
        "decltype",     "default",       "delete",
        "do",           "double",        "else",
        "enum",         "explicit",      "export",
        "extern",       "false",         "float",
        "for",          "friend",        "goto",
        "if",           "inline",        "int",
        "int32_t",      "int64_t",       "linux",
        "long",         "mutable",       "namespace",
        "new",          "noexcept",      "not",
        "not_eq",       "nullptr",       "operator",
        "or",           "or_eq",         "private",
        "protected",    "public",        "register",
        "requires",     "restrict",      "return",
        "short",        "signed",        "sizeof",
        "static",       "static_assert", "struct",
        "switch",       "template",      "this",
        "thread_local", "throw",         "true",
        "try",          "typedef",       "typeid",
        "typename",     "typeof",        "uint32_t",
        "uint64_t",     "uint8_t",       "union",
        "unix",         "unsigned",      "using",
        "virtual",      "void",          "volatile",
        "wchar_t",      "while",         "xor",
        "xor_eq",       "offsetof",      "errno",
        "char8_t",      "char16_t",      "char32_t",
        "consteval",    "constexpr",     "constinit",
        "const_cast",   "dynamic_cast",  "reinterpret_cast",
        "static_cast",
    };
    return reserved.count(name) ? name + "_" : name;
}

// Where an element is declared, as compilers say it.
template <typename Descriptor> static std::string place(const Descriptor *proto)
{
    pb::SourceLocation at;
    std::string where = proto->file()->name();
    if (proto->GetSourceLocation(&at))
        where += ":" + std::to_string(at.start_line + 1);
    return where + ": " + proto->full_name() + ": ";
}

void refuse(const pb::FieldDescriptor *field, const std::string &reason)
{
    throw Refused(place(field) + reason);
}

void refuse(const pb::Descriptor *message, const std::string &reason)
{
    throw Refused(place(message) + reason);
}

std::string Model::prefix(const pb::FileDescriptor *file) const
{
    const troupe::FileSettings &settings = file->options().GetExtension(troupe::file);
    std::string prefix = settings.has_prefix() ? settings.prefix() : file->package();
    for (char &c : prefix)
        if (c == '.')
            c = '_';
    prefix = snake(prefix);
    for (char c : prefix)
        if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_')
            throw Refused("the prefix '" + prefix +
                          "' cannot begin a name in C: use letters, digits and underscores");
    return prefix.empty() || prefix.back() == '_' ? prefix : prefix + "_";
}

std::string Model::message_name(const pb::Descriptor *proto) const
{
    const pb::Descriptor *outer = proto->containing_type();
    return (outer ? message_name(outer) + "_" : prefix(proto->file())) + snake(proto->name());
}

std::string Model::enum_name(const pb::EnumDescriptor *proto) const
{
    const pb::Descriptor *outer = proto->containing_type();
    return (outer ? message_name(outer) + "_" : prefix(proto->file())) + snake(proto->name());
}

// Values are siblings of their enum in protobuf, and most begin with its name already.
std::string Model::enum_value(const pb::EnumValueDescriptor *proto) const
{
    const pb::Descriptor *outer = proto->type()->containing_type();
    return upper(outer ? message_name(outer) + "_" : prefix(proto->file())) +
           upper(snake(proto->name()));
}

std::string Model::oneof_name(const pb::OneofDescriptor *proto) const
{
    return message_name(proto->containing_type()) + "_" + oneof_field(proto);
}

// Without the `_case` of the enum.
static std::string case_name(const std::string &message, const pb::OneofDescriptor *proto,
                             const std::string &name)
{
    return upper(message + "_" + snake(proto->name()) + "_" + snake(name));
}

std::string Model::oneof_case(const Field &field) const
{
    return case_name(message_name(field.oneof->containing_type()), field.oneof,
                     field.proto->name());
}

std::string Model::oneof_none(const pb::OneofDescriptor *proto) const
{
    return case_name(message_name(proto->containing_type()), proto, "none");
}

std::string Model::oneof_field(const pb::OneofDescriptor *proto)
{
    return snake(proto->name()) + "_case";
}

} // namespace troupe_gen
