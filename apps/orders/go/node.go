package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"orders/wire"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"
)

// Kinds of parcels.
const (
	parcelOrder  = 1
	parcelEnds   = 2
	parcelRefund = 3
)

// A parcel that was taken and has no effect yet.
type item struct {
	from   string
	number uint64
	order  *wire.Order
	ends   *wire.Ends
	refund *wire.Refund
}

// A role does the node's work. What it decides is in its books at once, and seen by nobody before
// it is on disk: if it cannot be written, the process ends.
type role interface {
	// play takes up what write had put into a change.
	play(books []byte) error
	// begin is called once, after play and before anything is taken.
	begin()
	// write gives the items their effect; nil: there is nothing to write. More comes from the
	// node's own intake.
	write(n *node, items []item) any
	// written: it is on disk.
	written(n *node)
	takes(kind uint32) bool
	report() map[string]any
	done(n *node) bool
}

type node struct {
	role    string
	logic   role
	box     box
	journal *journal
	start   uint64 // of this process
	posts   map[string]*post
	now     *change // what is to be written next
	items   []item
	flushes bool // one is due
	soonest bool // the role wants another one at once
	halted  chan struct{}
}

type (
	tick  struct{}
	flush struct{}
	halt  struct{}
	look  struct{ answer chan map[string]any }
)

func newNode(roleName, path string, logic role, peers map[string]string) (*node, error) {
	n := &node{role: roleName, logic: logic, now: &change{}, posts: map[string]*post{},
		halted: make(chan struct{}), box: box{Pairs: map[string]*pair{}}}
	for peer, address := range peers {
		n.box.Pairs[peer] = &pair{Outbox: map[uint64]parcel{}}
		n.posts[peer] = &post{node: n, peer: peer, heard: time.Now(), sizes: map[uint64]int{},
			pid: actor.NewPID(address, "post."+peer)}
	}
	first := true
	var err error
	n.journal, err = openJournal(path, func(c *change) error {
		if first && c.Role != roleName {
			return fmt.Errorf("these are the books of a %s node", c.Role)
		}
		first = false
		n.box.apply(c)
		if len(c.Books) == 0 {
			return nil
		}
		return logic.play(c.Books)
	})
	if err != nil {
		return nil, err
	}
	if n.box.Identity == 0 {
		c := &change{Role: roleName, Identity: rand.Uint64()>>1 | 1}
		if err := n.journal.write(c); err != nil {
			return nil, err
		}
		n.box.apply(c)
	}
	n.start = rand.Uint64() | 1
	for peer, p := range n.posts {
		p.sent, p.taken = n.box.Pairs[peer].Acked, n.box.Pairs[peer].Applied
	}
	logic.begin()
	return n, nil
}

// put keeps a parcel for a peer, within the change that is being made.
func (n *node) put(to string, kind uint32, m proto.Message) uint64 {
	body, err := proto.Marshal(m)
	if err != nil {
		fail("a parcel for the %s cannot be packed: %v", to, err)
	}
	number := n.box.Pairs[to].Kept + 1
	p := put{To: to, Number: number, parcel: parcel{kind, body}}
	n.now.Put = append(n.now.Put, p)
	n.box.Pairs[to].Kept = number
	n.box.Pairs[to].Outbox[number] = p.parcel
	return number
}

func (n *node) soon(ctx actor.Context) {
	if !n.flushes {
		n.flushes = true
		ctx.Send(ctx.Self(), flush{})
	}
}

func (n *node) peer(from string) *post {
	return n.posts[from]
}

func (n *node) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *wire.Hello:
		if p := n.peer(m.From); p != nil {
			p.onHello(ctx, m)
			p.pump(ctx)
		}
	case *wire.Ack:
		if p := n.peer(m.From); p != nil {
			p.onAck(ctx, m)
		}
	case *wire.Parcel:
		if p := n.peer(m.From); p != nil && p.onParcel(ctx, m) {
			n.take(p, m)
		}
	case flush:
		n.flushes = false
		n.commit(ctx)
		return
	case tick:
		for _, p := range n.posts {
			p.tick(ctx)
			p.pump(ctx)
		}
	case look:
		m.answer <- n.look()
		return
	case halt:
		n.commit(ctx)
		close(n.halted)
		ctx.Stop(ctx.Self())
		return
	default:
		return
	}
	n.soon(ctx)
}

// take opens a parcel.
func (n *node) take(p *post, m *wire.Parcel) {
	it := item{from: p.peer, number: m.Number}
	var err error
	switch {
	case !n.logic.takes(m.Kind):
		err = fmt.Errorf("its kind is %d", m.Kind)
	case m.Kind == parcelOrder:
		it.order = &wire.Order{}
		err = proto.Unmarshal(m.Body, it.order)
	case m.Kind == parcelEnds:
		it.ends = &wire.Ends{}
		err = proto.Unmarshal(m.Body, it.ends)
	default:
		it.refund = &wire.Refund{}
		err = proto.Unmarshal(m.Body, it.refund)
	}
	if err != nil {
		p.taken--
		p.refuse(fmt.Sprintf("sent a parcel that makes no sense (%d: %v)", m.Number, err))
		return
	}
	n.items = append(n.items, it)
}

// save makes one change durable; what cannot be written ends the process.
func (n *node) save() {
	c := n.now
	n.now = &change{}
	if err := n.journal.write(c); err != nil {
		fail("the journal cannot be written: %v", err)
	}
	n.box.apply(c)
}

// commit writes down what has come since the last one, all of it in one transaction, and tells
// the peers afterwards.
func (n *node) commit(ctx actor.Context) {
	items := n.items
	n.items = nil
	if books := n.logic.write(n, items); books != nil {
		n.now.Books = packed(books)
	}
	for _, it := range items {
		note(&n.now.Applied, it.from, it.number)
	}
	if n.soonest {
		n.soonest = false
		n.soon(ctx)
	}
	if n.now.empty() {
		return
	}
	applied := n.now.Applied
	n.save()
	n.logic.written(n)
	for peer := range applied {
		n.posts[peer].ack(ctx, 0)
	}
	for _, p := range n.posts {
		p.pump(ctx)
	}
	n.soon(ctx) // The intake may have more.
}

func (n *node) look() map[string]any {
	report := n.logic.report()
	var pairs []map[string]any
	rest := len(n.items) == 0
	for peer, p := range n.posts {
		kept := n.box.Pairs[peer]
		rest = rest && kept.Kept == kept.Acked
		pairs = append(pairs, map[string]any{"node": n.role, "peer": peer, "sent": kept.Kept,
			"acknowledged": kept.Acked, "received": kept.Applied, "repeated": p.repeated,
			"went_back": p.wentBack})
	}
	report["pairs"] = pairs
	report["done"] = rest && n.logic.done(n)
	return report
}
