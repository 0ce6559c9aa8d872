// Package process is the parent's side of kerb's child processes: it starts
// them, reads their records, restarts them with back-off, puts them into empty
// network namespaces, and copies their log lines. Package child is the child's
// side.
//
// It refuses everything from a child but valid ipc records on standard output,
// heartbeats in time, and a bounded rate of short printable lines on standard error.
// A child that breaks the first two is killed.
package process

import (
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
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"kerb/agent/child"
	"kerb/agent/handover"
	"kerb/agent/ipc"
	"kerb/agent/retry"
)

// Watcher restarts one child process with back-off whenever it ends, and kills it
// when it sends anything but a valid ipc record.
type Watcher struct {
	Name         string   // in the log, and before each line of the child
	Args         []string // the child is this binary, with these arguments
	WithHandover bool     // the child inherits a handover socket as descriptor 3
	WithQueries  bool     // the child inherits a socket for queries as descriptor 3, with WithHandover as 4
	Isolated     bool     // the child gets an empty network namespace, see StartIsolated
	Log          *slog.Logger
	ChildOutput  io.Writer // gets the lines of the child's standard error

	Starter  Starter     // starts the child
	Stopping atomic.Bool // do not restart the child after its next end

	OnStart  func(ctx context.Context, c *Process) // runs beside the reading of records; ctx ends with the child
	OnRecord func(c *Process, m ipc.Record) error  // called for each record, in order; an error kills the child
	OnExit   func(why uint8)                       // called after each end, and after a failed start, with the reason as in ipc.SensorLost
}

// Process is one run of a child process.
type Process struct {
	Cmd      *exec.Cmd
	Stdin    *os.File      // write end of its standard input
	Stdout   *os.File      // read end of its standard output
	Stderr   *os.File      // read end of its standard error
	Handover handover.Conn // parent's end; zero without Watcher.WithHandover
	Queries  *os.File      // parent's end; nil without Watcher.WithQueries

	mu sync.Mutex // held while the records of one Send are written
}

// The limits of a child process, chosen by hand.
const (
	minDelay         = 100 * time.Millisecond // before a restart, after few short runs
	maxDelay         = 30 * time.Second       // before a restart, after many short runs
	freeRestarts     = 5                      // short runs in a row before the delay doubles
	stableAfter      = 2 * time.Second        // a longer run makes the next delay the least again
	heartbeatTimeout = 10 * time.Second       // without any record
	startTimeout     = 60 * time.Second       // until the first record: a Pi Zero draws a scene or reads a spool for some seconds
	exitTimeout      = time.Second            // from the end of its output to its end
)

// WriteTimeout is the longest that a write to a child may take, chosen by hand.
// A child that does not read for longer is given up.
const WriteTimeout = 20 * time.Second

// Run starts the child and restarts it until ctx ends, or after Stopping until its
// next end. The error is a child.RefusedError of a child whose walls do not hold,
// which is not restarted; otherwise it is nil.
func (w *Watcher) Run(ctx context.Context) error {
	for quick := 1; ctx.Err() == nil; quick++ {
		started := time.Now()
		why, err := w.runOnce(ctx)
		w.OnExit(why)
		if ctx.Err() != nil || w.Stopping.Load() {
			return nil
		}
		if refusal := new(child.RefusedError); errors.As(err, refusal) {
			return err
		}
		if time.Since(started) > stableAfter {
			quick = 1
		}
		delay := restartDelay(quick)
		w.Log.Error("process ended", "process", w.Name, "err", err, "again_in", delay)
		retry.Sleep(ctx, delay)
	}
	return nil
}

// restartDelay returns the delay after so many short runs in a row: minDelay for
// the first few, which a few random kills explain, then doubled for each up to
// maxDelay.
func restartDelay(quick int) time.Duration {
	return retry.Delay(minDelay, maxDelay, max(quick-freeRestarts, 0))
}

// runOnce starts the child, reads its records until it ends or must be killed,
// and waits for its end and for OnStart.
func (w *Watcher) runOnce(ctx context.Context) (why uint8, err error) {
	c, err := w.StartProcess()
	if err != nil {
		return ipc.LostEnded, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { w.CopyStderr(c.Stderr) })
	beside.Go(func() { w.OnStart(ctx, c) })
	stop := context.AfterFunc(ctx, func() { c.Stdout.SetReadDeadline(time.Unix(1, 0)) })
	why, err = w.readRecords(ctx, c)
	stop()
	cancel()
	if why != ipc.LostEnded || err != nil {
		_ = c.Cmd.Process.Kill()
	}
	exitErr := c.Wait()
	c.Close()
	beside.Wait()
	if c.Cmd.ProcessState.ExitCode() == child.ExitRefused {
		return why, child.RefusedError(w.Name + " found a wall that does not hold, and site.toml says strict")
	}
	return why, errors.Join(err, exitErr)
}

// readRecords passes records to OnRecord until the child ends, sends an invalid
// record, or sends none for too long.
func (w *Watcher) readRecords(ctx context.Context, c *Process) (uint8, error) {
	for wait := startTimeout; ; wait = heartbeatTimeout {
		_ = c.Stdout.SetReadDeadline(time.Now().Add(wait))
		if ctx.Err() != nil {
			return ipc.LostEnded, ctx.Err()
		}
		m, err := ipc.ReadRecord(c.Stdout)
		switch {
		case errors.Is(err, io.EOF):
			return ipc.LostEnded, nil
		case ctx.Err() != nil:
			return ipc.LostEnded, ctx.Err()
		case errors.Is(err, os.ErrDeadlineExceeded):
			return ipc.LostStalled, fmt.Errorf("no sign of life for %s", wait)
		case err != nil:
			return ipc.LostMalformed, err
		}
		if err := w.OnRecord(c, m); err != nil {
			return ipc.LostMalformed, err
		}
	}
}

// StartProcess starts the child with pipes on its standard input, output and error. The
// caller waits for it and closes it. The child dies with this process, even when
// this one is killed: its standard input ends, and the kernel kills it
// (PR_SET_PDEATHSIG).
func (w *Watcher) StartProcess() (_ *Process, err error) {
	var childEnds []*os.File
	c := new(Process)
	defer func() {
		for _, f := range childEnds {
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
	childEnds = append(childEnds, stdin, stdout, stderr)
	if err != nil {
		return nil, err
	}
	var extra []*os.File
	if w.WithHandover {
		var inside *os.File
		if c.Handover, inside, err = handover.NewPair(); err != nil {
			return nil, err
		}
		childEnds = append(childEnds, inside)
		extra = []*os.File{inside}
	}
	if w.WithQueries {
		var inside *os.File
		if c.Queries, inside, err = newSocketPair(); err != nil {
			return nil, err
		}
		childEnds = append(childEnds, inside)
		extra = append(extra, inside)
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

// newSocketPair makes a connected pair of Unix sockets: the parent's end, whose
// reads and writes obey deadlines, and the file for a child to inherit.
func newSocketPair() (parent, child *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	child = os.NewFile(uintptr(fds[1]), "queries")
	if err := syscall.SetNonblock(fds[0], true); err != nil {
		return nil, nil, errors.Join(err, syscall.Close(fds[0]), child.Close())
	}
	return os.NewFile(uintptr(fds[0]), "queries"), child, nil
}

// Wait waits for the end of the process and kills it after a second.
func (c *Process) Wait() error {
	overdue := time.AfterFunc(exitTimeout, func() { _ = c.Cmd.Process.Kill() })
	defer overdue.Stop()
	return c.Cmd.Wait()
}

// Close closes the parent's ends of the pipes and of the sockets.
func (c *Process) Close() {
	for _, f := range []*os.File{c.Stdin, c.Stdout, c.Stderr, c.Queries} {
		if f != nil {
			f.Close()
		}
	}
	c.Handover.Close()
}

// SendRecords writes records to the child without others in between. It is an error where
// the child is gone or does not read for WriteTimeout. It is safe for concurrent
// use.
func (c *Process) SendRecords(ms ...ipc.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.Stdin.SetWriteDeadline(time.Now().Add(WriteTimeout))
	for _, m := range ms {
		if err := ipc.WriteRecord(c.Stdin, m); err != nil {
			return err
		}
	}
	return nil
}

// Kill kills the process. The reader of its output sees the end.
func (c *Process) Kill() { _ = c.Cmd.Process.Kill() }

// Starter is a thread that starts processes. Linux sends the parent death signal
// when the thread ends that started the child, not the process (prctl(2),
// PR_SET_PDEATHSIG), and Go ends threads as it likes. Closing a Starter ends the
// thread and so kills the children.
type Starter chan func()

// timerSlack is the time, in nanoseconds, by which a timer of a child may be late, so
// that the kernel wakes it less often (prctl(2), PR_SET_TIMERSLACK); children inherit
// it. Go's scheduler asks for a pause of 20 µs fifty times each time a process begins to
// work: with the default of 50 µs that took a fifteenth of a camera's processor time.
// Chosen by hand.
const timerSlack = 1_000_000

// NewStarter starts the thread.
func NewStarter() Starter {
	s := make(Starter)
	go func() {
		runtime.LockOSThread()
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, timerSlack, 0, 0, 0)
		for f := range s {
			f()
		}
	}()
	return s
}

// Start calls cmd.Start on the thread and returns its error.
func (s Starter) Start(cmd *exec.Cmd) error {
	err := make(chan error)
	s <- func() { err <- cmd.Start() }
	return <-err
}

// PlainText returns the printable characters (unicode.IsPrint) among the first 240
// bytes of line, which is UTF-8. It removes control sequences of terminals, marks
// that change the direction of writing, and binary data.
func PlainText(line []byte) string {
	var b strings.Builder
	for rest := line[:min(len(line), maxLineLength)]; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if unicode.IsPrint(r) && (r != utf8.RuneError || n > 1) {
			b.WriteRune(r)
		}
		rest = rest[n:]
	}
	return b.String()
}
