package cage

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Report says what holds a process, as measured from inside it.
type Report struct {
	Role     string `json:"role"`
	Machine  string `json:"machine"`  // GOARCH
	Kernel   string `json:"kernel"`   // release, as uname gives it
	Landlock int    `json:"landlock"` // the kernel's ABI; 0: none, or not asked by Try
	Walls    []Wall `json:"walls"`
}

// Wall is one thing a role must not be able to do, and what came of trying.
type Wall struct {
	Name  string `json:"name"`            // completes "it cannot …"
	Holds bool   `json:"holds"`           // the attempt was refused
	Errno string `json:"errno,omitempty"` // what the kernel answered; none: it did as asked, or How is no call
	How   string `json:"how"`             // how it was tried
	May   string `json:"may,omitempty"`   // why this role may do it, or do without the wall; empty: it must hold
}

// Strict is an error that names every wall that should hold and does not.
func (r Report) Strict() error {
	var faults []error
	for _, w := range r.Walls {
		if !w.Holds && w.May == "" {
			faults = append(faults, fmt.Errorf("it can %s: %s: %s", w.Name, w.How, w.answer()))
		}
	}
	if len(r.Walls) == 0 {
		faults = append(faults, errors.New("nothing was measured"))
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("cage for %s: %w", r.Role, errors.Join(faults...))
}

// String is a table for people: one wall a line.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s on %s, Linux %s\n", r.Role, r.Machine, r.Kernel)
	for _, w := range r.Walls {
		mark := "cannot"
		switch {
		case !w.Holds && w.May != "":
			mark = "may   "
		case !w.Holds:
			mark = "CAN   "
		}
		fmt.Fprintf(&b, "%s %-36s %-13s %s", mark, w.Name, w.answer(), w.How)
		if w.May != "" {
			fmt.Fprintf(&b, " (%s)", w.May)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (w Wall) answer() string {
	if w.Errno == "" {
		return "-"
	}
	return w.Errno
}

// judge makes a wall of an attempt's answer. Any other errno than a refusal
// means that the kernel took the call and only disliked the arguments.
func judge(name, how string, errno unix.Errno) Wall {
	w := Wall{Name: name, How: how}
	switch errno {
	case 0:
		return w
	case unix.EPERM, unix.EACCES, unix.ENOSYS, // seccomp, Landlock, a kernel without the call
		unix.EAFNOSUPPORT, unix.EPROTONOSUPPORT, // a kernel without the family or protocol
		unix.EFBIG, unix.EROFS: // RLIMIT_FSIZE, a mount that is read-only for us
		w.Holds = true
	}
	if w.Errno = unix.ErrnoName(errno); w.Errno == "" {
		w.Errno = errno.Error()
	}
	return w
}

// reason says why a role with one of the grants may do what others may not.
func reason(g grant) string {
	for _, r := range []struct {
		grant
		why string
	}{
		{keeping, "starts and feeds the other processes"},
		{database, "keeps its database"},
		{network, "speaks to its broker"},
		{names, "asks name servers"},
		{reading, "reads declared files"},
	} {
		if g&r.grant != 0 {
			return r.why
		}
	}
	return ""
}
