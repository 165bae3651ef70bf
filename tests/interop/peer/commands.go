package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

type command struct {
	words int // that follow; -1: any number
	obey  func(n *node, words []string) (string, error)
}

var commands = map[string]command{
	"spawn":     {2, (*node).spawn},
	"forwarder": {2, (*node).spawnForwarder},
	"send":      {2, (*node).send},
	"request":   {2, (*node).request},
	"ask":       {4, (*node).ask},
	"ask-with":  {5, (*node).askWith},
	"watch":     {1, (*node).watch},
	"unwatch":   {1, (*node).unwatch},
	"stop":      {1, (*node).stop},
	"poison":    {1, (*node).poison},
	"end":       {3, (*node).end},
	"spawn-at":  {5, (*node).spawnAt},
	"flood":     {5, (*node).flood},
	"numbers":   {2, (*node).numbersOf},
	"dead":      {0, (*node).deadLetters},
	"shutdown":  {1, (*node).shutdown},
	"raw":       {-1, (*node).rawCommand},
}

func (n *node) obey(name string, words []string) (string, error) {
	c, ok := commands[name]
	if !ok {
		return "", errors.New("no such command")
	}
	if c.words >= 0 && len(words) != c.words {
		return "", errUsage
	}
	return c.obey(n, words)
}

// spawn NAME KIND
func (n *node) spawn(words []string) (string, error) {
	producer, ok := kinds(n)[words[1]]
	if !ok {
		return "", fmt.Errorf("there is no kind %q", words[1])
	}
	pid, err := n.system.Root.SpawnNamed(actor.PropsFromProducer(producer), words[0])
	if err != nil {
		return "", err
	}
	return pidText(pid), nil
}

// forwarder NAME PID
func (n *node) spawnForwarder(words []string) (string, error) {
	to := n.pidOf(words[1])
	props := actor.PropsFromProducer(func() actor.Actor { return &forwarder{to} })
	pid, err := n.system.Root.SpawnNamed(props, words[0])
	if err != nil {
		return "", err
	}
	return pidText(pid), nil
}

// send PID MESSAGE: without a sender
func (n *node) send(words []string) (string, error) {
	m, err := message(words[1])
	if err == nil {
		n.system.Root.Send(n.pidOf(words[0]), m)
	}
	return "", err
}

// request PID MESSAGE: the driver is the sender, and tells of the answer
func (n *node) request(words []string) (string, error) {
	m, err := message(words[1])
	if err == nil {
		n.system.Root.Send(n.driver, &requestCommand{n.pidOf(words[0]), m})
	}
	return "", err
}

type future interface{ Result() (any, error) }

// await tells of the outcome under a tag: "answer TAG MESSAGE" or "failed TAG WHY".
func await(tag string, f future) {
	go func() {
		result, err := f.Result()
		switch {
		case errors.Is(err, actor.ErrTimeout):
			say("failed %s timeout", tag)
		case errors.Is(err, actor.ErrDeadLetter):
			say("failed %s dead-letter", tag)
		case err != nil:
			say("failed %s %q", tag, err)
		default:
			if _, ended := result.(*actor.Terminated); ended {
				say("answer %s terminated", tag)
				return
			}
			text, ok := textOf(result)
			if !ok {
				text = fmt.Sprintf("other:%T", result)
			}
			say("answer %s %s", tag, text)
		}
	}()
}

// ask TAG PID TIMEOUT_MS MESSAGE: a future
func (n *node) ask(words []string) (string, error) {
	timeout, err := milliseconds(words[2])
	if err != nil {
		return "", err
	}
	m, err := message(words[3])
	if err == nil {
		await(words[0], n.system.Root.RequestFuture(n.pidOf(words[1]), m, timeout))
	}
	return "", err
}

// ask-with TAG PID TIMEOUT_MS MESSAGE KEY=VALUE: a future, and a header
func (n *node) askWith(words []string) (string, error) {
	timeout, err := milliseconds(words[2])
	if err != nil {
		return "", err
	}
	m, err := message(words[3])
	if err != nil {
		return "", err
	}
	key, value, _ := cut(words[4])
	root := n.system.Root.Copy().WithSenderMiddleware(func(next actor.SenderFunc) actor.SenderFunc {
		return func(ctx actor.SenderContext, to *actor.PID, envelope *actor.MessageEnvelope) {
			envelope.SetHeader(key, value)
			next(ctx, to, envelope)
		}
	})
	await(words[0], root.RequestFuture(n.pidOf(words[1]), m, timeout))
	return "", nil
}

func cut(text string) (string, string, bool) {
	for i := range text {
		if text[i] == '=' {
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}

func (n *node) watch(words []string) (string, error) {
	done := make(chan struct{})
	n.system.Root.Send(n.driver, &watchCommand{n.pidOf(words[0]), done})
	<-done
	return "", nil
}

func (n *node) unwatch(words []string) (string, error) {
	done := make(chan struct{})
	n.system.Root.Send(n.driver, &unwatchCommand{n.pidOf(words[0]), done})
	<-done
	return "", nil
}

func (n *node) stop(words []string) (string, error) {
	n.system.Root.Stop(n.pidOf(words[0]))
	return "", nil
}

func (n *node) poison(words []string) (string, error) {
	n.system.Root.Poison(n.pidOf(words[0]))
	return "", nil
}

// end TAG stop|poison PID: with a future, which is a watch
func (n *node) end(words []string) (string, error) {
	pid := n.pidOf(words[2])
	switch words[1] {
	case "stop":
		await(words[0], n.system.Root.StopFuture(pid))
	case "poison":
		await(words[0], n.system.Root.PoisonFuture(pid))
	default:
		return "", fmt.Errorf("%q is neither stop nor poison", words[1])
	}
	return "", nil
}

// spawn-at TAG ADDRESS NAME KIND TIMEOUT_MS: "spawned TAG STATUS PID"; NAME - lets the node choose
func (n *node) spawnAt(words []string) (string, error) {
	timeout, err := milliseconds(words[4])
	if err != nil {
		return "", err
	}
	name := words[2]
	if name == "-" {
		name = ""
	}
	go func() {
		got, err := n.remote.SpawnNamed(words[1], name, words[3], timeout)
		if err != nil {
			say("failed %s %q", words[0], err)
			return
		}
		say("spawned %s %d %s", words[0], got.StatusCode, pidText(got.Pid))
	}()
	return "", nil
}

// flood TAG PID SOURCE FROM:COUNT PAUSE_US: numbered messages of one actor, "flooded TAG" at the end
func (n *node) flood(words []string) (string, error) {
	source, err := strconv.ParseUint(words[2], 10, 31)
	if err != nil {
		return "", err
	}
	var from, count uint64
	if _, err := fmt.Sscanf(words[3], "%d:%d", &from, &count); err != nil {
		return "", err
	}
	pause, err := strconv.Atoi(words[4])
	if err != nil {
		return "", err
	}
	to := n.pidOf(words[1])
	n.system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		if _, ok := ctx.Message().(*actor.Started); !ok {
			return
		}
		for i := from; i < from+count; i++ {
			ctx.Send(to, wrapperspb.UInt64(source<<32|i))
			if pause > 0 {
				time.Sleep(time.Duration(pause) * time.Microsecond)
			}
		}
		say("flooded %s", words[0])
		ctx.Stop(ctx.Self())
	}))
	return "", nil
}

// numbers NAME SOURCE: "COUNT LAST TWICE DISORDERED"
func (n *node) numbersOf(words []string) (string, error) {
	source, err := strconv.ParseUint(words[1], 10, 31)
	return n.numbers.text(words[0], source), err
}

// dead: how many dead letters there were
func (n *node) deadLetters([]string) (string, error) {
	return strconv.FormatInt(n.dead.value.Load(), 10), nil
}

// shutdown graceful|hard
func (n *node) shutdown(words []string) (string, error) {
	n.remote.Shutdown(words[0] == "graceful")
	return "", nil
}
