package process

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

	"kerb/agent/child"
	"kerb/agent/handover"
	"kerb/agent/ipc"
)

// A ward is one child process, started again whenever it ends. It speaks in
// parcels only: whatever else it says ends it.
type Ward struct {
	Name  string
	Args  []string // of kerb itself
	Hatch bool     // it gets a hatch as descriptor 3
	Apart bool     // it gets a network of its own, in which there is nothing
	Log   *slog.Logger
	Words io.Writer // where its words go

	Nursery nursery
	Last    atomic.Bool // its next end is its last

	Begun func(ctx context.Context, c *Child) // beside the reading; its end is waited for
	Heard func(c *Child, m ipc.Message) error // an error ends the child
	Ended func(why uint8)                     // after each life
}

// child is one life of a ward.
type Child struct {
	Cmd   *exec.Cmd
	In    *os.File // its standard input
	Out   *os.File // its standard output
	Err   *os.File
	Hatch handover.Hatch

	mu sync.Mutex // of what is told: parcels that belong together stay together
}

// Between two lives, and the longest silence in one. The first word may take
// longer: a Pi Zero draws a scene or reads a spool for some seconds.
const (
	ShortRest = 100 * time.Millisecond
	LongRest  = 30 * time.Second
	steadyAge = 2 * time.Second // a life this long makes the next rest short again
	silence   = 10 * time.Second
	firstWord = 60 * time.Second
	Hearing   = 20 * time.Second // the longest that one write may take
)

// run keeps the child alive until the context ends, and ends it then.
func (w *Ward) Run(ctx context.Context) error {
	for quick := 1; ctx.Err() == nil; quick++ {
		born := time.Now()
		why, err := w.Live(ctx)
		w.Ended(why)
		if ctx.Err() != nil || w.Last.Load() {
			return nil
		}
		if refusal := new(child.RefusedError); errors.As(err, refusal) {
			return err
		}
		if time.Since(born) > steadyAge {
			quick = 1
		}
		rest := Pause(quick)
		w.Log.Error("process ended", "process", w.Name, "err", err, "again_in", rest)
		select {
		case <-time.After(rest):
		case <-ctx.Done():
		}
	}
	return nil
}

// pause is how long to rest after so many short lives in a row. Somebody who
// kills at random gives a few of them; from then on each rest is twice as long.
func Pause(quick int) time.Duration {
	return min(ShortRest<<min(max(quick-5, 0), 16), LongRest)
}

// live is one life, from the start of the process until nothing is left of it.
func (w *Ward) Live(ctx context.Context) (why uint8, err error) {
	c, err := w.Start()
	if err != nil {
		return ipc.Ended, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { w.Relay(c.Err) })
	beside.Go(func() { w.Begun(ctx, c) })
	stop := context.AfterFunc(ctx, func() { c.Out.SetReadDeadline(time.Unix(1, 0)) })
	why, err = w.listen(ctx, c)
	stop()
	cancel()
	if why != ipc.Ended || err != nil {
		_ = c.Cmd.Process.Kill()
	}
	end := c.Wait()
	c.Close()
	beside.Wait()
	if c.Cmd.ProcessState.ExitCode() == child.ExitRefused {
		return why, child.RefusedError(w.Name + " found a wall that does not hold, and site.toml says strict")
	}
	return why, errors.Join(err, end)
}

// listen reads parcels until the child ends, says something else, or falls
// silent.
func (w *Ward) listen(ctx context.Context, c *Child) (uint8, error) {
	for wait := firstWord; ; wait = silence {
		_ = c.Out.SetReadDeadline(time.Now().Add(wait))
		if ctx.Err() != nil {
			return ipc.Ended, ctx.Err()
		}
		m, err := ipc.Read(c.Out)
		switch {
		case errors.Is(err, io.EOF):
			return ipc.Ended, nil
		case ctx.Err() != nil:
			return ipc.Ended, ctx.Err()
		case errors.Is(err, os.ErrDeadlineExceeded):
			return ipc.Stalled, fmt.Errorf("no sign of life for %s", wait)
		case err != nil:
			return ipc.Malformed, err
		}
		if err := w.Heard(c, m); err != nil {
			return ipc.Malformed, err
		}
	}
}

// start makes the process. It dies with this one, even when this one is
// killed: its standard input ends then, and the kernel is asked to kill it.
func (w *Ward) Start() (_ *Child, err error) {
	var theirs []*os.File
	c := new(Child)
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
		if err != nil {
			c.Close()
			err = fmt.Errorf("start %s: %w", w.Name, err)
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
	stdin, c.In = pipe()
	c.Out, stdout = pipe()
	c.Err, stderr = pipe()
	theirs = append(theirs, stdin, stdout, stderr)
	if err != nil {
		return nil, err
	}
	var extra []*os.File
	if w.Hatch {
		var inside *os.File
		if c.Hatch, inside, err = handover.NewHatches(); err != nil {
			return nil, err
		}
		theirs = append(theirs, inside)
		extra = []*os.File{inside}
	}
	command := func() *exec.Cmd {
		cmd := exec.Command("/proc/self/exe", w.Args...)
		cmd.Args[0] = "kerb"
		cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = stdin, stdout, stderr, extra
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		return cmd
	}
	if w.Apart {
		c.Cmd, err = Apart(w.Nursery.Start, command)
		return c, err
	}
	c.Cmd = command()
	return c, w.Nursery.Start(c.Cmd)
}

// wait gives the process a moment to end by itself.
func (c *Child) Wait() error {
	overdue := time.AfterFunc(time.Second, func() { _ = c.Cmd.Process.Kill() })
	defer overdue.Stop()
	return c.Cmd.Wait()
}

func (c *Child) Close() {
	for _, f := range []*os.File{c.In, c.Out, c.Err} {
		if f != nil {
			f.Close()
		}
	}
	if c.Hatch.Conn != nil {
		c.Hatch.Close()
	}
}

// tell sends parcels that belong together. The one who tells a child that does
// not read gives up soon.
func (c *Child) Tell(ms ...ipc.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.In.SetWriteDeadline(time.Now().Add(Hearing))
	for _, m := range ms {
		if err := ipc.Write(c.In, m); err != nil {
			return err
		}
	}
	return nil
}

// kill ends it at once; who listens to it sees the end.
func (c *Child) Kill() { _ = c.Cmd.Process.Kill() }

// A nursery is the one thread that starts processes: the kernel's promise to
// kill a child holds for the thread that made it, and Go's come and go.
type nursery chan func()

func NewNursery() nursery {
	n := make(nursery)
	go func() {
		runtime.LockOSThread()
		for f := range n {
			f()
		}
	}()
	return n
}

func (n nursery) Start(cmd *exec.Cmd) error {
	err := make(chan error)
	n <- func() { err <- cmd.Start() }
	return <-err
}

// What a child may say in words: short lines of plain characters, and few. The
// rest is counted. Words could carry a picture out; this many cannot.
const (
	LineLength  = 240
	LinesAtOnce = 40
	lineEvery   = 2 * time.Second
)

// relay passes on a child's words within these bounds.
func (w *Ward) Relay(r io.Reader) {
	lines := bufio.NewReaderSize(r, 4096)
	left, refill, dropped := LinesAtOnce, time.Now(), 0
	for {
		line, err := lines.ReadSlice('\n')
		if n := int(time.Since(refill) / lineEvery); n > 0 {
			left, refill = min(left+n, LinesAtOnce), time.Now()
		}
		switch {
		case len(line) == 0:
		case left == 0:
			dropped++
		default:
			left--
			if dropped > 0 {
				w.Log.Warn("words left out", "process", w.Name, "lines", dropped)
			}
			dropped = 0
			fmt.Fprintf(w.Words, "%s: %s\n", w.Name, Plain(line))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// plain is a line without what a terminal or a picture would make of it.
func Plain(line []byte) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, string(line[:min(len(line), LineLength)]))
}
