package main

// Workloads in which one message is under way per chain: ping-pong, pairs, rings, ask.

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

type goMsg struct{}
type ball struct{ left uint64 }
type peer struct{ pid *actor.PID }
type done struct{}

// referee counts done messages and finishes the round at the given number.
type referee struct {
	r    *run
	left uint64
}

func (a *referee) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(*done); ok {
		if a.left--; a.left == 0 {
			a.r.finish()
		}
	}
}

func (r *run) spawnReferee(expected uint64) *actor.PID {
	return r.spawn(func() actor.Actor { return &referee{r, expected} })
}

type player struct{ next, referee *actor.PID }

func (a *player) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *ball:
		if msg.left == 0 {
			ctx.Send(a.referee, &done{})
		} else {
			ctx.Send(a.next, &ball{msg.left - 1})
		}
	case *peer:
		a.next = msg.pid
	}
}

func rings(r *run, size, count int) {
	each := r.count(4000000, uint64(count)) / uint64(count)
	ref := r.spawnReferee(uint64(count))
	producer := func() actor.Actor { return &player{referee: ref} }
	firsts := make([]*actor.PID, count)
	for i := range firsts {
		firsts[i] = r.spawn(producer)
		last := firsts[i]
		for j := 1; j < size; j++ {
			next := r.spawn(producer)
			r.system.Root.Send(last, &peer{next})
			last = next
		}
		r.system.Root.Send(last, &peer{firsts[i]})
	}
	r.begin(each * uint64(count))
	for _, first := range firsts {
		r.system.Root.Send(first, &ball{each - 1})
	}
	r.await()
}

type question struct{ value uint64 }
type answer struct{ value uint64 }

type server struct{ asked uint64 }

func (a *server) Receive(ctx actor.Context) {
	if msg, ok := ctx.Message().(*question); ok {
		a.asked++
		ctx.Respond(&answer{msg.value + 1})
	}
}

type client struct {
	r          *run
	server     *actor.PID
	roundTrips uint64
}

const answerTimeout = 30 * time.Second

func (a *client) ask(ctx actor.Context, value uint64) {
	future := ctx.RequestFuture(a.server, &question{value}, answerTimeout)
	ctx.ReenterAfter(future, func(res interface{}, err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench: ask: a request failed:", err)
			os.Exit(1)
		}
		if msg := res.(*answer); msg.value == a.roundTrips {
			a.r.finish()
		} else {
			a.ask(ctx, msg.value)
		}
	})
}

func (a *client) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(*goMsg); ok {
		a.ask(ctx, 0)
	}
}

func ask(r *run) {
	n := r.count(2000000, 1)
	srv := r.spawn(func() actor.Actor { return &server{} })
	c := r.spawn(func() actor.Actor { return &client{r, srv, n} })
	r.begin(n)
	r.system.Root.Send(c, &goMsg{})
	r.await()
}

// ---- Actors that come and go: fork-join create, churn

// Counts all children down.
var childrenLeft atomic.Int64

type child struct {
	r       *run
	handled uint64
}

func (a *child) Receive(ctx actor.Context) {
	if msg, ok := ctx.Message().(*ball); ok {
		a.handled += msg.left + 1
		ctx.Stop(ctx.Self())
		if childrenLeft.Add(-1) == 0 {
			a.r.finish()
		}
	}
}

type creator struct {
	r     *run
	props *actor.Props
	count uint64
}

func (a *creator) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(*goMsg); ok {
		for i := uint64(0); i < a.count; i++ {
			ctx.Send(ctx.Spawn(a.props), &ball{i})
		}
	}
}

func forkJoinCreate(r *run) {
	n := r.count(1000000, 1)
	childrenLeft.Store(int64(n))
	props := r.props(func() actor.Actor { return &child{r: r} })
	c := r.spawn(func() actor.Actor { return &creator{r, props, n} })
	r.begin(n)
	r.system.Root.Send(c, &goMsg{})
	r.await()
}

type mayfly struct{ handled uint64 }

func (a *mayfly) Receive(ctx actor.Context) {
	if msg, ok := ctx.Message().(*ball); ok {
		a.handled += msg.left + 1
		ctx.Respond(&done{})
		ctx.Stop(ctx.Self())
	}
}

type breeder struct {
	r     *run
	props *actor.Props
	left  uint64
}

func (a *breeder) breed(ctx actor.Context) {
	ctx.Request(ctx.Spawn(a.props), &ball{a.left})
}

func (a *breeder) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *goMsg:
		a.breed(ctx)
	case *done:
		if a.left--; a.left == 0 {
			a.r.finish()
		} else {
			a.breed(ctx)
		}
	}
}

func churn(r *run) {
	n := r.count(1000000, 1)
	props := r.props(func() actor.Actor { return &mayfly{} })
	b := r.spawn(func() actor.Actor { return &breeder{r, props, n} })
	r.begin(n)
	r.system.Root.Send(b, &goMsg{})
	r.await()
}
