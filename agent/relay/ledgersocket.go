package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// socketFile is the socket of a running relay, below Opts.Dir, on which it tells its
// ledger.
const socketFile = "ledger.sock"

// maxSocketPath is the longest path that the kernel takes (unix(7), less one).
const maxSocketPath = 107

// serveLedger tells the ledger to each client of the socket, one at a time, until ctx
// ends. The file of the position cannot be read by another process meanwhile.
func (r *Relay) serveLedger(ctx context.Context) error {
	path := filepath.Join(r.o.Dir, socketFile)
	if len(path) > maxSocketPath {
		r.log.Warn("relay: the ledger cannot be asked for while the relay runs: the path of -state is too long", "path", path)
		<-ctx.Done()
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for {
		c, err := l.Accept()
		if err != nil {
			return nil //nolint:nilerr // ctx has ended
		}
		r.tellLedger(c)
	}
}

// tellLedger writes the ledger to one client.
func (r *Relay) tellLedger(c net.Conn) {
	defer c.Close()
	ledger, err := r.db.ledger(r.now(), "")
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if err == nil {
		ledger.Waiting.Most, ledger.Waiting.Full = r.o.MostWaiting, r.full.Load()
		err = json.NewEncoder(c).Encode(ledger)
	}
	if err != nil {
		r.log.Warn("relay: ledger", "err", err)
	}
}

// ReadLedger returns the ledger of the relay whose position is in dir: from the relay
// itself where it runs, or from its file. day restricts it to one; "": all.
func ReadLedger(dir, day string) (*Ledger, error) {
	c, err := net.Dial("unix", filepath.Join(dir, socketFile))
	if err != nil {
		db, err := readPosition(filepath.Join(dir, positionFile))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s has no ledger: no kerb relay has run with this folder; -state DIR names another", dir)
		}
		if err != nil {
			return nil, err
		}
		defer db.close()
		return db.ledger(time.Now(), day)
	}
	defer c.Close()
	b, err := io.ReadAll(c)
	if err != nil {
		return nil, fmt.Errorf("ask the running relay: %w", err)
	}
	l := &Ledger{}
	if err := json.Unmarshal(b, l); err != nil {
		return nil, fmt.Errorf("ask the running relay: %w", err)
	}
	l.Rows = slices.DeleteFunc(l.Rows, func(r Row) bool { return day != "" && r.Day != day })
	l.Clashes = slices.DeleteFunc(l.Clashes, func(c Clash) bool { return day != "" && c.Start.UTC().Format(time.DateOnly) != day })
	return l, nil
}
