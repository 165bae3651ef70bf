// Reads messages as frames, and writes each again as Go's protobuf does: with what it understood,
// in its own order. Fields that it does not know are an error.
//
//	conform DESCRIPTOR_SET IN OUT
//
// A frame is a name and a message, each with its size before it, 32 bits, little-endian.
package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

func readPart(in io.Reader) ([]byte, error) {
	var size uint32
	if err := binary.Read(in, binary.LittleEndian, &size); err != nil {
		return nil, err
	}
	part := make([]byte, size)
	_, err := io.ReadFull(in, part)
	return part, err
}

func writePart(out io.Writer, part []byte) error {
	if err := binary.Write(out, binary.LittleEndian, uint32(len(part))); err != nil {
		return err
	}
	_, err := out.Write(part)
	return err
}

func loadFiles(path string) (*protoregistry.Files, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(data, &set); err != nil {
		return nil, err
	}
	return protodesc.NewFiles(&set)
}

// unknown names the first message with a field that its descriptor does not have.
func unknown(m protoreflect.Message) string {
	if len(m.GetUnknown()) > 0 {
		return string(m.Descriptor().FullName())
	}
	found := ""
	look := func(v protoreflect.Value) {
		if found == "" {
			found = unknown(v.Message())
		}
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsMap() && fd.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				look(v)
				return true
			})
		case fd.IsMap() || fd.Message() == nil:
		case fd.IsList():
			for i := 0; i < v.List().Len(); i++ {
				look(v.List().Get(i))
			}
		default:
			look(v)
		}
		return true
	})
	return found
}

func again(files *protoregistry.Files, name string, data []byte) ([]byte, error) {
	found, err := files.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	message := dynamicpb.NewMessage(found.(protoreflect.MessageDescriptor))
	if err := proto.Unmarshal(data, message); err != nil {
		return nil, fmt.Errorf("%s: %w: %x", name, err, data)
	}
	if where := unknown(message); where != "" {
		return nil, fmt.Errorf("%s: unknown fields in %s: %x", name, where, data)
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(message)
}

func run() error {
	if len(os.Args) != 4 {
		return errors.New("usage: conform DESCRIPTOR_SET IN OUT")
	}
	files, err := loadFiles(os.Args[1])
	if err != nil {
		return err
	}
	source, err := os.Open(os.Args[2])
	if err != nil {
		return err
	}
	target, err := os.Create(os.Args[3])
	if err != nil {
		return err
	}
	in, out := bufio.NewReader(source), bufio.NewWriter(target)
	for {
		name, err := readPart(in)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		data, err := readPart(in)
		if err != nil {
			return err
		}
		if data, err = again(files, string(name), data); err != nil {
			return err
		}
		if err := errors.Join(writePart(out, name), writePart(out, data)); err != nil {
			return err
		}
	}
	return errors.Join(out.Flush(), target.Close())
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "conform:", err)
		os.Exit(1)
	}
}
