package relay

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"kerb/agent/retry"
	"kerb/agent/uplink"
)

// deliver writes the queue to the sink until ctx ends, oldest first. Nothing is written
// before what the broker retains has come, so that the formats know the devices.
func (r *Relay) deliver(ctx context.Context) error {
	if err := r.loadWishes(); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case <-r.ready:
	}
	size, failures, logged := r.o.Batch, 0, ""
	for ctx.Err() == nil {
		n, err := r.deliverBatch(ctx, size)
		var store storeError
		var refused refusedError
		switch {
		case errors.As(err, &store):
			return err
		case err == nil && n == 0:
			select {
			case <-ctx.Done():
			case <-r.wake:
			case <-time.After(time.Second): // meta may have changed
			}
			failures, logged = 0, ""
			retry.Sleep(ctx, r.o.Gather)
			continue
		case err == nil:
			if n < size {
				retry.Sleep(ctx, r.o.Gather)
			}
			failures, size, logged = 0, min(2*size, r.o.Batch), ""
			continue
		case errors.As(err, &refused) && refused.content && n > 1:
			size = max(n/2, 1) // find the window that the sink does not take
			continue
		case errors.As(err, &refused) && refused.content && n == 1:
			if err := r.park(err); err != nil {
				return err
			}
			continue
		}
		if text := err.Error(); text != logged && ctx.Err() == nil {
			logged = text
			r.log.Warn("relay: sink", "out", r.o.Out, "err", err, "do", "windows wait in the position until it takes them")
		}
		retry.Sleep(ctx, retry.Delay(retryMin, retryMax, failures))
		failures++
	}
	return nil
}

// queued is a window of the queue.
type queued struct {
	place uint64
	size  int // bytes of the message
	*window
	meta *meta
}

// deliverBatch writes at most size windows. It returns how many it took from the queue,
// also with an error of the sink. Declarations, such as places, are written when
// that has changed.
func (r *Relay) deliverBatch(ctx context.Context, size int) (int, error) {
	if err := r.deliverSites(ctx); err != nil {
		return 0, err
	}
	batch, err := r.readQueue(size)
	if err != nil || len(batch) == 0 {
		return 0, err
	}
	var real []queued
	for _, w := range batch {
		if r.o.MadeUp || !w.meta.isMadeUp(w.Stream) {
			real = append(real, w)
		}
	}
	grown := map[string]int64{}
	if docs := r.format.windows(real, r.now()); len(docs) > 0 {
		if grown, err = r.sink.write(ctx, docs); err != nil {
			return len(batch), err
		}
	}
	return len(batch), r.settle(batch, grown)
}

// readQueue returns the oldest windows of the queue with the meta of their devices.
func (r *Relay) readQueue(size int) (batch []queued, err error) {
	err = r.db.View(func(tx *bolt.Tx) error {
		metas := ledgerTx{tx: tx, metas: map[uplink.Address]*meta{}}
		c := tx.Bucket(queueBucket).Cursor()
		for k, v := c.First(); k != nil && len(batch) < size; k, v = c.Next() {
			w := &window{}
			if err := json.Unmarshal(v, w); err != nil {
				return fmt.Errorf("window %x: %w", k, err)
			}
			batch = append(batch, queued{binary.BigEndian.Uint64(k), len(v), w, metas.meta(w.address())})
		}
		return nil
	})
	if err != nil {
		return nil, storeError{fmt.Errorf("read the position: %w", err)}
	}
	return batch, nil
}

// settle removes windows that the sink has from the queue.
func (r *Relay) settle(batch []queued, grown map[string]int64) error {
	err := r.db.update(r.now(), func(l *ledgerTx) error {
		for name, length := range grown {
			if err := putJSON(l.tx.Bucket(filesBucket), []byte(name), length); err != nil {
				return err
			}
		}
		for _, w := range batch {
			t, err := l.space(w.space())
			if err != nil {
				return err
			}
			t.Done.add(span{From: w.Seq, To: w.Seq})
			if err := l.dequeue(w); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return storeError{fmt.Errorf("write the position: %w", err)}
	}
	for _, w := range batch {
		r.commands.noteDone(w.space())
	}
	if r.full.Load() {
		_ = r.db.View(func(tx *bolt.Tx) error { r.setFull(readWaiting(tx)); return nil })
	}
	return nil
}

// park puts the first window of the queue aside, because the sink refuses its content.
// It is not confirmed to its device, and is tried again after a start of the relay.
func (r *Relay) park(why error) error {
	r.log.Error("relay: the sink refuses a window: it is put aside, and tried again after a start", "err", why)
	err := r.db.update(r.now(), func(l *ledgerTx) error {
		k, v := l.tx.Bucket(queueBucket).Cursor().First()
		if k == nil {
			return nil
		}
		return moveQueued(l, queueBucket, refusedInBox, k, v)
	})
	if err != nil {
		return storeError{fmt.Errorf("write the position: %w", err)}
	}
	return nil
}

// deliverSites writes the documents of what devices declare, where these have changed
// since the sink took them. A document whose content the sink refuses, such as a thing
// that it has already, holds up neither the others nor the windows: their number is
// logged, and they are written again after the next change.
func (r *Relay) deliverSites(ctx context.Context) error {
	if !r.commands.takeChanged(&r.commands.sites) {
		return nil
	}
	var metas []*meta
	for _, m := range r.db.allMetas() {
		if m = r.withoutMadeUp(m); len(m.Streams) > 0 {
			metas = append(metas, m)
		}
	}
	docs := r.format.sites(metas, r.now())
	var why error
	count := 0
	for i := range docs {
		_, err := r.sink.write(ctx, docs[i:i+1])
		var refused refusedError
		switch {
		case errors.As(err, &refused) && refused.content:
			count++
			why = cmp.Or(why, err)
		case err != nil:
			r.commands.siteChanged()
			return err
		}
	}
	if count > 0 {
		r.log.Warn("relay: the sink refuses what devices declare: windows are written without", "documents", count, "of", len(docs), "err", why)
	}
	return nil
}

// withoutMadeUp returns m without the streams that are of no street.
func (r *Relay) withoutMadeUp(m *meta) *meta {
	if r.o.MadeUp {
		return m
	}
	c := *m
	c.Streams = nil
	for _, s := range m.Streams {
		if s.MadeUp == "" {
			c.Streams = append(c.Streams, s)
		}
	}
	return &c
}
