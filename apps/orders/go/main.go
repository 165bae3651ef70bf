// A node of the order system as a protoactor-go program: it takes the place of any of the three
// nodes of `orders node`, gateway, processing or ledger, beside C nodes or others of its kind. What
// the nodes say to each other is in proto/orders/talk.proto and nodes.proto, and by what rules in
// docs/internals/nodes.md; nothing here knows of Troupe.
//
// A node keeps all it knows in one file (--db), a line for each transaction, and may be killed and
// started again at any instant.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
)

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "orders: "+format+"\n", args...)
}

// fail ends the process: started again, it goes on from what is on disk.
func fail(format string, args ...any) {
	say(format, args...)
	os.Exit(2)
}

func packed(books any) []byte {
	text, err := json.Marshal(books)
	if err != nil {
		fail("books cannot be packed: %v", err)
	}
	return text
}

type peerFlags map[string]string

func (p peerFlags) String() string { return "" }

func (p peerFlags) Set(text string) error {
	role, address, found := strings.Cut(text, "=")
	if !found || address == "" {
		return fmt.Errorf("want ROLE=HOST:PORT")
	}
	p[role] = address
	return nil
}

func appendTo(path string) *os.File {
	if path == "" {
		return nil
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		fail("%v", err)
	}
	return file
}

func main() {
	peers := peerFlags{}
	roleName := flag.String("role", "", "gateway, processing or ledger")
	listen := flag.String("listen", "127.0.0.1:0", "HOST:PORT of this node")
	flag.Var(peers, "peer", "ROLE=HOST:PORT of another one")
	db := flag.String("db", "", "file that holds all this node knows")
	data := flag.String("data", "", "gateway: orders to take in, CSV")
	untilDone := flag.Bool("until-done", false, "gateway: end when all orders have")
	acknowledged := flag.String("acknowledged", "", "gateway: file for the numbers of orders accepted")
	seed := flag.Uint64("seed", 1, "processing: of the provider's decisions")
	declines := flag.Uint64("declines", 20, "processing: captures declined, per thousand")
	minutes := flag.Int64("duplicate-window", 10, "processing: repeated baskets, in minutes; 0: never")
	books := flag.String("provider", "", "processing: file in which the provider remembers")
	stock := flag.Int64("stock", -1, "ledger: pieces of each product at the start; -1: no bound")
	notices := flag.String("notices", "", "ledger: file for what customers are told")
	flag.Parse()

	var logic role
	switch *roleName {
	case "gateway":
		g, err := newGateway(*data, appendTo(*acknowledged))
		if err != nil {
			fail("%v", err)
		}
		logic = g
	case "processing":
		p, err := openProvider(*books, *seed, *declines)
		if err != nil {
			fail("%v", err)
		}
		logic = &processing{provider: p, window: *minutes * 60, refunds: map[string]bool{}}
	case "ledger":
		logic = newLedger(*stock, appendTo(*notices))
	default:
		fail("--role is '%s', want gateway, processing or ledger", *roleName)
	}
	for _, other := range []string{"gateway", "processing", "ledger"} {
		if other != *roleName && peers[other] == "" {
			fail("where is the %s? Say --peer %s=HOST:PORT", other, other)
		}
	}
	delete(peers, *roleName)
	n, err := newNode(*roleName, *db, logic, peers)
	if err != nil {
		fail("%v", err)
	}
	run(n, *listen, *untilDone)
}

func run(n *node, listen string, untilDone bool) {
	host, portText, err := net.SplitHostPort(listen)
	port, notNumber := strconv.Atoi(portText)
	if err != nil || notNumber != nil {
		fail("--listen is '%s', want HOST:PORT", listen)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError + 1}))
	}))
	r := remote.NewRemote(system, remote.Configure(host, port))
	r.Start()
	props := actor.PropsFromProducer(func() actor.Actor { return n })
	pid, err := system.Root.SpawnNamed(props, "post."+n.role)
	if err != nil {
		fail("%v", err)
	}
	say("%s: serves on %s", n.role, system.Address())
	ticks := time.NewTicker(50 * time.Millisecond)
	report := map[string]any{}
	for ended := false; !ended; {
		select {
		case <-signals:
			ended = true
		case <-ticks.C:
			system.Root.Send(pid, tick{})
			if untilDone {
				answer := make(chan map[string]any, 1)
				system.Root.Send(pid, look{answer})
				report = <-answer
				ended = report["done"].(bool)
			}
		}
	}
	answer := make(chan map[string]any, 1)
	system.Root.Send(pid, look{answer})
	report = <-answer
	system.Root.Send(pid, halt{})
	<-n.halted
	left := make(chan struct{})
	go func() {
		r.Shutdown(true)
		close(left)
	}()
	select { // It would wait ten seconds for peers that stay.
	case <-left:
	case <-time.After(500 * time.Millisecond):
	}
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		fail("the report cannot be written: %v", err)
	}
}
