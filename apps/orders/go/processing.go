package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"orders/wire"
)

// A provider that decides by seed and number, and remembers in a file what it was asked for.
type provider struct {
	seed     uint64
	declines uint64 // per thousand
	file     *os.File
	captured map[string]bool
}

func openProvider(path string, seed, declines uint64) (*provider, error) {
	p := &provider{seed: seed, declines: declines, captured: map[string]bool{}}
	if path == "" {
		return p, nil
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	p.file = file
	for in := bufio.NewScanner(file); in.Scan(); {
		var key string
		var pence int64
		if n, _ := fmt.Sscanf(in.Text(), "capture %s %d", &key, &pence); n == 2 {
			p.captured[key] = true
		}
	}
	return p, nil
}

func (p *provider) note(what, key string, pence int64) {
	if p.file == nil {
		return
	}
	if _, err := fmt.Fprintf(p.file, "%s %s %d\n", what, key, pence); err != nil {
		fail("the provider cannot remember: %v", err)
	}
}

func (p *provider) approves(key string) bool { return hash(p.seed*4, key)%1000 >= p.declines }

func (p *provider) capture(key string, pence int64) bool {
	p.note("capture", key, pence)
	p.captured[key] = true
	return p.approves(key)
}

// inquire: what became of a capture, if there was one.
func (p *provider) inquire(key string) (approved, known bool) {
	return p.approves(key), p.captured[key]
}

// Validation and payment, in the order of the gateway.
type processing struct {
	provider *provider
	window   int64 // seconds; 0: repeated baskets are nothing special
	started  uint64
	resumed  uint64 // started by an earlier process
	recent   []decided
	orders   uint64
	paid     uint64
	refunds  map[string]bool
}

type decided struct {
	Number   uint64
	Key      string
	State    uint32
	Reason   uint32
	Amount   int64
	Paid     bool
	PlacedAt int64
	Basket   string `json:",omitempty"`
}

type processingBooks struct {
	Started uint64         `json:",omitempty"`
	Decided []decided      `json:",omitempty"`
	Refunds []*wire.Refund `json:",omitempty"`
}

func (r *processing) takes(kind uint32) bool { return kind == parcelOrder || kind == parcelRefund }
func (r *processing) begin()                 { r.resumed = r.started }
func (r *processing) written(*node)          {}
func (r *processing) done(*node) bool        { return true }

func (r *processing) report() map[string]any {
	return map[string]any{"orders": r.orders, "paid": r.paid, "refunds": len(r.refunds)}
}

func (r *processing) play(text []byte) error {
	var b processingBooks
	if err := json.Unmarshal(text, &b); err != nil {
		return err
	}
	r.started = max(r.started, b.Started)
	for _, d := range b.Decided {
		r.remember(d)
	}
	for _, refund := range b.Refunds {
		r.refunds[refund.Key] = true
	}
	return nil
}

func (r *processing) remember(d decided) {
	r.orders++
	if d.Paid {
		r.paid++
	}
	if d.Basket == "" {
		return
	}
	r.recent = append(r.recent, d)
	if len(r.recent) > 1024 {
		r.recent = r.recent[1:]
	}
}

func (r *processing) looksTwice(o *wire.Order) bool {
	b := basket(o)
	if b == "" || r.window == 0 {
		return false
	}
	for _, d := range r.recent {
		if d.Basket == b && d.Key != o.Key && !beyond(o.PlacedAt-d.PlacedAt, r.window) {
			return true
		}
	}
	return false
}

// pay: that the order was started is on disk. One that an earlier process has started may have been
// captured: the provider is asked first.
func (r *processing) pay(o *wire.Order, number uint64) bool {
	if number <= r.resumed {
		if approved, known := r.provider.inquire(o.Key); known {
			return approved
		}
	}
	return r.provider.capture(o.Key, o.Amount)
}

func (r *processing) decide(o *wire.Order, number uint64) decided {
	if r.looksTwice(o) {
		o.Flags |= flagSuspect
	}
	mark := basket(o)
	classify(o)
	if o.State == fulfilled && o.Amount != 0 {
		o.Paid = r.pay(o, number)
		if !o.Paid {
			o.State, o.Reason = rejected, reasonDeclined
			withdraw(o, notPaid)
		}
	}
	return decided{number, o.Key, o.State, o.Reason, o.Amount, o.Paid, o.PlacedAt, mark}
}

func (r *processing) write(n *node, items []item) any {
	books := &processingBooks{}
	last := r.started
	for _, it := range items {
		if it.order != nil {
			last = max(last, it.number)
		}
	}
	if last > r.started { // On disk before anything is asked of the provider.
		n.now.Books = packed(&processingBooks{Started: last})
		n.save()
		r.started = last
	}
	for _, it := range items {
		if it.refund != nil {
			if !r.refunds[it.refund.Key] {
				r.provider.note("refund", it.refund.Key, it.refund.Pence)
				r.refunds[it.refund.Key] = true
			}
			books.Refunds = append(books.Refunds, it.refund)
			continue
		}
		if it.order.What == 0 {
			d := r.decide(it.order, it.number)
			r.remember(d)
			books.Decided = append(books.Decided, d)
		}
		n.put("ledger", parcelOrder, it.order)
	}
	if len(books.Decided)+len(books.Refunds) == 0 {
		return nil
	}
	return books
}
