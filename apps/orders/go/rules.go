package main

import (
	"encoding/binary"
	"fmt"
	"sort"
	"strings"

	"orders/wire"
)

// The numbers of docs/reference/orders-ledger.md.
const (
	kindSale, kindCancellation, kindAdjustment = 0, 1, 2

	fulfilled, rejected, refunded, parked = 0, 1, 2, 3

	reasonNothingLeft, reasonDeclined, reasonNoStock = 1, 2, 3
	reasonNoOriginal, reasonLooksTwice, reasonTooFew = 4, 5, 6

	sold, charged, returned, writtenOff, badDebt, heldBack, notPaid, paidBack = 0, 1, 2, 3, 4, 5, 6, 7

	noPrice, duplicate, negativePrice, noQuantity, pricedWriteOff, plusCancelled = 8, 9, 10, 11, 12, 13

	refusalConflict, refusalSpoiled, refusalUnreadable = 0, 1, 2

	flagNoDescription, flagOutlier, flagNoProduct, flagSubPence = 1, 2, 4, 8
	flagNoCustomer, flagTwoTimes, flagSuspect                   = 1, 2, 4
)

var states = []string{"fulfilled", "rejected", "refunded", "parked"}

func outcomeOf(o *wire.Order, l *wire.Order_Line) uint32 {
	switch {
	case l.Outcome == duplicate: // Whoever read the text saw it; nobody else does.
		return duplicate
	case l.Quantity == 0:
		return noQuantity
	case o.Kind == kindAdjustment:
		return badDebt
	case o.Kind == kindCancellation && l.Quantity > 0:
		return plusCancelled
	case l.Price < 0:
		return negativePrice
	case o.Kind == kindCancellation:
		return heldBack // until the ledger finds the sale
	case l.Quantity < 0 && l.Price == 0:
		return writtenOff
	case l.Quantity < 0:
		return pricedWriteOff
	case l.Price == 0:
		return noPrice
	case l.Flags&flagNoProduct != 0:
		return charged
	}
	return sold
}

func beyond(value, bound int64) bool { return value > bound || value < -bound }

// classify decides what becomes of each line, and of the order if that is clear already.
func classify(o *wire.Order) {
	any := false
	o.Kind, o.State, o.Reason, o.Amount = kindSale, fulfilled, 0, 0
	switch o.Key[0] {
	case 'C':
		o.Kind = kindCancellation
	case 'A':
		o.Kind = kindAdjustment
	}
	if o.Customer == 0 {
		o.Flags |= flagNoCustomer
	}
	for _, l := range o.Line {
		if beyond(int64(l.Quantity), 10000) || beyond(l.Amount, 1000000) {
			l.Flags |= flagOutlier
		}
		if l.Price%10 != 0 {
			l.Flags |= flagSubPence
		}
		l.Outcome = outcomeOf(o, l)
		any = any || l.Outcome < noPrice
		if l.Outcome == sold || l.Outcome == charged {
			o.Amount += l.Amount
		}
	}
	if !any {
		o.State, o.Reason = rejected, reasonNothingLeft
	} else if o.Flags&flagSuspect != 0 && o.Amount > 0 {
		o.State, o.Reason = parked, reasonLooksTwice
		withdraw(o, heldBack)
	}
}

func withdraw(o *wire.Order, outcome uint32) {
	for _, l := range o.Line {
		if l.Outcome < noPrice {
			l.Outcome = outcome
		}
	}
}

// A fingerprint of customer and lines, whose order says nothing; "" where baskets are not compared.
func basket(o *wire.Order) string {
	if o.Customer == 0 || o.Key[0] == 'C' || o.Key[0] == 'A' {
		return ""
	}
	var lines []string
	for _, l := range o.Line {
		lines = append(lines, fmt.Sprintf("%d %d %d", l.Product, l.Quantity, l.Price))
	}
	sort.Strings(lines)
	return fmt.Sprintf("%d|%s", o.Customer, strings.Join(lines, "|"))
}

func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// The hash by which the made-up payment provider decides, so that it decides alike wherever it runs.
func hash(seed uint64, text string) uint64 {
	const step = 0x9e3779b97f4a7c15
	h := mix(seed + step*uint64(len(text)+1))
	for ; len(text) >= 8; text = text[8:] {
		h = mix(h^binary.LittleEndian.Uint64([]byte(text[:8]))) + step
	}
	var last [8]byte
	copy(last[:], text)
	return mix(h ^ binary.LittleEndian.Uint64(last[:]))
}
