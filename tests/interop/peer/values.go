package main

import (
	"fmt"
	"hash/fnv"
	"reflect"
	"strconv"
	"strings"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// message makes one of its text: "empty", "touch", "text:WORD", "num:N", "bytes:N", "bool:true".
// Fresh: protoactor-go keeps the pointer that it is given.
func message(text string) (proto.Message, error) {
	kind, value, _ := strings.Cut(text, ":")
	switch kind {
	case "empty":
		return &emptypb.Empty{}, nil
	case "touch":
		return &actor.Touch{}, nil
	case "text":
		return wrapperspb.String(value), nil
	case "num":
		number, err := strconv.ParseUint(value, 0, 64)
		return wrapperspb.UInt64(number), err
	case "bool":
		return wrapperspb.Bool(value == "true"), nil
	case "bytes":
		size, err := strconv.Atoi(value)
		if err != nil || size < 0 {
			return nil, fmt.Errorf("%q is not a size", value)
		}
		return wrapperspb.Bytes(pattern(size)), nil
	}
	return nil, fmt.Errorf("there is no message %q", text)
}

func pattern(size int) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i*31 + 7)
	}
	return data
}

// textOf is the reverse; false for what belongs to an actor's life. Bytes are told by their hash.
func textOf(m any) (string, bool) {
	switch m := m.(type) {
	case *emptypb.Empty:
		return "empty", true
	case *actor.Touch:
		return "touch", true
	case *actor.Touched:
		return "touched:" + pidText(m.Who), true
	case *actor.DeadLetterResponse:
		return "dead-letter", true
	case *wrapperspb.StringValue:
		return "text:" + m.Value, true
	case *wrapperspb.UInt64Value:
		return fmt.Sprintf("num:%d", m.Value), true
	case *wrapperspb.BoolValue:
		return fmt.Sprintf("bool:%t", m.Value), true
	case *wrapperspb.BytesValue:
		hash := fnv.New32a()
		hash.Write(m.Value)
		return fmt.Sprintf("bytes:%d:%08x", len(m.Value), hash.Sum32()), true
	}
	return jsonText(m)
}

// jsonText is of what came as JSON: a type of remote whose name the dialects write differently.
func jsonText(m any) (string, bool) {
	value := reflect.Indirect(reflect.ValueOf(m))
	if value.Kind() != reflect.Struct || !value.FieldByName("TypeName").IsValid() {
		return "", false
	}
	return "json:" + value.FieldByName("TypeName").String(), true
}

func pidText(pid *actor.PID) string {
	if pid == nil {
		return "-"
	}
	return pid.Id + "@" + pid.Address
}

// pidOf reads "ID@ADDRESS"; without an address it is one of this node.
func (n *node) pidOf(text string) *actor.PID {
	at := strings.LastIndex(text, "@")
	if at < 0 {
		return actor.NewPID(n.system.Address(), text)
	}
	return actor.NewPID(text[at+1:], text[:at])
}
