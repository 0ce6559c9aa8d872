package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"kerb/agent/parcel"
)

// A ward is one child process, started again whenever it ends. It speaks in
// parcels only: whatever else it says ends it.
type ward struct {
	name  string
	args  []string // of kerb itself
	hatch bool     // it gets a hatch as descriptor 3
	apart bool     // it gets a network of its own, in which there is nothing
	log   *slog.Logger
	words io.Writer // where its words go

	nursery nursery
	last    atomic.Bool // its next end is its last

	begun func(ctx context.Context, c *child)    // beside the reading; its end is waited for
	heard func(c *child, m parcel.Message) error // an error ends the child
	ended func(why uint8)                        // after each life
}

// child is one life of a ward.
type child struct {
	cmd   *exec.Cmd
	in    *os.File // its standard input
	out   *os.File // its standard output
	err   *os.File
	hatch hatch

	mu sync.Mutex // of what is told: parcels that belong together stay together
}

// Between two lives, and the longest silence in one. The first word may take
// longer: a Pi Zero draws a scene or reads a spool for some seconds.
const (
	shortRest = 100 * time.Millisecond
	longRest  = 30 * time.Second
	steadyAge = 2 * time.Second // a life this long makes the next rest short again
	silence   = 10 * time.Second
	firstWord = 60 * time.Second
	hearing   = 20 * time.Second // the longest that one write may take
)

// run keeps the child alive until the context ends, and ends it then.
func (w *ward) run(ctx context.Context) error {
	for quick := 1; ctx.Err() == nil; quick++ {
		born := time.Now()
		why, err := w.live(ctx)
		w.ended(why)
		if ctx.Err() != nil || w.last.Load() {
			return nil
		}
		if refusal := new(refusedError); errors.As(err, refusal) {
			return err
		}
		if time.Since(born) > steadyAge {
			quick = 1
		}
		rest := pause(quick)
		w.log.Error("process ended", "process", w.name, "err", err, "again_in", rest)
		select {
		case <-time.After(rest):
		case <-ctx.Done():
		}
	}
	return nil
}

// pause is how long to rest after so many short lives in a row. Somebody who
// kills at random gives a few of them; from then on each rest is twice as long.
func pause(quick int) time.Duration {
	return min(shortRest<<min(max(quick-5, 0), 16), longRest)
}

// live is one life, from the start of the process until nothing is left of it.
func (w *ward) live(ctx context.Context) (why uint8, err error) {
	c, err := w.start()
	if err != nil {
		return parcel.Ended, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { w.relay(c.err) })
	beside.Go(func() { w.begun(ctx, c) })
	stop := context.AfterFunc(ctx, func() { c.out.SetReadDeadline(time.Unix(1, 0)) })
	why, err = w.listen(ctx, c)
	stop()
	cancel()
	if why != parcel.Ended || err != nil {
		_ = c.cmd.Process.Kill()
	}
	end := c.wait()
	c.close()
	beside.Wait()
	if c.cmd.ProcessState.ExitCode() == exitRefused {
		return why, refusedError(w.name + " found a wall that does not hold, and site.toml says strict")
	}
	return why, errors.Join(err, end)
}

// refusedError is a process that will not run inside too weak walls.
type refusedError string

func (e refusedError) Error() string { return string(e) }

// listen reads parcels until the child ends, says something else, or falls
// silent.
func (w *ward) listen(ctx context.Context, c *child) (uint8, error) {
	for wait := firstWord; ; wait = silence {
		_ = c.out.SetReadDeadline(time.Now().Add(wait))
		if ctx.Err() != nil {
			return parcel.Ended, ctx.Err()
		}
		m, err := parcel.Read(c.out)
		switch {
		case errors.Is(err, io.EOF):
			return parcel.Ended, nil
		case ctx.Err() != nil:
			return parcel.Ended, ctx.Err()
		case errors.Is(err, os.ErrDeadlineExceeded):
			return parcel.Stalled, fmt.Errorf("no sign of life for %s", wait)
		case err != nil:
			return parcel.Malformed, err
		}
		if err := w.heard(c, m); err != nil {
			return parcel.Malformed, err
		}
	}
}

// start makes the process. It dies with this one, even when this one is
// killed: its standard input ends then, and the kernel is asked to kill it.
func (w *ward) start() (_ *child, err error) {
	var theirs []*os.File
	c := new(child)
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
		if err != nil {
			c.close()
			err = fmt.Errorf("start %s: %w", w.name, err)
		}
	}()
	pipe := func() (r, w *os.File) {
		if err != nil {
			return nil, nil
		}
		r, w, err = os.Pipe()
		return r, w
	}
	var stdin, stdout, stderr *os.File
	stdin, c.in = pipe()
	c.out, stdout = pipe()
	c.err, stderr = pipe()
	theirs = append(theirs, stdin, stdout, stderr)
	if err != nil {
		return nil, err
	}
	var extra []*os.File
	if w.hatch {
		var inside *os.File
		if c.hatch, inside, err = newHatches(); err != nil {
			return nil, err
		}
		theirs = append(theirs, inside)
		extra = []*os.File{inside}
	}
	command := func() *exec.Cmd {
		cmd := exec.Command("/proc/self/exe", w.args...)
		cmd.Args[0] = "kerb"
		cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = stdin, stdout, stderr, extra
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		return cmd
	}
	if w.apart {
		c.cmd, err = apart(w.nursery.start, command)
		return c, err
	}
	c.cmd = command()
	return c, w.nursery.start(c.cmd)
}

// wait gives the process a moment to end by itself.
func (c *child) wait() error {
	overdue := time.AfterFunc(time.Second, func() { _ = c.cmd.Process.Kill() })
	defer overdue.Stop()
	return c.cmd.Wait()
}

func (c *child) close() {
	for _, f := range []*os.File{c.in, c.out, c.err} {
		if f != nil {
			f.Close()
		}
	}
	if c.hatch.conn != nil {
		c.hatch.Close()
	}
}

// tell sends parcels that belong together. The one who tells a child that does
// not read gives up soon.
func (c *child) tell(ms ...parcel.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.in.SetWriteDeadline(time.Now().Add(hearing))
	for _, m := range ms {
		if err := parcel.Write(c.in, m); err != nil {
			return err
		}
	}
	return nil
}

// kill ends it at once; who listens to it sees the end.
func (c *child) kill() { _ = c.cmd.Process.Kill() }

// A nursery is the one thread that starts processes: the kernel's promise to
// kill a child holds for the thread that made it, and Go's come and go.
type nursery chan func()

func newNursery() nursery {
	n := make(nursery)
	go func() {
		runtime.LockOSThread()
		for f := range n {
			f()
		}
	}()
	return n
}

func (n nursery) start(cmd *exec.Cmd) error {
	err := make(chan error)
	n <- func() { err <- cmd.Start() }
	return <-err
}

// What a child may say in words: short lines of plain characters, and few. The
// rest is counted. Words could carry a picture out; this many cannot.
const (
	lineLength  = 240
	linesAtOnce = 40
	lineEvery   = 2 * time.Second
)

// relay passes on a child's words within these bounds.
func (w *ward) relay(r io.Reader) {
	lines := bufio.NewReaderSize(r, 4096)
	left, refill, dropped := linesAtOnce, time.Now(), 0
	for {
		line, err := lines.ReadSlice('\n')
		if n := int(time.Since(refill) / lineEvery); n > 0 {
			left, refill = min(left+n, linesAtOnce), time.Now()
		}
		switch {
		case len(line) == 0:
		case left == 0:
			dropped++
		default:
			left--
			if dropped > 0 {
				w.log.Warn("words left out", "process", w.name, "lines", dropped)
			}
			dropped = 0
			fmt.Fprintf(w.words, "%s: %s\n", w.name, plain(line))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// plain is a line without what a terminal or a picture would make of it.
func plain(line []byte) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, string(line[:min(len(line), lineLength)]))
}
