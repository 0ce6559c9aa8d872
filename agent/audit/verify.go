package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ChainBreak is the first entry at which the chain is broken.
type ChainBreak struct {
	File string // path
	Line int    // from 1
	Seq  uint64 // the expected number
	Why  string // one line
}

// Error returns file, line, number and reason in one line.
func (b *ChainBreak) Error() string {
	return fmt.Sprintf("%s:%d: the chain is broken at entry %d: %s", b.File, b.Line, b.Seq, b.Why)
}

// Report is the result of Verify.
type Report struct {
	First           uint64 // number of the oldest entry that is kept; 0: none
	Head            Head   // of the chain, up to its first break
	UnfinishedBytes int    // bytes of an unfinished line at the very end
}

// VerifyLog reads the log in dir, checks every entry and every link, and calls
// visit with each valid entry. The error is a *Break where the chain is broken.
// It cannot detect entries that were cut off at the end, or a log that was
// rewritten from the first entry on; a head stored earlier can: see Report.Head
// and Find.
func VerifyLog(dir string, visit func(Entry) error) (Report, error) {
	if _, err := os.ReadDir(dir); err != nil { // a directory that cannot be read looks empty
		return Report{}, err
	}
	names, err := listFiles(dir)
	if err != nil {
		return Report{}, err
	}
	var v verifier
	for i, name := range names {
		data, err := readPlain(name)
		if err != nil {
			return v.report, err
		}
		if err := v.checkFile(name, data, i == len(names)-1, visit); err != nil {
			return v.report, err
		}
	}
	return v.report, nil
}

// VerifyHead verifies the log in dir and that it still holds the entry reported, which
// a state message told earlier. It tells apart a log that was cut off, one that was
// replaced, one whose entry expired and one with an unfinished end. The zero Head is
// held by every log.
func VerifyHead(dir string, reported Head) (Report, error) {
	found := reported.Seq == 0
	r, err := VerifyLog(dir, func(e Entry) error {
		if e.Seq == reported.Seq {
			found = e.Sum == reported.Sum
		}
		return nil
	})
	switch {
	case err != nil:
		return r, err
	case r.First == 0:
		return r, fmt.Errorf("%s: the log is empty: every start of kerb writes an entry, so it was cut or kerb has not run here", dir)
	case !found && reported.Seq < r.First:
		return r, fmt.Errorf("%s: entry %d is no longer kept: the oldest is %d", dir, reported.Seq, r.First)
	case !found && reported.Seq > r.Head.Seq:
		return r, fmt.Errorf("%s: the log was cut off: it ends at entry %d, and entry %d was told", dir, r.Head.Seq, reported.Seq)
	case !found:
		return r, fmt.Errorf("%s: the log was written anew: entry %d is not the one that was told", dir, reported.Seq)
	case r.UnfinishedError() != nil:
		return r, fmt.Errorf("%s: behind entry %d: %w: a power cut, or a hand; kerb run cuts it off and says so", dir, r.Head.Seq, r.UnfinishedError())
	}
	return r, nil
}

// ParseHead parses SEQ:SUM, the number and the SHA-256 of an entry. An empty string
// gives the zero Head. The error begins with s.
func ParseHead(s string) (h Head, err error) {
	if s == "" {
		return h, nil
	}
	seq, sum, _ := strings.Cut(s, ":")
	if h.Seq, err = strconv.ParseUint(seq, 10, 64); err != nil || h.Seq == 0 || len(sum) != 64 {
		return h, fmt.Errorf("%s: must be a number, a colon and 64 hexadecimal digits", s)
	}
	return Head{Seq: h.Seq, Sum: sum}, nil
}

// FindSum returns the sum of the entry seq of the log in dir, or an error that
// wraps fs.ErrNotExist.
func FindSum(dir string, seq uint64) (sum string, err error) {
	_, err = VerifyLog(dir, func(e Entry) error {
		if e.Seq == seq {
			sum = e.Sum
		}
		return nil
	})
	if err == nil && sum == "" {
		err = fmt.Errorf("entry %d: %w", seq, fs.ErrNotExist)
	}
	return sum, err
}

// verifier checks the files one after the other.
type verifier struct{ report Report }

// checkFile checks the lines of one file.
func (v *verifier) checkFile(name string, data []byte, newest bool, visit func(Entry) error) error {
	n := 0
	broken := func(why string) error {
		return &ChainBreak{File: name, Line: n, Seq: v.report.Head.Seq + 1, Why: why}
	}
	for line := range splitLines(data) {
		n++
		e, err := parseLine(line)
		if err != nil {
			return broken(err.Error())
		}
		switch {
		case n == 1 && filepath.Base(name) != fmt.Sprintf("%010d.log", e.Seq):
			return broken("the file has another name than its first entry gives it")
		case v.report.First == 0 && e.Seq == 1 && e.Prev != genesis:
			return broken("the first entry has something before it")
		case v.report.First == 0:
			v.report.First = e.Seq
		case e.Seq != v.report.Head.Seq+1:
			return broken(fmt.Sprintf("entry %d follows entry %d", e.Seq, v.report.Head.Seq))
		case e.Prev != v.report.Head.Sum:
			return broken("it does not follow the entry before it: one of the two was changed")
		}
		v.report.Head = Head{e.Seq, e.Sum}
		if err := visit(e); err != nil {
			return err
		}
	}
	if rest := data[bytes.LastIndexByte(data, '\n')+1:]; len(rest) > 0 {
		n++
		if !newest {
			return broken("a line without an end")
		}
		v.report.UnfinishedBytes = len(rest)
	}
	return nil
}

// UnfinishedError returns an error when an unfinished line lies at the end: a power cut
// leaves one, and the next start of kerb run cuts it off.
func (r Report) UnfinishedError() error {
	if r.UnfinishedBytes > 0 {
		return errors.New("the last line is unfinished")
	}
	return nil
}

// splitLines returns the whole lines of data, without their newlines.
func splitLines(data []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for {
			i := bytes.IndexByte(data, '\n')
			if i < 0 || !yield(data[:i]) {
				return
			}
			data = data[i+1:]
		}
	}
}
