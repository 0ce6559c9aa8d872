package supervisor

import (
	"context"
	"sync"

	"kerb/agent/ipc"
)

// An outbox holds what the uplink has not yet stored, so that an uplink that
// is killed loses nothing: the next one gets it again, from the first.
type outbox struct {
	mu    sync.Mutex
	items []item
	n     uint64        // the last number given
	more  chan struct{} // closed when there is something new, or less
}

// item is what must be stored together.
type item struct {
	N  uint64
	Ms []ipc.Message
}

// maxItems is three days of one-minute windows; with ten streams, 12 MB.
const maxItems = 4320

func NewOutbox() *outbox { return &outbox{more: make(chan struct{})} }

// put adds what make gives for the next number. The oldest goes when there is
// no room.
func (o *outbox) Put(make func(n uint64) []ipc.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.n++
	o.items = append(o.items, item{o.n, make(o.n)})
	if len(o.items) > maxItems {
		o.items = o.items[1:]
	}
	o.signal()
}

// maxNotes bounds what waits before another note is taken: a sensing process
// gone mad may say much, and must not push out windows.
const maxNotes = 512

// note is put for what may be lost.
func (o *outbox) Note(make func(n uint64) []ipc.Message) {
	o.mu.Lock()
	full := len(o.items) >= maxNotes
	o.mu.Unlock()
	if !full {
		o.Put(make)
	}
}

func (o *outbox) signal() {
	close(o.more)
	o.more = make(chan struct{})
}

// stored forgets everything up to n.
func (o *outbox) Stored(n uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.items) > 0 && o.items[0].N <= n {
		o.items = o.items[1:]
	}
	o.signal()
}

// after waits for the first item beyond n.
func (o *outbox) After(ctx context.Context, n uint64) (item, bool) {
	for {
		o.mu.Lock()
		more := o.more
		for _, i := range o.items {
			if i.N > n {
				o.mu.Unlock()
				return i, true
			}
		}
		o.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return item{}, false
		}
	}
}

// empty waits until everything is stored.
func (o *outbox) Empty(ctx context.Context) bool {
	for {
		o.mu.Lock()
		more, left := o.more, len(o.items)
		o.mu.Unlock()
		if left == 0 {
			return true
		}
		select {
		case <-more:
		case <-ctx.Done():
			return false
		}
	}
}
