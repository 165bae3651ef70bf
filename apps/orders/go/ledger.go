package main

import (
	"encoding/json"
	"fmt"
	"os"

	"orders/wire"

	"google.golang.org/protobuf/proto"
)

// Accounts.
const (
	clearing, sales, charges, returns, held, receivable, debts, accounts = 0, 1, 2, 3, 4, 5, 6, 7
)

type product struct {
	code                                 string
	received, sold, writtenOff, returned int64
}

type saleKey struct {
	customer, product uint32
	price             int64
}

// A line that was sold, and how much of it came back.
type sale struct {
	id             int64 // the order's, then the line's place: as in the books of the C node
	quantity, back int32
}

// Stock, books and notices, in the order of the gateway.
type ledger struct {
	stock     int64 // of each product at the start; -1: no bound
	notices   *os.File
	countries []string
	products  []*product // by number, from 1
	orders    []*wire.Order
	reverses  [][]int64
	refusals  []*wire.Order
	sales     map[saleKey][]*sale
	balance   [accounts]int64
	told      int
}

type ledgerBooks struct {
	Entered [][]byte `json:",omitempty"` // orders and refusals as they came, before their end
	Told    int      `json:",omitempty"`
}

func newLedger(stock int64, notices *os.File) *ledger {
	return &ledger{stock: stock, notices: notices, products: []*product{nil}, countries: []string{""},
		sales: map[saleKey][]*sale{}}
}

func (r *ledger) takes(kind uint32) bool { return kind == parcelOrder }
func (r *ledger) begin()                 { r.tell() }
func (r *ledger) done(*node) bool        { return true }

// play enters what was entered: the books follow from the orders in their order.
func (r *ledger) play(text []byte) error {
	var b ledgerBooks
	if err := json.Unmarshal(text, &b); err != nil {
		return err
	}
	for _, body := range b.Entered {
		o := &wire.Order{}
		if err := proto.Unmarshal(body, o); err != nil {
			return err
		}
		if _, err := r.enter(o); err != nil {
			return err
		}
	}
	r.told = max(r.told, b.Told)
	return nil
}

func (r *ledger) learn(o *wire.Order) error {
	first := int(o.CountriesKnown) - len(o.CountryWord) + 1
	for i, word := range o.CountryWord {
		if first+i == len(r.countries) {
			r.countries = append(r.countries, word.Text)
		} else if first+i > len(r.countries) || r.countries[first+i] != word.Text {
			return fmt.Errorf("country %d is '%s' there", first+i, word.Text)
		}
	}
	first = int(o.ProductsKnown) - len(o.ProductWord) + 1
	for i, word := range o.ProductWord {
		if first+i == len(r.products) {
			r.products = append(r.products, &product{code: word.Text})
		} else if first+i > len(r.products) || r.products[first+i].code != word.Text {
			return fmt.Errorf("product %d is '%s' there", first+i, word.Text)
		}
	}
	if int(o.ProductsKnown) >= len(r.products) || int(o.CountriesKnown) >= len(r.countries) {
		return fmt.Errorf("order %s uses words that are not known here", o.Key)
	}
	for _, l := range o.Line {
		if l.Product == 0 || int(l.Product) >= len(r.products) {
			return fmt.Errorf("order %s has product %d", o.Key, l.Product)
		}
	}
	return nil
}

func (r *ledger) left(p *product) int64 {
	return max(r.stock, 0) + p.received - p.sold - p.writtenOff
}

// reserve: all of it or nothing.
func (r *ledger) reserve(o *wire.Order) bool {
	want := map[uint32]int64{}
	for _, l := range o.Line {
		if l.Outcome == sold {
			want[l.Product] += int64(l.Quantity)
		} else if l.Outcome == writtenOff {
			want[l.Product] -= int64(l.Quantity)
		}
	}
	for number, pieces := range want {
		if r.stock >= 0 && pieces > r.left(r.products[number]) {
			return false
		}
	}
	for number, pieces := range want {
		p := r.products[number]
		p.received += max(pieces-r.left(p), 0)
	}
	return true
}

// findSale: the newest sale with enough left, one of just that size first.
func (r *ledger) findSale(o *wire.Order, l *wire.Order_Line) int64 {
	var found *sale
	list := r.sales[saleKey{o.Customer, l.Product, l.Price}]
	for i := len(list) - 1; i >= 0; i-- {
		left := list[i].quantity - list[i].back
		if left == -l.Quantity {
			found = list[i]
			break
		}
		if found == nil && left >= -l.Quantity {
			found = list[i]
		}
	}
	if found == nil {
		return 0
	}
	found.back -= l.Quantity
	return found.id
}

func (r *ledger) settleCancellation(o *wire.Order, reverses []int64) {
	for i, l := range o.Line {
		if l.Outcome != heldBack {
			continue
		}
		if o.Customer != 0 {
			reverses[i] = r.findSale(o, l)
		}
		if reverses[i] != 0 {
			l.Outcome = returned
		} else {
			o.State, o.Reason = parked, reasonNoOriginal
		}
	}
}

func (r *ledger) keepStock(o *wire.Order, id int64) {
	for i, l := range o.Line {
		p := r.products[l.Product]
		switch {
		case l.Outcome == sold:
			p.sold += int64(l.Quantity)
		case l.Outcome == writtenOff:
			p.writtenOff -= int64(l.Quantity)
		case l.Outcome == returned && l.Flags&flagNoProduct == 0:
			p.returned -= int64(l.Quantity)
		}
		if l.Outcome <= charged && o.Customer != 0 {
			key := saleKey{o.Customer, l.Product, l.Price}
			r.sales[key] = append(r.sales[key], &sale{id<<16 | int64(i), l.Quantity, 0})
		}
	}
}

func (r *ledger) move(debit, credit int, amount int64) {
	r.balance[debit] += amount
	r.balance[credit] -= amount
}

func (r *ledger) keepAccounts(o *wire.Order) {
	for _, l := range o.Line {
		switch l.Outcome {
		case sold:
			r.move(clearing, sales, l.Amount)
		case charged:
			r.move(clearing, charges, l.Amount)
		case returned:
			r.move(returns, clearing, -l.Amount)
		case badDebt:
			r.move(receivable, debts, l.Amount)
		}
	}
}

// enter books an order, or a refusal; a refund that is then owed is returned.
func (r *ledger) enter(o *wire.Order) (*wire.Refund, error) {
	if err := r.learn(o); err != nil {
		return nil, err
	}
	if o.What != 0 {
		r.refusals = append(r.refusals, o)
		return nil, nil
	}
	var owed *wire.Refund
	if o.State == fulfilled && !r.reserve(o) {
		o.State, o.Reason = parked, reasonTooFew
		if o.Paid {
			o.State, o.Reason = refunded, reasonNoStock
			withdraw(o, paidBack)
			owed = &wire.Refund{Key: o.Key, Pence: o.Amount}
		} else {
			withdraw(o, heldBack)
		}
	}
	reverses := make([]int64, len(o.Line))
	if o.Kind == kindCancellation {
		r.settleCancellation(o, reverses)
	}
	r.orders = append(r.orders, o)
	r.reverses = append(r.reverses, reverses)
	r.keepStock(o, int64(len(r.orders)))
	r.keepAccounts(o)
	return owed, nil
}

func (r *ledger) write(n *node, items []item) any {
	books := &ledgerBooks{Told: r.told}
	ends := &wire.Ends{}
	for _, it := range items {
		body, err := proto.Marshal(it.order)
		if err != nil {
			fail("order %s: %v", it.order.Key, err)
		}
		owed, err := r.enter(it.order)
		if err != nil {
			fail("parcel %d: %v", it.number, err)
		}
		if owed != nil {
			n.put("processing", parcelRefund, owed)
		}
		books.Entered = append(books.Entered, body)
		ends.End = append(ends.End, &wire.End{Number: it.order.Number, State: it.order.State,
			Reason: it.order.Reason})
	}
	if len(ends.End) == 0 {
		return nil
	}
	n.put("gateway", parcelEnds, ends)
	return books
}

func (r *ledger) written(*node) { r.tell() }

// tell: at least once, and never before the order is on disk.
func (r *ledger) tell() {
	for ; r.told < len(r.orders); r.told++ {
		if r.notices == nil {
			continue
		}
		o := r.orders[r.told]
		if _, err := fmt.Fprintf(r.notices, "%s %s\n", o.Key, states[o.State]); err != nil {
			fail("a notice cannot be written: %v", err)
		}
	}
}

// report: the books, as a test compares them.
func (r *ledger) report() map[string]any {
	orders, refusals, stock := []any{}, []any{}, map[string]any{}
	for i, o := range r.orders {
		outcomes := []uint32{}
		for _, l := range o.Line {
			outcomes = append(outcomes, l.Outcome)
		}
		orders = append(orders, []any{o.Key, o.Kind, o.State, o.Reason, o.Flags, o.Customer, o.PlacedAt,
			o.Amount, outcomes, r.reverses[i]})
	}
	for _, o := range r.refusals {
		refusals = append(refusals, []any{o.Key, o.Refusal, o.LineCount, o.Amount})
	}
	for _, p := range r.products[1:] {
		stock[p.code] = []int64{p.received, p.sold, p.writtenOff, p.returned, r.left(p)}
	}
	return map[string]any{"books": map[string]any{"orders": orders, "refusals": refusals,
		"stock": stock, "accounts": r.balance}}
}
