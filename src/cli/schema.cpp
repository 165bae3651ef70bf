#include "cli/schema.h"

#include <google/protobuf/compiler/importer.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/empty.pb.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/wrappers.pb.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace pb = google::protobuf;

namespace
{
bool fail(schema_error *error, const std::string &text)
{
    if (error)
        snprintf(error->text, sizeof error->text, "%s", text.c_str());
    return false;
}

/* Keeps what protobuf's library says about a file. */
struct Complaints : pb::compiler::MultiFileErrorCollector, pb::io::ErrorCollector {
    std::string first;
    void AddError(const std::string &file, int line, int column, const std::string &text) override
    {
        if (first.empty())
            first = file + ":" + std::to_string(line + 1) + ":" + std::to_string(column + 1) +
                    ": " + text;
    }
    void AddError(int line, int column, const std::string &text) override
    {
        if (first.empty())
            first = "line " + std::to_string(line + 1) + ", column " + std::to_string(column + 1) +
                    ": " + text;
    }
};

std::string folder_of(const std::string &path)
{
    size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash);
}
} // namespace

struct schema {
    pb::SimpleDescriptorDatabase files;
    std::unique_ptr<pb::DescriptorPool> pool; /* made at the first look */
    std::unique_ptr<pb::DynamicMessageFactory> factory;
    std::vector<std::string> names;

    bool has_file(const std::string &name)
    {
        pb::FileDescriptorProto found;
        return files.FindFileByName(name, &found);
    }

    void add(const pb::FileDescriptor *file)
    {
        for (int i = 0; i < file->dependency_count(); i++)
            add(file->dependency(i));
        pb::FileDescriptorProto proto;
        file->CopyTo(&proto);
        if (!has_file(proto.name()))
            files.Add(proto);
    }

    void list(const pb::Descriptor *type)
    {
        if (type->options().map_entry())
            return;
        names.push_back(type->full_name());
        for (int i = 0; i < type->nested_type_count(); i++)
            list(type->nested_type(i));
    }

    void seal()
    {
        if (pool)
            return;
        pool = std::make_unique<pb::DescriptorPool>(&files);
        factory = std::make_unique<pb::DynamicMessageFactory>(pool.get());
        std::vector<std::string> all;
        files.FindAllFileNames(&all);
        for (const std::string &name : all) {
            const pb::FileDescriptor *file = pool->FindFileByName(name);
            for (int i = 0; file && i < file->message_type_count(); i++)
                list(file->message_type(i));
        }
    }

    std::unique_ptr<pb::Message> make(const char *type)
    {
        seal();
        const pb::Descriptor *found = pool->FindMessageTypeByName(type);
        return std::unique_ptr<pb::Message>(found ? factory->GetPrototype(found)->New() : nullptr);
    }
};

struct schema *schema_create(void)
{
    auto *made = new schema;
    made->add(pb::StringValue::descriptor()->file());
    made->add(pb::Empty::descriptor()->file());
    return made;
}

void schema_destroy(struct schema *schema)
{
    delete schema;
}

bool schema_add_set(struct schema *schema, const char *path, schema_error *error)
{
    std::ifstream in(path, std::ios::binary);
    if (!in)
        return fail(error, std::string("'") + path + "' cannot be opened: " + strerror(errno));
    pb::FileDescriptorSet set;
    if (!set.ParseFromIstream(&in) || set.file_size() == 0)
        return fail(error, std::string("'") + path +
                               "' is no descriptor set: make one with protoc --include_imports "
                               "--descriptor_set_out=FILE");
    for (const pb::FileDescriptorProto &file : set.file()) {
        if (!schema->has_file(file.name()) && !schema->files.Add(file))
            return fail(error, std::string("'") + path + "': " + file.name() +
                                   " defines what another file has defined already");
    }
    return true;
}

bool schema_add_proto(struct schema *schema, const char *path, const char *const *folders,
                      schema_error *error)
{
    pb::compiler::DiskSourceTree tree;
    Complaints complaints;
    std::string name = path, beside = folder_of(path);
    for (size_t i = 0; folders && folders[i]; i++)
        tree.MapPath("", folders[i]);
    tree.MapPath("", beside);
    std::string virtual_name, shadowing;
    if (tree.DiskFileToVirtualFile(path, &virtual_name, &shadowing) ==
        pb::compiler::DiskSourceTree::SUCCESS)
        name = virtual_name;
    pb::compiler::Importer importer(&tree, &complaints);
    const pb::FileDescriptor *file = importer.Import(name);
    if (!file)
        return fail(error, complaints.first.empty() ? std::string("'") + path + "' cannot be read"
                                                    : complaints.first);
    schema->add(file);
    return true;
}

size_t schema_count(struct schema *schema)
{
    schema->seal();
    return schema->names.size();
}

const char *schema_name(struct schema *schema, size_t index)
{
    return schema->names[index].c_str();
}

bool schema_has(struct schema *schema, const char *type)
{
    return schema->make(type) != nullptr;
}

bool schema_encode(struct schema *schema, const char *type, const char *text, schema_format format,
                   uint8_t **ret_data, size_t *ret_size, schema_error *error)
{
    std::unique_ptr<pb::Message> message = schema->make(type);
    if (!message)
        return fail(error, std::string("no message type '") + type +
                               "' in the given files; see --proto and --descriptor-set");
    if (format == SCHEMA_JSON) {
        pb::util::Status status = pb::util::JsonStringToMessage(text, message.get());
        if (!status.ok())
            return fail(error, std::string("this is no ") + type +
                                   " in JSON: " + std::string(status.message()));
    } else {
        Complaints complaints;
        pb::TextFormat::Parser parser;
        parser.RecordErrorsTo(&complaints);
        if (!parser.ParseFromString(text, message.get()))
            return fail(error, std::string("this is no ") + type + " as text: " + complaints.first);
    }
    std::string bytes;
    if (!message->SerializeToString(&bytes))
        return fail(error, std::string("required fields of ") + type + " are missing");
    *ret_data = static_cast<uint8_t *>(malloc(bytes.size() + 1));
    if (!*ret_data)
        return fail(error, "out of memory");
    memcpy(*ret_data, bytes.data(), bytes.size());
    *ret_size = bytes.size();
    return true;
}

char *schema_decode(struct schema *schema, const char *type, const uint8_t *data, size_t size,
                    schema_format format)
{
    std::unique_ptr<pb::Message> message = schema->make(type);
    std::string text;
    if (!message || !message->ParseFromArray(data, static_cast<int>(size)))
        return nullptr;
    if (format == SCHEMA_JSON) {
        pb::util::JsonPrintOptions options;
        options.always_print_primitive_fields = true;
        options.preserve_proto_field_names = true;
        if (!pb::util::MessageToJsonString(*message, &text, options).ok())
            return nullptr;
    } else {
        pb::TextFormat::Printer printer;
        printer.SetSingleLineMode(true);
        printer.PrintToString(*message, &text);
    }
    while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
        text.pop_back();
    return strdup(text.c_str());
}
