package main

import (
	"fmt"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

type counter struct{ value atomic.Int64 }

func (c *counter) add(n int64) { c.value.Add(n) }

// kinds are what a test spawns here, by the command and from other nodes.
func kinds(n *node) map[string]actor.Producer {
	return map[string]actor.Producer{
		"echo":    func() actor.Actor { return &echo{} },
		"quiet":   func() actor.Actor { return &quiet{} },
		"sink":    func() actor.Actor { return &sink{} },
		"headers": func() actor.Actor { return &headers{} },
		"later":   func() actor.Actor { return &later{n} },
		"numbers": func() actor.Actor { return &numbers{n} },
	}
}

// echo answers with what came, a text with "echo:" before it.
type echo struct{}

func (*echo) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *wrapperspb.StringValue:
		respond(ctx, wrapperspb.String("echo:"+m.Value))
	case *wrapperspb.UInt64Value:
		respond(ctx, wrapperspb.UInt64(m.Value))
	case *wrapperspb.BytesValue:
		respond(ctx, wrapperspb.Bytes(m.Value))
	case *emptypb.Empty:
		respond(ctx, &emptypb.Empty{})
	}
}

func respond(ctx actor.Context, message any) {
	if ctx.Sender() != nil {
		ctx.Respond(message)
	}
}

// quiet takes everything and answers nothing.
type quiet struct{}

func (*quiet) Receive(actor.Context) {}

// sink tells of everything that comes, and from whom.
type sink struct{}

func (*sink) Receive(ctx actor.Context) {
	if text, ok := textOf(ctx.Message()); ok {
		say("got %s %s %s", ctx.Self().Id, text, pidText(ctx.Sender()))
	}
}

// headers answers with the headers that came.
type headers struct{}

func (*headers) Receive(ctx actor.Context) {
	if _, ok := textOf(ctx.Message()); !ok {
		return
	}
	var all []string
	if header := ctx.MessageHeader(); header != nil {
		for key, value := range header.ToMap() {
			all = append(all, key+"="+value)
		}
	}
	sort.Strings(all)
	respond(ctx, wrapperspb.String(strings.Join(all, ",")))
}

// later answers "later", two seconds after it was asked.
type later struct{ n *node }

func (l *later) Receive(ctx actor.Context) {
	if _, ok := textOf(ctx.Message()); ok && ctx.Sender() != nil {
		sender := ctx.Sender()
		time.AfterFunc(2*time.Second, func() {
			l.n.system.Root.Send(sender, wrapperspb.String("later"))
		})
	}
}

// forwarder hands everything on, with the sender it came from.
type forwarder struct{ to *actor.PID }

func (f *forwarder) Receive(ctx actor.Context) {
	if _, ok := textOf(ctx.Message()); ok {
		ctx.Forward(f.to)
	}
}

// numbers keeps account of numbered messages: the source in the upper 32 bits, the number in the
// lower ones.
type numbers struct{ n *node }

type numberTable struct {
	last                     uint64
	count, twice, disordered uint64
	seen                     map[uint64]struct{}
}

type numberTables struct {
	sync.Mutex
	of map[string]map[uint64]*numberTable // by name of the actor, then by source
}

func (a *numbers) Receive(ctx actor.Context) {
	if m, ok := ctx.Message().(*wrapperspb.UInt64Value); ok {
		a.n.numbers.note(ctx.Self().Id, m.Value>>32, m.Value&0xffffffff)
	}
}

func (t *numberTables) note(name string, source, number uint64) {
	t.Lock()
	defer t.Unlock()
	if t.of == nil {
		t.of = map[string]map[uint64]*numberTable{}
	}
	if t.of[name] == nil {
		t.of[name] = map[uint64]*numberTable{}
	}
	table := t.of[name][source]
	if table == nil {
		table = &numberTable{seen: map[uint64]struct{}{}}
		t.of[name][source] = table
	}
	if _, again := table.seen[number]; again {
		table.twice++
	} else if table.count > 0 && number < table.last {
		table.disordered++
	}
	table.seen[number] = struct{}{}
	table.last = max(table.last, number)
	table.count++
}

// text is "COUNT LAST TWICE DISORDERED" of one source.
func (t *numberTables) text(name string, source uint64) string {
	t.Lock()
	defer t.Unlock()
	table := t.of[name][source]
	if table == nil {
		return "0 0 0 0"
	}
	return fmt.Sprintf("%d %d %d %d", table.count, table.last, table.twice, table.disordered)
}

// driver does what only actors can: watch, and be the sender of a request.
type driver struct{}

type (
	watchCommand struct {
		pid  *actor.PID
		done chan struct{} // what the test sends next comes behind it
	}
	unwatchCommand struct {
		pid  *actor.PID
		done chan struct{}
	}
	requestCommand struct {
		pid     *actor.PID
		message any
	}
)

func (*driver) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *watchCommand:
		ctx.Watch(m.pid)
		close(m.done)
	case *unwatchCommand:
		ctx.Unwatch(m.pid)
		close(m.done)
	case *requestCommand:
		ctx.Request(m.pid, m.message)
	case *actor.Terminated:
		say("terminated %s %d", pidText(m.Who), m.Why)
	default:
		if text, ok := textOf(ctx.Message()); ok {
			say("got %s %s %s", ctx.Self().Id, text, pidText(ctx.Sender()))
		}
	}
}
