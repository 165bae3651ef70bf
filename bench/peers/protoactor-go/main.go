// Command bench plays one of the workloads of bench/README.md with protoactor-go and
// prints nanoseconds per unit (bytes per actor for idle-memory).
//
//	bench WORKLOAD WORKERS SCALE [long-lived | default]
//
// The last one chooses what runs the mailboxes: goroutines that live on, or protoactor-go's
// own dispatcher.
package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// pool runs mailboxes on long-lived goroutines, one per worker. The default dispatcher
// starts a goroutine for each mailbox run, which is slower on most workloads, but not on all.
type pool struct{ work chan func() }

func newPool(workers int) *pool {
	p := &pool{work: make(chan func(), 1<<16)}
	for i := 0; i < workers; i++ {
		go func() {
			for fn := range p.work {
				fn()
			}
		}()
	}
	return p
}

// Schedule never blocks: a worker that waited for itself would wait for ever.
func (p *pool) Schedule(fn func()) {
	select {
	case p.work <- fn:
	default:
		go fn()
	}
}

func (p *pool) Throughput() int { return 300 }

// run is one workload in one system.
type run struct {
	system   *actor.ActorSystem
	options  []actor.PropsOption
	scale    float64
	units    uint64
	bytes    float64
	began    time.Time
	ended    time.Time
	finished chan struct{}
	spawned  []*actor.PID
}

func (r *run) props(producer actor.Producer) *actor.Props {
	return actor.PropsFromProducer(producer, r.options...)
}

// spawn starts an actor of this round.
func (r *run) spawn(producer actor.Producer) *actor.PID {
	pid := r.system.Root.Spawn(r.props(producer))
	r.spawned = append(r.spawned, pid)
	return pid
}

func (r *run) count(base, least uint64) uint64 {
	return max(uint64(float64(base)*r.scale), least)
}

// begin starts the clock once the actors that were set up are at rest.
func (r *run) begin(units uint64) {
	time.Sleep(50 * time.Millisecond)
	r.units = units
	r.began = time.Now()
}

func (r *run) finish() {
	r.ended = time.Now()
	r.finished <- struct{}{}
}

func (r *run) await() { <-r.finished }

type workload struct {
	play       func(*run)
	warmRounds int
	warmScale  float64
}

var workloads = map[string]workload{
	"ping-pong":            {func(r *run) { rings(r, 2, 1) }, 0, 0.1},
	"pairs":                {func(r *run) { rings(r, 2, 1000) }, 0, 0.1},
	"ring-100":             {func(r *run) { rings(r, 100, 1) }, 0, 0.1},
	"ring-503":             {func(r *run) { rings(r, 503, 1) }, 0, 0.1},
	"counting":             {func(r *run) { producers(r, 1, 1000000, 0) }, 0, 0},
	"counting-warm":        {func(r *run) { producers(r, 1, 1000000, 0) }, 3, 0},
	"counting-windowed":    {func(r *run) { producers(r, 1, 1000000, 1000) }, 0, 0.1},
	"fork-join-throughput": {forkJoinThroughput, 0, 0.1},
	"fork-join-create":     {forkJoinCreate, 0, 0.1},
	"churn":                {churn, 0, 0.1},
	"chameneos":            {chameneos, 0, 0.1},
	"big":                  {big, 0, 0.1},
	"fan-in":               {func(r *run) { producers(r, 60, 1200000, 0) }, 0, 0.1},
	"fan-in-windowed":      {func(r *run) { producers(r, 60, 1200000, 100) }, 0, 0.1},
	"fan-out":              {fanOut, 0, 0.1},
	"ask":                  {ask, 0, 0.1},
	"idle-memory":          {idleMemory, 0, 0},
	"parallel":             {parallel, 0, 0.1},
}

func (r *run) play(w workload, scale float64) float64 {
	r.scale = scale
	w.play(r)
	for _, pid := range r.spawned {
		r.system.Root.Stop(pid)
	}
	r.spawned = nil
	if r.bytes > 0 {
		return r.bytes
	}
	return float64(r.ended.Sub(r.began).Nanoseconds()) / float64(r.units)
}

func main() {
	dispatcher := "long-lived"
	if len(os.Args) == 5 {
		dispatcher = os.Args[4]
	} else if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: bench WORKLOAD WORKERS SCALE [long-lived | default]")
		os.Exit(2)
	}
	w, known := workloads[os.Args[1]]
	workers, workersErr := strconv.Atoi(os.Args[2])
	scale, scaleErr := strconv.ParseFloat(os.Args[3], 64)
	chosen := dispatcher == "long-lived" || dispatcher == "default"
	if !known || workersErr != nil || scaleErr != nil || !chosen {
		fmt.Fprintf(os.Stderr, "bench: bad arguments %q\n", os.Args[1:])
		os.Exit(2)
	}
	runtime.GOMAXPROCS(workers)
	quiet := func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError}))
	}
	r := &run{
		system:   actor.NewActorSystem(actor.WithLoggerFactory(quiet)),
		finished: make(chan struct{}),
	}
	if dispatcher == "long-lived" {
		r.options = append(r.options, actor.WithDispatcher(newPool(workers)))
	}
	if w.warmScale > 0 {
		r.play(w, scale*w.warmScale)
	}
	for i := 0; i < w.warmRounds; i++ {
		r.play(w, scale)
	}
	fmt.Printf("%.4f\n", r.play(w, scale))
}
