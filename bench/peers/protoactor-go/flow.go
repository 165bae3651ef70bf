package main

// Workloads in which many messages are under way, and the memory of idle actors.

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
)

type item struct {
	number uint64
	ack    uint32
}
type accepted struct{ number uint64 }

type sink struct {
	r    *run
	left uint64
}

func (a *sink) Receive(ctx actor.Context) {
	if msg, ok := ctx.Message().(*item); ok {
		if msg.ack != 0 {
			ctx.Respond(&accepted{msg.number})
		}
		if a.left--; a.left == 0 {
			a.r.finish()
		}
	}
}

type producer struct {
	sink          *actor.PID
	count, window uint64
}

func (a *producer) produce(ctx actor.Context, sent uint64) {
	last := a.count
	if a.window > 0 && sent+a.window < last {
		last = sent + a.window
	}
	for number := sent + 1; number <= last; number++ {
		if number == last && last < a.count {
			ctx.Request(a.sink, &item{number, 1})
		} else {
			ctx.Send(a.sink, &item{number, 0})
		}
	}
}

func (a *producer) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *goMsg:
		a.produce(ctx, 0)
	case *accepted:
		a.produce(ctx, msg.number)
	}
}

func producers(r *run, count int, messages, window uint64) {
	each := r.count(messages, uint64(count)) / uint64(count)
	total := each * uint64(count)
	s := r.spawn(func() actor.Actor { return &sink{r, total} })
	pids := make([]*actor.PID, count)
	for i := range pids {
		pids[i] = r.spawn(func() actor.Actor { return &producer{s, each, window} })
	}
	r.begin(total)
	for _, pid := range pids {
		r.system.Root.Send(pid, &goMsg{})
	}
	r.await()
}

type dealer struct {
	workers []*actor.PID
	each    uint64
}

func (a *dealer) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(*goMsg); ok {
		for left := a.each; left > 0; left-- {
			for _, w := range a.workers {
				ctx.Send(w, &ball{left - 1})
			}
		}
	}
}

type worker struct {
	referee *actor.PID
	sum     uint64
}

func (a *worker) Receive(ctx actor.Context) {
	if msg, ok := ctx.Message().(*ball); ok {
		a.sum += msg.left
		if msg.left == 0 {
			ctx.Send(a.referee, &done{})
		}
	}
}

func forkJoinThroughput(r *run) {
	each := r.count(1200000, 60) / 60
	ref := r.spawnReferee(60)
	workers := make([]*actor.PID, 60)
	for i := range workers {
		workers[i] = r.spawn(func() actor.Actor { return &worker{referee: ref} })
	}
	d := r.spawn(func() actor.Actor { return &dealer{workers, each} })
	r.begin(each * 60)
	r.system.Root.Send(d, &goMsg{})
	r.await()
}

type echo struct{ count uint64 }

func (a *echo) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(*ball); ok {
		a.count++
		ctx.Respond(&done{})
	}
}

type source struct {
	r       *run
	sinks   []*actor.PID
	rounds  uint64
	waiting int
}

func (a *source) round(ctx actor.Context) {
	a.waiting = len(a.sinks)
	for _, s := range a.sinks {
		ctx.Request(s, &ball{a.rounds})
	}
}

func (a *source) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *goMsg:
		a.round(ctx)
	case *done:
		if a.waiting--; a.waiting > 0 {
			return
		}
		if a.rounds--; a.rounds > 0 {
			a.round(ctx)
		} else {
			a.r.finish()
		}
	}
}

func fanOut(r *run) {
	rounds := r.count(2000000, 2000) / 2000
	sinks := make([]*actor.PID, 1000)
	for i := range sinks {
		sinks[i] = r.spawn(func() actor.Actor { return &echo{} })
	}
	s := r.spawn(func() actor.Actor { return &source{r: r, sinks: sinks, rounds: rounds} })
	r.begin(rounds * 2000)
	r.system.Root.Send(s, &goMsg{})
	r.await()
}

type sleeper struct {
	handled uint64
	left    *atomic.Int64
	r       *run
}

func (a *sleeper) Receive(ctx actor.Context) {
	if msg, ok := ctx.Message().(*ball); ok {
		a.handled += msg.left + 1
		if a.left.Add(-1) == 0 {
			a.r.finish()
		}
	}
}

// live returns the bytes of the heap and of the stacks that are in use after a collection.
func live() uint64 {
	runtime.GC()
	debug.FreeOSMemory()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc + stats.StackInuse
}

func idleMemory(r *run) {
	n := r.count(1000000, 1)
	r.spawned = make([]*actor.PID, 0, n)
	left := new(atomic.Int64)
	left.Store(int64(n))
	before := live()
	for i := uint64(0); i < n; i++ {
		pid := r.spawn(func() actor.Actor { return &sleeper{r: r, left: left} })
		r.system.Root.Send(pid, &ball{i})
	}
	r.await()
	r.bytes = float64(live()-before) / float64(n)
}
