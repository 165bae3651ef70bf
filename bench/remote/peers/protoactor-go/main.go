// The benchmark between two protoactor-go nodes: see bench/remote/README.md. Built for each
// dialect with its own go.mod.
//
//	bench serve ADDRESS
//	bench run ADDRESS        then lines WORKLOAD SIZE PAIRS COUNT on standard input
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"
)

const pairsMax = 100
const window = 1000 // requests under way, of all pairs together

func fail(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

func load(size int) proto.Message {
	if size == 0 {
		return &Nothing{}
	}
	return &Load{Data: make([]byte, size)}
}

// sink counts what comes, and answers when as many have come as it was told.
type sink struct {
	left   uint64
	caller *actor.PID
}

func (s *sink) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *Count:
		s.left, s.caller = m.Value, ctx.Sender()
	case *Load, *Nothing:
		s.left--
		if s.left == 0 {
			ctx.Send(s.caller, &Count{})
		}
	}
}

// echo answers with a message of its own, as long as the one that came.
type echo struct{}

func (*echo) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *Load:
		ctx.Respond(&Load{Data: m.Data})
	case *Nothing:
		ctx.Respond(&Nothing{})
	}
}

// source sends a stream to its sink.
type source struct {
	to          *actor.PID
	size, count int
	done        chan<- struct{}
}

func (s *source) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *actor.Started:
		ctx.Request(s.to, &Count{Value: uint64(s.count)})
		for i := 0; i < s.count; i++ {
			ctx.Send(s.to, load(s.size))
		}
	case *Count:
		s.done <- struct{}{}
		ctx.Stop(ctx.Self())
	}
}

// asker keeps some requests under way.
type asker struct {
	to                       *actor.PID
	size, count, atOnce, got int
	sent                     int
	done                     chan<- struct{}
}

func (a *asker) ask(ctx actor.Context) {
	if a.sent < a.count {
		a.sent++
		ctx.Request(a.to, load(a.size))
	}
}

func (a *asker) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *actor.Started:
		for i := 0; i < a.atOnce; i++ {
			a.ask(ctx)
		}
	case *Load, *Nothing:
		a.got++
		if a.got == a.count {
			a.done <- struct{}{}
			ctx.Stop(ctx.Self())
			return
		}
		a.ask(ctx)
	}
}

func play(system *actor.ActorSystem, address, workload string, size, pairs, count int) {
	done := make(chan struct{}, pairs)
	each := count / pairs
	began := time.Now()
	for i := 0; i < pairs; i++ {
		var producer actor.Producer
		switch workload {
		case "stream":
			to := actor.NewPID(address, "sink"+strconv.Itoa(i))
			producer = func() actor.Actor { return &source{to, size, each, done} }
		case "window", "ask":
			to := actor.NewPID(address, "echo"+strconv.Itoa(i))
			atOnce := 1
			if workload == "window" {
				atOnce = window / pairs
			}
			producer = func() actor.Actor {
				return &asker{to: to, size: size, count: each, atOnce: atOnce, done: done}
			}
		default:
			fail(fmt.Errorf("there is no workload %q", workload))
		}
		system.Root.Spawn(actor.PropsFromProducer(producer))
	}
	for i := 0; i < pairs; i++ {
		<-done
	}
	fmt.Printf("end %.9f %d\n", time.Since(began).Seconds(), each*pairs)
}

func options() []remote.ConfigOption {
	certificate, key, ca := os.Getenv("BENCH_CERT"), os.Getenv("BENCH_KEY"), os.Getenv("BENCH_CA")
	if certificate == "" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		fail(err)
	}
	text, err := os.ReadFile(ca)
	if err != nil {
		fail(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	server := &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool,
		ClientAuth: tls.RequireAndVerifyClientCert}
	client := &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool}
	return []remote.ConfigOption{remote.WithServerOptions(grpc.Creds(credentials.NewTLS(server))),
		remote.WithDialOptions(grpc.WithTransportCredentials(credentials.NewTLS(client)))}
}

func start(address string) *actor.ActorSystem {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		fail(err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		fail(err)
	}
	quiet := func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	system := actor.NewActorSystem(actor.WithLoggerFactory(quiet))
	remote.NewRemote(system, remote.Configure(host, port, options()...)).Start()
	return system
}

func serve(address string) {
	system := start(address)
	for i := 0; i < pairsMax; i++ {
		for name, producer := range map[string]actor.Producer{
			"sink": func() actor.Actor { return &sink{} },
			"echo": func() actor.Actor { return &echo{} },
		} {
			props := actor.PropsFromProducer(producer)
			if _, err := system.Root.SpawnNamed(props, name+strconv.Itoa(i)); err != nil {
				fail(err)
			}
		}
	}
	fmt.Println("ready", system.Address())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func run(address string) {
	system := start("127.0.0.1:0")
	fmt.Println("ready", system.Address())
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var workload string
		var size, pairs, count int
		if _, err := fmt.Sscan(lines.Text(), &workload, &size, &pairs, &count); err != nil {
			fail(err)
		}
		play(system, address, workload, size, pairs, count)
	}
}

func main() {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "serve":
		serve(os.Args[2])
	case len(os.Args) == 3 && os.Args[1] == "run":
		run(os.Args[2])
	default:
		fmt.Fprintln(os.Stderr, "usage: bench serve ADDRESS | run ADDRESS")
		os.Exit(2)
	}
}
