package main

// Workloads with a busy middle: chameneos, big, parallel.

import "github.com/asynkron/protoactor-go/actor"

type meet struct{ colour uint32 }
type met struct{ colour uint32 }

type creature struct {
	mall   *actor.PID
	colour uint32
}

func (a *creature) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *goMsg:
		ctx.Request(a.mall, &meet{a.colour})
	case *met:
		if msg.colour != a.colour {
			a.colour = 3 - a.colour - msg.colour
		}
		ctx.Request(a.mall, &meet{a.colour})
	}
}

type mall struct {
	r       *run
	left    uint64
	waiting *actor.PID
	colour  uint32
}

func (a *mall) Receive(ctx actor.Context) {
	msg, ok := ctx.Message().(*meet)
	if !ok || a.left == 0 {
		return
	}
	if a.waiting == nil {
		a.waiting, a.colour = ctx.Sender(), msg.colour
		return
	}
	ctx.Send(a.waiting, &met{msg.colour})
	ctx.Send(ctx.Sender(), &met{a.colour})
	a.waiting = nil
	if a.left--; a.left == 0 {
		a.r.finish()
	}
}

func chameneos(r *run) {
	meetings := r.count(500000, 1)
	m := r.spawn(func() actor.Actor { return &mall{r: r, left: meetings} })
	creatures := make([]*actor.PID, 100)
	for i := range creatures {
		creatures[i] = r.spawn(func() actor.Actor { return &creature{m, uint32(i % 3)} })
	}
	r.begin(meetings)
	for _, c := range creatures {
		r.system.Root.Send(c, &goMsg{})
	}
	r.await()
}

const bigActors = 120

type ping struct{}
type pong struct{}

type bigActor struct {
	all     []*actor.PID
	referee *actor.PID
	pings   uint64
	seed    uint32
}

func (a *bigActor) ping(ctx actor.Context) {
	a.seed = a.seed*1664525 + 1013904223
	ctx.Request(a.all[(a.seed>>8)%bigActors], &ping{})
}

func (a *bigActor) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *goMsg:
		a.ping(ctx)
	case *ping:
		ctx.Respond(&pong{})
	case *pong:
		if a.pings--; a.pings > 0 {
			a.ping(ctx)
		} else {
			ctx.Send(a.referee, &done{})
		}
	}
}

func big(r *run) {
	pings := r.count(2400000, 2*bigActors) / (2 * bigActors)
	ref := r.spawnReferee(bigActors)
	all := make([]*actor.PID, bigActors)
	for i := range all {
		all[i] = r.spawn(func() actor.Actor { return &bigActor{all, ref, pings, uint32(i + 1)} })
	}
	r.begin(pings * 2 * bigActors)
	for _, pid := range all {
		r.system.Root.Send(pid, &goMsg{})
	}
	r.await()
}

const (
	computers    = 64
	computeSteps = 910
)

type computer struct {
	referee *actor.PID
	value   uint32
}

func (a *computer) Receive(ctx actor.Context) {
	msg, ok := ctx.Message().(*ball)
	if !ok {
		return
	}
	value := a.value
	for i := 0; i < computeSteps; i++ {
		value = value*1664525 + 1013904223
	}
	a.value = value
	if msg.left == 0 {
		ctx.Send(a.referee, &done{})
	} else {
		ctx.Send(ctx.Self(), &ball{msg.left - 1})
	}
}

func parallel(r *run) {
	each := r.count(64000, computers) / computers
	ref := r.spawnReferee(computers)
	pids := make([]*actor.PID, computers)
	for i := range pids {
		pids[i] = r.spawn(func() actor.Actor { return &computer{referee: ref} })
	}
	r.begin(each * computers)
	for _, pid := range pids {
		r.system.Root.Send(pid, &ball{each - 1})
	}
	r.await()
}
