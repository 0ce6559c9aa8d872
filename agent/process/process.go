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
	"kerb/agent/retry"
)

// A ward is one child process, started again whenever it ends. It speaks in
// parcels only: whatever else it says ends it.
type Watcher struct {
	Name         string
	Args         []string // of kerb itself
	WithHandover bool     // it gets a hatch as descriptor 3
	Isolated     bool     // it gets a network of its own, in which there is nothing
	Log          *slog.Logger
	ChildOutput  io.Writer // where its words go

	Starter  Starter
	Stopping atomic.Bool // its next end is its last

	OnStart  func(ctx context.Context, c *Process) // beside the reading; its end is waited for
	OnRecord func(c *Process, m ipc.Message) error // an error ends the child
	OnExit   func(why uint8)                       // after each life
}

// child is one life of a ward.
type Process struct {
	Cmd      *exec.Cmd
	Stdin    *os.File // its standard input
	Stdout   *os.File // its standard output
	Stderr   *os.File
	Handover handover.Conn

	mu sync.Mutex // of what is told: parcels that belong together stay together
}

// Between two lives, and the longest silence in one. The first word may take
// longer: a Pi Zero draws a scene or reads a spool for some seconds.
const (
	minDelay         = 100 * time.Millisecond
	maxDelay         = 30 * time.Second
	stableAfter      = 2 * time.Second // a life this long makes the next rest short again
	heartbeatTimeout = 10 * time.Second
	startTimeout     = 60 * time.Second
	WriteTimeout     = 20 * time.Second // the longest that one write may take
)

// run keeps the child alive until the context ends, and ends it then.
func (w *Watcher) Run(ctx context.Context) error {
	for quick := 1; ctx.Err() == nil; quick++ {
		born := time.Now()
		why, err := w.runOnce(ctx)
		w.OnExit(why)
		if ctx.Err() != nil || w.Stopping.Load() {
			return nil
		}
		if refusal := new(child.RefusedError); errors.As(err, refusal) {
			return err
		}
		if time.Since(born) > stableAfter {
			quick = 1
		}
		rest := restartDelay(quick)
		w.Log.Error("process ended", "process", w.Name, "err", err, "again_in", rest)
		retry.Sleep(ctx, rest)
	}
	return nil
}

// pause is how long to rest after so many short lives in a row. Somebody who
// kills at random gives a few of them; from then on each rest is twice as long.
func restartDelay(quick int) time.Duration {
	return retry.Delay(minDelay, maxDelay, max(quick-5, 0))
}

// live is one life, from the start of the process until nothing is left of it.
func (w *Watcher) runOnce(ctx context.Context) (why uint8, err error) {
	c, err := w.Start()
	if err != nil {
		return ipc.Ended, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { w.CopyStderr(c.Stderr) })
	beside.Go(func() { w.OnStart(ctx, c) })
	stop := context.AfterFunc(ctx, func() { c.Stdout.SetReadDeadline(time.Unix(1, 0)) })
	why, err = w.readRecords(ctx, c)
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

// readRecords reads parcels until the child ends, says something else, or falls
// silent.
func (w *Watcher) readRecords(ctx context.Context, c *Process) (uint8, error) {
	for wait := startTimeout; ; wait = heartbeatTimeout {
		_ = c.Stdout.SetReadDeadline(time.Now().Add(wait))
		if ctx.Err() != nil {
			return ipc.Ended, ctx.Err()
		}
		m, err := ipc.Read(c.Stdout)
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
		if err := w.OnRecord(c, m); err != nil {
			return ipc.Malformed, err
		}
	}
}

// start makes the process. It dies with this one, even when this one is
// killed: its standard input ends then, and the kernel is asked to kill it.
func (w *Watcher) Start() (_ *Process, err error) {
	var theirs []*os.File
	c := new(Process)
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
	stdin, c.Stdin = pipe()
	c.Stdout, stdout = pipe()
	c.Stderr, stderr = pipe()
	theirs = append(theirs, stdin, stdout, stderr)
	if err != nil {
		return nil, err
	}
	var extra []*os.File
	if w.WithHandover {
		var inside *os.File
		if c.Handover, inside, err = handover.NewPair(); err != nil {
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
	if w.Isolated {
		c.Cmd, err = StartIsolated(w.Starter.Start, command)
		return c, err
	}
	c.Cmd = command()
	return c, w.Starter.Start(c.Cmd)
}

// wait gives the process a moment to end by itself.
func (c *Process) Wait() error {
	overdue := time.AfterFunc(time.Second, func() { _ = c.Cmd.Process.Kill() })
	defer overdue.Stop()
	return c.Cmd.Wait()
}

func (c *Process) Close() {
	for _, f := range []*os.File{c.Stdin, c.Stdout, c.Stderr} {
		if f != nil {
			f.Close()
		}
	}
	c.Handover.Close()
}

// tell sends parcels that belong together. The one who tells a child that does
// not read gives up soon.
func (c *Process) Send(ms ...ipc.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.Stdin.SetWriteDeadline(time.Now().Add(WriteTimeout))
	for _, m := range ms {
		if err := ipc.Write(c.Stdin, m); err != nil {
			return err
		}
	}
	return nil
}

// kill ends it at once; who listens to it sees the end.
func (c *Process) Kill() { _ = c.Cmd.Process.Kill() }

// A Starter is the one thread that starts processes: the kernel's promise to
// kill a child holds for the thread that made it, and Go's come and go.
type Starter chan func()

func NewStarter() Starter {
	n := make(Starter)
	go func() {
		runtime.LockOSThread()
		for f := range n {
			f()
		}
	}()
	return n
}

func (n Starter) Start(cmd *exec.Cmd) error {
	err := make(chan error)
	n <- func() { err <- cmd.Start() }
	return <-err
}

// What a child may say in words: short lines of plain characters, and few. The
// rest is counted. Words could carry a picture out; this many cannot.
const (
	maxLineLength = 240
	maxLineBurst  = 40
	lineInterval  = 2 * time.Second
)

// relay passes on a child's words within these bounds.
func (w *Watcher) CopyStderr(r io.Reader) {
	lines := bufio.NewReaderSize(r, 4096)
	left, refill, dropped := maxLineBurst, time.Now(), 0
	for {
		line, err := lines.ReadSlice('\n')
		if n := int(time.Since(refill) / lineInterval); n > 0 {
			left, refill = min(left+n, maxLineBurst), time.Now()
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
			fmt.Fprintf(w.ChildOutput, "%s: %s\n", w.Name, PlainText(line))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// plain is a line without what a terminal or a picture would make of it.
func PlainText(line []byte) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, string(line[:min(len(line), maxLineLength)]))
}
