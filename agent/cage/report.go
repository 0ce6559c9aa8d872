package cage

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Report lists the walls around a process, as measured from inside it.
type Report struct {
	Role     string `json:"role"`
	Machine  string `json:"machine"`  // GOARCH
	Kernel   string `json:"kernel"`   // release, as uname gives it
	Landlock int    `json:"landlock"` // the kernel's ABI; 0: none, or a Report of Try
	Walls    []Wall `json:"walls"`
}

// Wall is one ability that a role must not have, and the result of trying it.
type Wall struct {
	Name   string `json:"name"`            // completes "it cannot …"
	Holds  bool   `json:"holds"`           // the attempt was refused
	Errno  string `json:"errno,omitempty"` // the kernel's answer; empty: the call succeeded, or How is not a call
	How    string `json:"how"`             // the attempt
	Reason string `json:"may,omitempty"`   // why this role may do it, or do without the wall; empty: it must hold
}

// Strict returns an error that names every wall that should hold and does not.
func (r Report) Strict() error {
	var faults []error
	for _, w := range r.Walls {
		if !w.Holds && w.Reason == "" {
			faults = append(faults, fmt.Errorf("it can %s: %s: %s", w.Name, w.How, w.errnoText()))
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

// String returns a table for people: one wall a line.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s on %s, Linux %s\n", r.Role, r.Machine, r.Kernel)
	for _, w := range r.Walls {
		mark := "cannot"
		switch {
		case !w.Holds && w.Reason != "":
			mark = "may   "
		case !w.Holds:
			mark = "CAN   "
		}
		fmt.Fprintf(&b, "%s %-36s %-13s %s", mark, w.Name, w.errnoText(), w.How)
		if w.Reason != "" {
			fmt.Fprintf(&b, " (%s)", w.Reason)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// errnoText returns the errno, or "-" without one.
func (w Wall) errnoText() string {
	if w.Errno == "" {
		return "-"
	}
	return w.Errno
}

// wallFromErrno makes a wall of an attempt's errno. Any errno but a refusal
// means that the kernel accepted the call and refused only its arguments.
func wallFromErrno(name, how string, errno unix.Errno) Wall {
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

// reasonFor returns why a role with one of the grants may do an otherwise
// forbidden call.
func reasonFor(g grant) string {
	for _, r := range []struct {
		grant
		why string
	}{
		{keeping, "starts and feeds the other processes"},
		{database, "keeps its database"},
	} {
		if g&r.grant != 0 {
			return r.why
		}
	}
	return ""
}
