// The order example as a protoactor-go program: a client that sends orders to the actor `order` of
// a node, and a server whose actors order, validation, payment, inventory, ledger and notification
// hand an order on and show what they get. A line of standard input is a command, a line of
// standard output what happened.
package main

import (
	"bufio"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"orders/messages"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
)

func say(format string, args ...any) {
	fmt.Printf(format+"\n", args...)
}

// A step of the server: shows its message and hands the order on to the next actor.
func step(next func(ctx actor.Context)) actor.ReceiveFunc {
	return func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case *messages.OrderMessage:
			say("%s order %s %s %.2f", ctx.Self().Id, m.OrderId, m.UserId, m.Amount)
		case *messages.ValidationMessage:
			say("%s valid %s %t", ctx.Self().Id, m.OrderId, m.IsValid)
		case *messages.PaymentMessage:
			say("%s pay %s %s %.2f", ctx.Self().Id, m.OrderId, m.UserId, m.Amount)
		case *messages.InventoryMessage:
			say("%s take %s %s %d", ctx.Self().Id, m.OrderId, m.ItemId, m.Quantity)
		case *messages.LedgerMessage:
			say("%s enter %s %.2f %s", ctx.Self().Id, m.OrderId, m.Amount, m.Status)
		case *messages.NotificationMessage:
			say("%s tell %s %s", ctx.Self().Id, m.UserId, m.Message)
		default:
			return
		}
		if next != nil {
			next(ctx)
		}
	}
}

// serve spawns the six actors. Whoever asked `order` is answered by the ledger.
func serve(system *actor.ActorSystem) {
	spawn := func(name string, next func(ctx actor.Context)) *actor.PID {
		pid, err := system.Root.SpawnNamed(actor.PropsFromFunc(step(next)), name)
		if err != nil {
			panic(err)
		}
		return pid
	}
	notification := spawn("notification", nil)
	ledger := spawn("ledger", func(ctx actor.Context) {
		m := ctx.Message().(*messages.LedgerMessage)
		if ctx.Sender() != nil {
			ctx.Respond(m)
		}
		ctx.Send(notification, &messages.NotificationMessage{UserId: "?", Message: m.Status})
	})
	inventory := spawn("inventory", nil)
	payment := spawn("payment", func(ctx actor.Context) {
		m := ctx.Message().(*messages.PaymentMessage)
		ctx.Send(inventory, &messages.InventoryMessage{OrderId: m.OrderId, ItemId: "item", Quantity: 1})
		entry := &messages.LedgerMessage{OrderId: m.OrderId, Amount: m.Amount, Status: "paid"}
		if ctx.Sender() != nil {
			ctx.RequestWithCustomSender(ledger, entry, ctx.Sender())
		} else {
			ctx.Send(ledger, entry)
		}
	})
	validation := spawn("validation", nil)
	spawn("order", func(ctx actor.Context) {
		m := ctx.Message().(*messages.OrderMessage)
		ctx.Send(validation, &messages.ValidationMessage{OrderId: m.OrderId, IsValid: m.Amount > 0})
		pay := &messages.PaymentMessage{OrderId: m.OrderId, UserId: m.UserId, Amount: m.Amount}
		if ctx.Sender() != nil {
			ctx.RequestWithCustomSender(payment, pay, ctx.Sender())
		} else {
			ctx.Send(payment, pay)
		}
	})
}

// order ADDRESS ID USER AMOUNT: asks, and says the answer.
func order(system *actor.ActorSystem, words []string) {
	amount, err := strconv.ParseFloat(words[3], 32)
	if err != nil {
		say("error %v", err)
		return
	}
	answer, err := system.Root.RequestFuture(actor.NewPID(words[0], "order"), &messages.OrderMessage{
		OrderId: words[1], UserId: words[2], Amount: float32(amount)}, 10*time.Second).Result()
	if err != nil {
		say("failed %s %v", words[1], err)
		return
	}
	switch m := answer.(type) {
	case *messages.LedgerMessage:
		say("answer %s %.2f %s", m.OrderId, m.Amount, m.Status)
	default:
		say("strange %T", m)
	}
}

// ask ADDRESS ACTOR ID: what a node's other named actors answer.
func ask(system *actor.ActorSystem, words []string) {
	id := words[2]
	question := map[string]any{
		"validation":   &messages.OrderMessage{OrderId: id, UserId: "5", Amount: 1},
		"payment":      &messages.PaymentMessage{OrderId: id, UserId: "5", Amount: 1},
		"inventory":    &messages.InventoryMessage{OrderId: "1", ItemId: id, Quantity: 1},
		"ledger":       &messages.LedgerMessage{OrderId: id},
		"notification": &messages.NotificationMessage{UserId: id},
	}[words[1]]
	answer, err := system.Root.RequestFuture(actor.NewPID(words[0], words[1]), question,
		10*time.Second).Result()
	if err != nil {
		say("failed %s %v", id, err)
		return
	}
	switch m := answer.(type) {
	case *messages.ValidationMessage:
		say("answer %s %t", m.OrderId, m.IsValid)
	case *messages.LedgerMessage:
		say("answer %s %.2f %s", m.OrderId, m.Amount, m.Status)
	case *messages.InventoryMessage:
		say("answer %s %s %d", m.OrderId, m.ItemId, m.Quantity)
	case *messages.NotificationMessage:
		say("answer %s %s", m.UserId, m.Message)
	default:
		say("strange %T", m)
	}
}

func main() {
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}))
	r := remote.NewRemote(system, remote.Configure("127.0.0.1", 0))
	r.Start()
	serve(system)
	say("ready %s", system.Address())
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 5 && words[0] == "order" {
			order(system, words[1:])
		} else if len(words) == 4 && words[0] == "ask" {
			ask(system, words[1:])
		} else {
			say("error %s", lines.Text())
		}
	}
	r.Shutdown(true)
}
