package supervisor

import (
	"context"
	"sync"

	"kerb/agent/ipc"
)

// An queue holds what the uplink has not yet stored, so that an uplink that
// is killed loses nothing: the next one gets it again, from the first.
type queue struct {
	mu    sync.Mutex
	items []queueItem
	lastNumber     uint64        // the last number given
	changed  chan struct{} // closed when there is something new, or less
}

// queueItem is what must be stored together.
type queueItem struct {
	number       uint64
	records []ipc.Message
}

// maxQueueItems is three days of one-minute windows; with ten streams, 12 MB.
const maxQueueItems = 4320

func newQueue() *queue { return &queue{changed: make(chan struct{})} }

// put adds what make gives for the next number. The oldest goes when there is
// no room.
func (o *queue) pushItem(make func(n uint64) []ipc.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lastNumber++
	o.items = append(o.items, queueItem{o.lastNumber, make(o.lastNumber)})
	if len(o.items) > maxQueueItems {
		o.items = o.items[1:]
	}
	o.wakeWaiters()
}

// maxQueuedNotes bounds what waits before another note is taken: a sensing process
// gone mad may say much, and must not push out windows.
const maxQueuedNotes = 512

// note is put for what may be lost.
func (o *queue) pushNote(make func(n uint64) []ipc.Message) {
	o.mu.Lock()
	full := len(o.items) >= maxQueuedNotes
	o.mu.Unlock()
	if !full {
		o.pushItem(make)
	}
}

func (o *queue) wakeWaiters() {
	close(o.changed)
	o.changed = make(chan struct{})
}

// stored forgets everything up to n.
func (o *queue) dropStored(n uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.items) > 0 && o.items[0].number <= n {
		o.items = o.items[1:]
	}
	o.wakeWaiters()
}

// after waits for the first item beyond n.
func (o *queue) waitAfter(ctx context.Context, n uint64) (queueItem, bool) {
	for {
		o.mu.Lock()
		more := o.changed
		for _, i := range o.items {
			if i.number > n {
				o.mu.Unlock()
				return i, true
			}
		}
		o.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return queueItem{}, false
		}
	}
}

// empty waits until everything is stored.
func (o *queue) waitEmpty(ctx context.Context) bool {
	for {
		o.mu.Lock()
		more, left := o.changed, len(o.items)
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
