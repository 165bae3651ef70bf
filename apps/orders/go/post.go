package main

import (
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"orders/wire"

	"github.com/asynkron/protoactor-go/actor"
)

const (
	window      = 1024    // parcels under way in one direction at most
	windowBytes = 8 << 20 // and their bytes, unless it is a single one
	askEvery    = 100 * time.Millisecond
	idleEvery   = 500 * time.Millisecond
	awayAfter   = 3 * time.Second
)

// A post is what this node knows of one peer: docs/internals/nodes.md has the rules.
type post struct {
	node *node
	peer string
	pid  *actor.PID

	start              uint64 // of the peer's process
	sent               uint64 // up to here parcels are on the road
	bytes              int    // of those
	taken              uint64 // up to here its parcels are with us
	gap                uint64 // it was told of a gap after this number
	gapTold, up, away  bool
	heard, asked       time.Time
	trouble            string
	repeated, wentBack uint64
	there              atomic.Bool // it takes connections
	sizes              map[uint64]int
}

func (p *post) kept() *pair { return p.node.box.Pairs[p.peer] }

func (p *post) say(format string, args ...any) {
	say("%s: %s %s", p.node.role, p.peer, fmt.Sprintf(format, args...))
}

func (p *post) goBack(number uint64) {
	number = max(number, p.kept().Acked)
	if number >= p.sent {
		return
	}
	p.wentBack++
	for ; p.sent > number; p.sent-- {
		p.bytes -= p.sizes[p.sent]
		delete(p.sizes, p.sent)
	}
}

func (p *post) refuse(why string) {
	if p.trouble != why {
		p.say("%s: nothing is exchanged with it", why)
	}
	p.trouble = why
}

// hear tells whether that message is of the peer that we know.
func (p *post) hear(ctx actor.Context, identity, start uint64) bool {
	pair := p.kept()
	if identity == 0 || start == 0 {
		return false
	}
	if pair.Identity == 0 {
		pair.Identity = identity
		p.node.now.meet(p.peer, identity)
	} else if pair.Identity != identity {
		p.refuse("works on another database than before")
		return false
	}
	p.heard = time.Now()
	if p.start != start { // It has forgotten what it took and did not apply, or we have.
		p.start, p.gapTold = start, false
		p.goBack(pair.Acked)
		p.hello(ctx)
	}
	if !p.up {
		p.up, p.away = true, false
		p.say("is there: %d parcels wait for it", pair.Kept-pair.Acked)
	}
	return true
}

func (p *post) hello(ctx actor.Context) {
	p.asked = time.Now()
	ctx.Send(p.pid, &wire.Hello{From: p.node.role, Identity: p.node.box.Identity,
		Start: p.node.start, Sent: p.sent, Acked: p.kept().Acked})
}

func (p *post) ack(ctx actor.Context, sent uint64) {
	ctx.Send(p.pid, &wire.Ack{From: p.node.role, Identity: p.node.box.Identity, Start: p.node.start,
		Applied: p.kept().Applied, Taken: p.taken, Sent: sent})
}

func (p *post) tick(ctx actor.Context) {
	now, pair := time.Now(), p.kept()
	if !p.away && now.Sub(p.heard) > awayAfter {
		p.up, p.away = false, true
		p.there.Store(false)
		p.goBack(pair.Acked)
		p.say("is away")
	}
	every := idleEvery
	if pair.Kept > pair.Acked || !p.up {
		every = askEvery
	}
	if now.Sub(p.asked) >= every {
		if p.up || p.there.Load() {
			p.hello(ctx)
		} else {
			p.asked = now
			go p.knock()
		}
	}
}

// knock: after a dial in vain protoactor-go waits two seconds and drops what it is given, so it
// dials a node that was away when somebody answers there.
func (p *post) knock() {
	connection, err := net.DialTimeout("tcp", p.pid.Address, askEvery)
	if err == nil {
		connection.Close()
	}
	p.there.Store(err == nil)
}

func (p *post) onHello(ctx actor.Context, m *wire.Hello) {
	if !p.hear(ctx, m.Identity, m.Start) {
		return
	}
	if m.Acked > p.kept().Applied {
		p.refuse("knows of more than this node has: it was put back to an older state")
		return
	}
	p.ack(ctx, m.Sent)
}

func (p *post) onAck(ctx actor.Context, m *wire.Ack) {
	pair := p.kept()
	if !p.hear(ctx, m.Identity, m.Start) {
		return
	}
	if m.Applied > pair.Kept {
		p.refuse("knows of more than this node has: it was put back to an older state")
		return
	}
	if m.Applied < pair.Acked {
		return // An older word that came late.
	}
	for number := pair.Acked + 1; number <= m.Applied; number++ {
		p.bytes -= p.sizes[number]
		delete(p.sizes, number)
	}
	if m.Applied > pair.Acked {
		p.node.now.forget(p.peer, m.Applied)
		p.sent = max(p.sent, m.Applied)
	}
	// The road keeps their order: what was sent before the hello and is not there never comes.
	if m.Taken < m.Sent {
		p.goBack(m.Taken)
	}
	p.pump(ctx)
}

// onParcel tells whether the parcel is the next one.
func (p *post) onParcel(ctx actor.Context, m *wire.Parcel) bool {
	if !p.hear(ctx, m.Identity, m.Start) || p.trouble != "" {
		return false
	}
	applied := p.kept().Applied
	if m.Number <= p.taken {
		p.repeated++
		if m.Number <= applied {
			p.ack(ctx, m.Number-1)
		}
		return false
	}
	if m.Number == p.taken+1 && p.taken-applied < window {
		p.taken++
		return true
	}
	if !p.gapTold || p.gap != p.taken { // Once per gap; hellos find what that misses.
		p.gap, p.gapTold = p.taken, true
		p.ack(ctx, m.Number-1)
	}
	return false
}

// pump sends what may be sent.
func (p *post) pump(ctx actor.Context) {
	pair := p.kept()
	for p.up && p.trouble == "" && p.sent < pair.Kept && p.sent-pair.Acked < window &&
		(p.bytes < windowBytes || p.sent == pair.Acked) {
		parcel := pair.Outbox[p.sent+1]
		p.sent++
		p.sizes[p.sent] = len(parcel.Body)
		p.bytes += len(parcel.Body)
		ctx.Send(p.pid, &wire.Parcel{From: p.node.role, Identity: p.node.box.Identity,
			Start: p.node.start, Number: p.sent, Kind: parcel.Kind, Body: parcel.Body})
	}
}
