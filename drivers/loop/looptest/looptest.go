// Package looptest is a fake edge source for tests: it plays batches of edges, and
// records the batches of another source. It fails a test that leaves batches unread.
package looptest

import (
	"context"
	"io"
	"time"

	"kerb/drivers/loop"
)

// TB is the part of testing.TB that NewPlayback uses.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Cleanup(func())
}

// Batch is the result of one call of ReadEdges.
type Batch struct {
	Edges []loop.Edge
	Now   time.Duration // 0: the time of the last edge
	Err   error
}

// Playback is a source that returns given batches.
type Playback struct {
	batches []Batch
	now     time.Duration
}

// NewPlayback makes a source that returns the batches and then io.EOF. A batch that is
// unread at the end of the test fails it.
func NewPlayback(t TB, batches ...Batch) *Playback {
	p := &Playback{batches: batches}
	t.Cleanup(func() {
		t.Helper()
		if n := len(p.batches); n > 0 {
			t.Errorf("looptest: %d batches were not read, the first of them %+v", n, p.batches[0])
		}
	})
	return p
}

// ReadEdges returns the next batch, in parts if dst is too small for it.
func (p *Playback) ReadEdges(ctx context.Context, dst []loop.Edge) (int, time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, p.now, err
	}
	if len(p.batches) == 0 {
		return 0, p.now, io.EOF
	}
	b := &p.batches[0]
	n := copy(dst, b.Edges)
	if n > 0 {
		p.now = max(p.now, dst[n-1].At)
	}
	if n < len(b.Edges) {
		b.Edges = b.Edges[n:]
		return n, p.now, nil
	}
	p.now = max(p.now, b.Now)
	err := b.Err
	p.batches = p.batches[1:]
	return n, p.now, err
}

// Source is any source of edges.
type Source interface {
	ReadEdges(ctx context.Context, dst []loop.Edge) (n int, now time.Duration, err error)
}

// Recording is a source that passes another source's batches on and keeps them,
// for NewPlayback.
type Recording struct {
	Source
	Batches []Batch
}

// ReadEdges reads from the source and keeps its batch.
func (r *Recording) ReadEdges(ctx context.Context, dst []loop.Edge) (int, time.Duration, error) {
	n, now, err := r.Source.ReadEdges(ctx, dst)
	r.Batches = append(r.Batches, Batch{append([]loop.Edge(nil), dst[:n]...), now, err})
	return n, now, err
}
