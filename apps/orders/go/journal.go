package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"syscall"
)

// What is kept for a peer, and of it.
type pair struct {
	Identity             uint64 // of its database; 0: never met
	Kept, Acked, Applied uint64
	Outbox               map[uint64]parcel
}

type parcel struct {
	Kind uint32
	Body []byte
}

// A box is what all roles keep besides their own books.
type box struct {
	Identity uint64
	Pairs    map[string]*pair
}

// A put is a parcel for a peer.
type put struct {
	To     string
	Number uint64
	parcel
}

// A change is one transaction: it is in the file as a whole or not at all.
type change struct {
	Role     string            `json:",omitempty"` // of the first one
	Identity uint64            `json:",omitempty"`
	Meet     map[string]uint64 `json:",omitempty"`
	Put      []put             `json:",omitempty"`
	Applied  map[string]uint64 `json:",omitempty"`
	Forget   map[string]uint64 `json:",omitempty"`
	Books    json.RawMessage   `json:",omitempty"` // the role's own
}

func (c *change) meet(peer string, identity uint64) { note(&c.Meet, peer, identity) }
func (c *change) forget(peer string, number uint64) { note(&c.Forget, peer, number) }

func note(numbers *map[string]uint64, peer string, number uint64) {
	if *numbers == nil {
		*numbers = map[string]uint64{}
	}
	(*numbers)[peer] = number
}

func (c *change) empty() bool {
	return c.Identity == 0 && len(c.Meet) == 0 && len(c.Put) == 0 && len(c.Applied) == 0 &&
		len(c.Forget) == 0 && len(c.Books) == 0
}

func (b *box) apply(c *change) {
	if c.Identity != 0 {
		b.Identity = c.Identity
	}
	for peer, identity := range c.Meet {
		b.Pairs[peer].Identity = identity
	}
	for _, p := range c.Put {
		b.Pairs[p.To].Kept = p.Number
		b.Pairs[p.To].Outbox[p.Number] = p.parcel
	}
	for peer, number := range c.Applied {
		b.Pairs[peer].Applied = number
	}
	for peer, number := range c.Forget {
		pair := b.Pairs[peer]
		for ; pair.Acked < number; pair.Acked++ {
			delete(pair.Outbox, pair.Acked+1)
		}
	}
}

// A journal is a file of changes, a line each: a checksum and JSON. It only grows.
type journal struct {
	file *os.File
	out  *bufio.Writer
}

// openJournal plays what is in the file. A last line that is torn is cut off: whatever it was, it
// was told to nobody.
func openJournal(path string, play func(c *change) error) (*journal, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("'%s' is held by another program: %w", path, err)
	}
	in := bufio.NewReaderSize(file, 1<<20)
	var good int64
	for number := 1; ; number++ {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		c, ok := parse(line)
		if !ok {
			if _, err := in.Peek(1); err != io.EOF {
				return nil, fmt.Errorf("'%s' is damaged: line %d is not as written", path, number)
			}
			break
		}
		if err := play(c); err != nil {
			return nil, fmt.Errorf("'%s' line %d: %w", path, number, err)
		}
		good += int64(len(line))
	}
	if err := file.Truncate(good); err != nil {
		return nil, err
	}
	if _, err := file.Seek(good, io.SeekStart); err != nil {
		return nil, err
	}
	return &journal{file, bufio.NewWriterSize(file, 1<<20)}, nil
}

func parse(line []byte) (*change, bool) {
	var sum uint32
	if len(line) < 10 {
		return nil, false
	}
	if _, err := fmt.Sscanf(string(line[:8]), "%08x", &sum); err != nil {
		return nil, false
	}
	text := line[9 : len(line)-1]
	c := &change{}
	return c, crc32.ChecksumIEEE(text) == sum && json.Unmarshal(text, c) == nil
}

// write returns when the change is on disk.
func (j *journal) write(c *change) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	fmt.Fprintf(j.out, "%08x %s\n", crc32.ChecksumIEEE(text), text)
	if err := j.out.Flush(); err != nil {
		return err
	}
	return j.file.Sync()
}
