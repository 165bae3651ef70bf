// A protoactor-go node for the interop tests: it does what its standard input says, and writes
// what happens to its standard output, a line each.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func say(format string, args ...any) {
	fmt.Printf(format+"\n", args...)
}

func name(pid *actor.PID) string {
	if pid == nil {
		return "nobody"
	}
	return pid.Id + "@" + pid.Address
}

// Answers every text, and says what it got.
func echo(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *wrapperspb.StringValue:
		sender := ctx.Sender()
		if !strings.HasPrefix(msg.Value, "quiet") {
			say("echo %s from %s", msg.Value, name(sender))
		}
		if v, ok := ctx.MessageHeader().ToMap()["color"]; ok {
			say("echo header %s", v)
		}
		if sender != nil {
			ctx.Respond(wrapperspb.String("echo:" + msg.Value))
		}
	case *actor.Touch:
		say("echo touched")
	case *actor.Stopped:
		say("echo stopped")
	}
}

type order struct {
	what string
	pid  *actor.PID
	text string
}

// Sends, asks and watches in the name of an actor of its own.
func user(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *order:
		switch msg.what {
		case "send":
			ctx.Send(msg.pid, wrapperspb.String(msg.text))
		case "request":
			ctx.Request(msg.pid, wrapperspb.String(msg.text))
		case "watch":
			ctx.Watch(msg.pid)
		case "unwatch":
			ctx.Unwatch(msg.pid)
		case "touch":
			ctx.Request(msg.pid, &actor.Touch{})
		}
	case *wrapperspb.StringValue:
		say("user %s from %s", msg.Value, name(ctx.Sender()))
	case *actor.Terminated:
		say("user terminated %s %s", msg.Who.Id, msg.Why)
	case *actor.Touched:
		say("user touched %s", name(msg.Who))
	case *actor.DeadLetterResponse:
		say("user dead letter")
	}
}

func ask(system *actor.ActorSystem, pid *actor.PID, message any) {
	result, err := system.Root.RequestFuture(pid, message, 5*time.Second).Result()
	switch msg := result.(type) {
	case *wrapperspb.StringValue:
		say("answer %s", msg.Value)
	case *actor.Touched:
		say("answer touched %s", msg.Who.Id)
	default:
		say("answer failed %v", err)
	}
}

func dial(address string) remote.RemotingClient {
	conn, err := grpc.Dial(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	return remote.NewRemotingClient(conn)
}

func list(address, pattern string, match remote.ListProcessesMatchType) {
	answer, err := dial(address).ListProcesses(context.Background(),
		&remote.ListProcessesRequest{Pattern: pattern, Type: match})
	if err != nil {
		say("listed failed %v", err)
		return
	}
	names := []string{}
	for _, pid := range answer.Pids {
		names = append(names, name(pid))
	}
	sort.Strings(names)
	say("listed %s", strings.Join(names, " "))
}

func diagnose(address, id string) {
	answer, err := dial(address).GetProcessDiagnostics(context.Background(),
		&remote.GetProcessDiagnosticsRequest{Pid: actor.NewPID(address, id)})
	if err != nil {
		say("diagnosed failed %v", err)
		return
	}
	say("diagnosed %s", answer.DiagnosticsString)
}

func main() {
	port, _ := strconv.Atoi(os.Args[1])
	quiet := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return quiet }))
	node := remote.NewRemote(system, remote.Configure("127.0.0.1", port,
		remote.WithKinds(remote.NewKind("echo", actor.PropsFromFunc(echo)))))
	node.Start()
	if _, err := system.Root.SpawnNamed(actor.PropsFromFunc(echo), "echo"); err != nil {
		say("error %v", err)
	}
	self, _ := system.Root.SpawnNamed(actor.PropsFromFunc(user), "user")
	say("ready %s", system.Address())
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		word := strings.SplitN(lines.Text(), " ", 4) // what address id text
		for len(word) < 4 {
			word = append(word, "")
		}
		pid := actor.NewPID(word[1], word[2])
		switch word[0] {
		case "ask":
			go ask(system, pid, wrapperspb.String(word[3]))
		case "asktouch":
			go ask(system, pid, &actor.Touch{})
		case "poison":
			system.Root.Poison(pid)
		case "stop":
			system.Root.Stop(pid)
		case "spawn":
			go func() {
				answer, err := node.SpawnNamed(word[1], word[3], word[2], 5*time.Second)
				if err != nil {
					say("spawned failed %v", err)
				} else {
					say("spawned %d %s", answer.StatusCode, name(answer.Pid))
				}
			}()
		case "list": // what pattern (0 part, 1 exact) instead of an id
			match, _ := strconv.Atoi(word[2])
			go list(word[1], word[3], remote.ListProcessesMatchType(match))
		case "diagnose":
			go diagnose(word[1], word[2])
		case "flood": // as many texts as the number says, in order
			count, _ := strconv.Atoi(word[3])
			for i := 0; i < count; i++ {
				system.Root.Send(pid, wrapperspb.String(fmt.Sprintf("quiet %d", i)))
			}
		case "quit":
			node.Shutdown(true)
			say("bye")
			return
		default:
			system.Root.Send(self, &order{word[0], pid, word[3]})
		}
	}
}
