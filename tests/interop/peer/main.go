// A real protoactor-go node that a test drives by lines: commands on standard input, one answer
// ("ok …" or "error …") to each on standard output, and between them lines about what happens.
// See tests/interop/README.md for both. Built for each dialect with its own go.mod.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding/gzip"
)

var (
	listen    = flag.String("listen", "127.0.0.1:0", "address to listen on")
	advertise = flag.String("advertise", "", "address by which others reach this node")
	compress  = flag.Bool("gzip", false, "compress what is sent")
	certFile  = flag.String("tls-cert", "", "PEM file: mutual TLS, with the next two")
	keyFile   = flag.String("tls-key", "", "PEM file")
	caFile    = flag.String("tls-ca", "", "PEM file")
	verbose   = flag.Bool("verbose", false, "log to standard error")
)

var output sync.Mutex

// say writes one line; lines of several goroutines do not mix.
func say(format string, args ...any) {
	output.Lock()
	defer output.Unlock()
	fmt.Printf(format+"\n", args...)
}

type node struct {
	system  *actor.ActorSystem
	remote  *remote.Remote
	driver  *actor.PID // watches, and asks with itself as the sender
	raw     rawEnds
	dead    counter
	numbers numberTables
}

func credentialsOf() (credentials.TransportCredentials, credentials.TransportCredentials, error) {
	pair, err := tls.LoadX509KeyPair(*certFile, *keyFile)
	if err != nil {
		return nil, nil, err
	}
	text, err := os.ReadFile(*caFile)
	if err != nil {
		return nil, nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, nil, fmt.Errorf("%s holds no certificate", *caFile)
	}
	server := &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool,
		ClientAuth: tls.RequireAndVerifyClientCert}
	client := &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool}
	return credentials.NewTLS(server), credentials.NewTLS(client), nil
}

func options() ([]remote.ConfigOption, error) {
	var all []remote.ConfigOption
	if *advertise != "" {
		all = append(all, remote.WithAdvertisedHost(*advertise))
	}
	if *compress {
		all = append(all, remote.WithCallOptions(grpc.UseCompressor(gzip.Name)))
	}
	if *certFile != "" {
		server, client, err := credentialsOf()
		if err != nil {
			return nil, err
		}
		all = append(all, remote.WithServerOptions(grpc.Creds(server)),
			remote.WithDialOptions(grpc.WithTransportCredentials(client)))
	}
	return all, nil
}

func logger(_ *actor.ActorSystem) *slog.Logger {
	if *verbose {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return slog.New(slog.NewTextHandler(io.Discard, nil))
}

func start() (*node, error) {
	host, portText, err := net.SplitHostPort(*listen)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, err
	}
	more, err := options()
	if err != nil {
		return nil, err
	}
	n := &node{system: actor.NewActorSystem(actor.WithLoggerFactory(logger))}
	for name, producer := range kinds(n) {
		kind := remote.NewKind(name, actor.PropsFromProducer(producer))
		more = append(more, remote.WithKinds(kind))
	}
	n.remote = remote.NewRemote(n.system, remote.Configure(host, port, more...))
	n.remote.Start()
	n.follow()
	n.driver, err = n.system.Root.SpawnNamed(
		actor.PropsFromProducer(func() actor.Actor { return &driver{} }), "driver")
	return n, err
}

// follow tells of links, and counts dead letters.
func (n *node) follow() {
	n.system.EventStream.Subscribe(func(event any) {
		switch e := event.(type) {
		case *remote.EndpointTerminatedEvent:
			say("link-down %s", e.Address)
		case *remote.EndpointConnectedEvent:
			say("link-up %s", e.Address)
		case *actor.DeadLetterEvent:
			n.dead.add(1)
		}
	})
}

func run(n *node) int {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 16<<20)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		if words[0] == "exit" {
			say("ok")
			return 0
		}
		answer, err := n.obey(words[0], words[1:])
		if err != nil {
			say("error %s: %s", words[0], strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			say("%s", strings.TrimSpace("ok "+answer))
		}
	}
	return 0
}

var errUsage = errors.New("wrong number of words")

func milliseconds(text string) (time.Duration, error) {
	value, err := strconv.Atoi(text)
	return time.Duration(value) * time.Millisecond, err
}

func main() {
	flag.Parse()
	n, err := start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(2)
	}
	say("ready %s %s", n.system.Address(), n.system.ID)
	os.Exit(run(n))
}
