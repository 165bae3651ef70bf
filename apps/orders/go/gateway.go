package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"orders/wire"
)

const (
	openGroups = 4       // invoices gathered at a time
	atOnce     = 256     // orders in one transaction
	backlogMax = 1000000 // parcels kept for processing; beyond that nothing is taken in
)

// The lines of one invoice while they come in.
type group struct {
	order   *wire.Order
	lines   [][]byte
	seen    map[string]bool
	refused bool
}

// An intake turns the lines of a CSV file into orders, and what cannot be read into refusals.
type intake struct {
	text   []byte
	reader *csv.Reader
	at     int64
	open   []*group
	g      *gateway
}

// Takes orders in, each once, and knows how they ended.
type gateway struct {
	intake       *intake // nil: there is nothing to take in, or no more
	acknowledged *os.File
	countries    map[string]uint32
	products     map[string]uint32
	fresh        []word // words that are in no transaction yet
	counted      [2]uint32
	orders       map[string]string // content by key
	refusals     map[string]bool   // by content
	accepted     uint64
	ended        map[uint64]bool
	news         []string // accepted, not yet on disk
	entered      uint64
	known        uint64
}

type word struct {
	Country    bool `json:",omitempty"`
	Text, Note string
}

type accepted struct {
	What    uint32 `json:",omitempty"`
	Key     string
	Content string
}

type gatewayBooks struct {
	Accepted []accepted  `json:",omitempty"`
	Words    []word      `json:",omitempty"`
	Ends     []*wire.End `json:",omitempty"`
}

func newGateway(path string, acknowledged *os.File) (*gateway, error) {
	g := &gateway{acknowledged: acknowledged, countries: map[string]uint32{},
		products: map[string]uint32{}, orders: map[string]string{}, refusals: map[string]bool{},
		ended: map[uint64]bool{}}
	if path == "" {
		return g, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	in := &intake{text: text, reader: csv.NewReader(bytes.NewReader(text)), g: g}
	in.reader.FieldsPerRecord = -1
	header, err := in.reader.Read()
	if err != nil || strings.Join(header, ",") !=
		"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country" {
		return nil, fmt.Errorf("'%s' does not begin with the eight columns of Online Retail", path)
	}
	in.at = in.reader.InputOffset()
	g.intake = in
	return g, nil
}

func (g *gateway) takes(kind uint32) bool { return kind == parcelEnds }
func (g *gateway) begin()                 {}

func (g *gateway) done(*node) bool {
	return g.intake == nil && g.accepted == uint64(len(g.ended))
}

func (g *gateway) report() map[string]any {
	return map[string]any{"accepted": g.accepted, "ended": len(g.ended),
		"orders_entered": g.entered, "orders_known": g.known}
}

func (g *gateway) play(text []byte) error {
	var b gatewayBooks
	if err := json.Unmarshal(text, &b); err != nil {
		return err
	}
	for _, w := range b.Words {
		g.number(w)
	}
	g.fresh = nil
	g.counted = [2]uint32{uint32(len(g.countries)), uint32(len(g.products))}
	for _, a := range b.Accepted {
		g.remember(a)
	}
	for _, end := range b.Ends {
		g.ended[end.Number] = true
	}
	return nil
}

func (g *gateway) remember(a accepted) {
	g.accepted++
	if a.What == 0 {
		g.orders[a.Key] = a.Content
	} else {
		g.refusals[a.Content] = true
	}
}

// number of a word, which is new if nobody has used it.
func (g *gateway) number(w word) uint32 {
	words := g.products
	if w.Country {
		words = g.countries
	}
	number, found := words[w.Text]
	if !found {
		number = uint32(len(words) + 1)
		words[w.Text] = number
		g.fresh = append(g.fresh, w)
	}
	return number
}

// newWords gives the order the words that the other nodes do not know.
func (g *gateway) newWords(o *wire.Order, books *gatewayBooks) {
	used := 0
	for _, w := range g.fresh {
		known, at := o.ProductsKnown, &g.counted[1]
		if w.Country {
			known, at = o.CountriesKnown, &g.counted[0]
		}
		if *at == known { // It came with a later order.
			g.fresh[used] = w
			used++
			continue
		}
		*at++
		books.Words = append(books.Words, w)
		if w.Country {
			o.CountryWord = append(o.CountryWord, &wire.Order_Word{Text: w.Text})
		} else {
			o.ProductWord = append(o.ProductWord, &wire.Order_Word{Text: w.Text, Note: w.Note})
		}
	}
	g.fresh = g.fresh[:used]
}

func (g *gateway) accept(n *node, o *wire.Order, books *gatewayBooks) {
	a := accepted{o.What, o.Key, hex.EncodeToString(o.Content)}
	content, known := g.orders[o.Key]
	if o.What == 0 && known && content != a.Content {
		o.What, o.Refusal, a.What = 1, refusalConflict, 1
		o.Detail = fmt.Sprintf("line %d: number %s was entered before with other content",
			o.SourceLine, o.Key)
		o.Amount = 0
		for _, l := range o.Line {
			o.Amount += l.Amount
		}
	}
	if o.What == 0 && known || o.What == 1 && g.refusals[a.Content] {
		g.known++
		return
	}
	if o.What == 1 {
		o.Line = nil
	}
	g.newWords(o, books)
	o.Number = n.box.Pairs["processing"].Kept + 1
	n.put("processing", parcelOrder, o)
	g.remember(a)
	books.Accepted = append(books.Accepted, a)
	g.entered++
	if o.What == 0 {
		g.news = append(g.news, o.Key)
	}
}

func (g *gateway) write(n *node, items []item) any {
	books := &gatewayBooks{}
	for _, it := range items {
		for _, end := range it.ends.End {
			if end.Number == 0 || end.Number > g.accepted || g.ended[end.Number] {
				fail("the ledger tells the end of order %d, which was not accepted or has ended",
					end.Number)
			}
			g.ended[end.Number] = true
			books.Ends = append(books.Ends, end)
		}
	}
	pair := n.box.Pairs["processing"]
	for i := 0; i < atOnce && g.intake != nil && pair.Kept-pair.Acked < backlogMax; i++ {
		if o := g.intake.next(); o != nil {
			g.accept(n, o, books)
		} else {
			g.intake = nil
		}
	}
	if len(books.Accepted)+len(books.Ends) == 0 {
		if g.intake != nil && pair.Kept-pair.Acked < backlogMax {
			n.soonest = true // All of them were known.
		}
		return nil
	}
	return books
}

func (g *gateway) written(*node) {
	for _, key := range g.news {
		if g.acknowledged != nil {
			fmt.Fprintln(g.acknowledged, key)
		}
	}
	g.news = g.news[:0]
}

/* ---- Lines ------------------------------------------------------------------ */

var (
	keyForm   = regexp.MustCompile(`^[0-9A-Za-z._-]{1,31}$`)
	priceForm = regexp.MustCompile(`^(-?)([0-9]*)(?:\.([0-9]*))?$`)
	goods     = regexp.MustCompile(`^[0-9]{5}`)
)

// Thousandths of a pound.
func parsePrice(text string) (int64, error) {
	m := priceForm.FindStringSubmatch(text)
	if m == nil || m[2] == "" && m[3] == "" {
		return 0, errors.New("no decimal")
	}
	places := strings.TrimRight(m[3], "0")
	if len(places) > 3 {
		return 0, errors.New("more than three places")
	}
	value, err := strconv.ParseInt(m[2]+(places + "000")[:3], 10, 64)
	if err != nil || value > 10000000000 {
		return 0, errors.New("too large")
	}
	if m[1] != "" {
		value = -value
	}
	return value, nil
}

func pence(quantity, price int64) int64 {
	exact := quantity * price // in tenths of a penny
	if exact < 0 {
		return -((-exact + 5) / 10)
	}
	return (exact + 5) / 10
}

type parsed struct {
	line     *wire.Order_Line
	placed   int64
	customer uint32
	country  uint32
}

func (in *intake) parse(f []string) (*parsed, error) {
	if len(f) != 8 {
		return nil, fmt.Errorf("%d fields, want 8", len(f))
	}
	if !keyForm.MatchString(f[0]) {
		return nil, fmt.Errorf("InvoiceNo is '%.48s', want 1 to 31 letters and digits", f[0])
	}
	if len(f[1]) == 0 || len(f[1]) > 63 {
		return nil, fmt.Errorf("StockCode is '%.48s', want 1 to 63 bytes", f[1])
	}
	quantity, err := strconv.ParseInt(f[3], 10, 64)
	if err != nil || beyond(quantity, 10000000) {
		return nil, fmt.Errorf("Quantity is '%.48s', want a whole number up to 10,000,000", f[3])
	}
	placed, err := time.Parse("2006-01-02 15:04:05", f[4])
	if err != nil {
		return nil, fmt.Errorf("InvoiceDate is '%.48s', want YYYY-MM-DD HH:MM:SS", f[4])
	}
	price, err := parsePrice(f[5])
	if err != nil {
		return nil, fmt.Errorf("UnitPrice is '%.48s', want a decimal with at most 3 places", f[5])
	}
	customer, err := strconv.ParseUint("0"+strings.TrimSuffix(f[6], ".0"), 10, 32)
	if err != nil || f[6] != "" && customer == 0 {
		return nil, fmt.Errorf("CustomerID is '%.48s', want nothing or a positive whole number", f[6])
	}
	if len(f[7]) == 0 || len(f[7]) > 63 {
		return nil, fmt.Errorf("Country is '%.48s', want 1 to 63 bytes", f[7])
	}
	line := &wire.Order_Line{Quantity: int32(quantity), Price: price, Amount: pence(quantity, price)}
	country := in.g.number(word{true, f[7], ""})
	line.Product = in.g.number(word{false, f[1], f[2]})
	if f[2] == "" {
		line.Flags |= flagNoDescription
	}
	if !goods.MatchString(f[1]) {
		line.Flags |= flagNoProduct
	}
	return &parsed{line, placed.Unix(), uint32(customer), country}, nil
}

func (in *intake) find(key string) *group {
	for i := len(in.open) - 1; i >= 0; i-- {
		if key != "" && in.open[i].order.Key == key {
			return in.open[i]
		}
	}
	return nil
}

func (g *group) refuse(refusal uint32, number int, why string) {
	if !g.refused {
		g.order.Refusal, g.order.Detail = refusal, fmt.Sprintf("line %d: %.120s", number, why)
	}
	g.refused = true
}

// add puts a line to its group.
func (in *intake) add(f []string, raw []byte, number int, bad error) {
	var p *parsed
	if bad == nil {
		p, bad = in.parse(f)
	}
	key := ""
	if len(f) > 0 && keyForm.MatchString(f[0]) {
		key = f[0]
	}
	g := in.find(key)
	if g == nil {
		g = &group{order: &wire.Order{Key: key, SourceLine: uint64(number)}, seen: map[string]bool{}}
		if p != nil {
			g.order.PlacedAt, g.order.Customer, g.order.Country = p.placed, p.customer, p.country
		}
		in.open = append(in.open, g)
	}
	if bad != nil {
		refusal := uint32(refusalSpoiled)
		if key == "" {
			refusal = refusalUnreadable
		}
		g.refuse(refusal, number, bad.Error())
		g.lines = append(g.lines, raw)
		g.order.Line = append(g.order.Line, &wire.Order_Line{})
		return
	}
	if p.placed != g.order.PlacedAt {
		g.order.Flags |= flagTwoTimes
	}
	if p.customer != g.order.Customer || p.country != g.order.Country {
		g.refuse(refusalSpoiled, number, "another customer or country than the order's first line")
	}
	if g.seen[string(raw)] {
		p.line.Outcome = duplicate
	}
	g.seen[string(raw)] = true
	g.lines = append(g.lines, raw)
	g.order.Line = append(g.order.Line, p.line)
}

// next is the oldest order that is complete; nil: there is none any more.
func (in *intake) next() *wire.Order {
	for len(in.open) < openGroups {
		f, err := in.reader.Read()
		if err == io.EOF {
			break
		}
		raw := bytes.TrimRight(in.text[in.at:in.reader.InputOffset()], "\r\n")
		in.at = in.reader.InputOffset()
		number := 0
		if len(f) > 0 {
			number, _ = in.reader.FieldPos(0)
		}
		in.add(f, raw, number, err)
	}
	if len(in.open) == 0 {
		return nil
	}
	g := in.open[0]
	in.open = in.open[1:]
	return in.seal(g)
}

func (in *intake) seal(g *group) *wire.Order {
	o := g.order
	digest := sha256.New()
	for _, line := range g.lines {
		digest.Write(append(line[:len(line):len(line)], '\n'))
	}
	if g.refused { // Where it stands tells two that read the same apart.
		fmt.Fprintf(digest, "%d", o.SourceLine)
		o.What = 1
		for _, l := range o.Line {
			o.Amount += l.Amount
		}
	}
	o.Content = digest.Sum(nil)
	o.LineCount = uint32(len(g.lines))
	o.CountriesKnown, o.ProductsKnown = uint32(len(in.g.countries)), uint32(len(in.g.products))
	return o
}
