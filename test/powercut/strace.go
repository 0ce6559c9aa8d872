package powercut

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// straceArgs returns the options that make strace write the format of
// parseTrace: paths of descriptors, strings in hexadecimal, all threads.
func straceArgs(log string) []string {
	return []string{
		"-f", "-qq", "-y", "-xx", "-s", "1000000", "-o", log,
		"-e", "trace=openat,pwrite64,write,ftruncate,fdatasync,fsync,renameat,renameat2,rename,unlinkat,unlink",
	}
}

var (
	callLine    = regexp.MustCompile(`^(\d+) +(\w+)\((.*)$`)
	resumedLine = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>(.*)$`)
	quoted      = regexp.MustCompile(`"((?:\\x[0-9a-f]{2})*)"`)
	descriptor  = regexp.MustCompile(`^\d+<([^>]*)>`)
	numbers     = regexp.MustCompile(`(\d+)\)? *$`)
)

// parseTrace reads a record of strace and returns the calls for files under
// dir. Marks are writes to the file named marks there.
func parseTrace(r io.Reader, dir string) (ops []syscallOp, err error) {
	in := bufio.NewReaderSize(r, 1<<20)
	begun := map[string]string{} // pid → the first half of its call
	for {
		line, err := in.ReadString('\n')
		if err == io.EOF {
			return ops, nil
		}
		if err != nil {
			return nil, err
		}
		line = strings.TrimSuffix(line, "\n")
		if m := resumedLine.FindStringSubmatch(line); m != nil {
			line = begun[m[1]] + m[3]
			delete(begun, m[1])
		} else if half, ok := strings.CutSuffix(line, " <unfinished ...>"); ok {
			if m := callLine.FindStringSubmatch(half); m != nil {
				begun[m[1]] = half
			}
			continue
		}
		m := callLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		o, ok, err := parseCall(m[2], m[3], dir)
		if err != nil {
			return nil, fmt.Errorf("%.200s: %w", line, err)
		}
		if ok {
			ops = append(ops, o)
		}
	}
}

// parseCall parses one call with its arguments and result. ok is false for a
// call that failed or that does not concern dir.
func parseCall(name, rest, dir string) (o syscallOp, ok bool, err error) {
	i := strings.LastIndex(rest, " = ")
	if i < 0 || strings.HasPrefix(rest[i+3:], "-1") {
		return o, false, nil
	}
	args, result := strings.TrimSpace(rest[:i]), rest[i+3:]
	args = strings.TrimSuffix(args, ")")
	var text [][]byte
	for _, q := range quoted.FindAllStringSubmatch(args, -1) {
		b, err := hex.DecodeString(strings.ReplaceAll(q[1], `\x`, ""))
		if err != nil {
			return o, false, err
		}
		text = append(text, b)
	}
	if m := descriptor.FindStringSubmatch(args); m != nil {
		o.path = decodePath(m[1])
	} else if len(text) > 0 {
		o.path = string(text[0])
	}
	last := func() int64 {
		m := numbers.FindStringSubmatch(args)
		if m == nil {
			return -1
		}
		n, _ := strconv.ParseInt(m[1], 10, 64)
		return n
	}
	switch name {
	case "pwrite64":
		o.kind, o.data, o.at = "write", text[0], last()
		if n, _ := strconv.Atoi(strings.Fields(result)[0]); n != len(o.data) {
			return o, false, fmt.Errorf("wrote %s of %d", result, len(o.data))
		}
	case "write":
		o.kind, o.data = "mark", text[0]
	case "ftruncate":
		o.kind, o.at = "truncate", last()
	case "fdatasync", "fsync":
		if o.kind = "sync"; o.path == dir {
			o.kind = "syncdir"
			return o, true, nil
		}
	case "openat":
		o.kind, o.path = "create", string(text[len(text)-1])
		if !strings.Contains(args, "O_CREAT") {
			return o, false, nil
		}
	case "rename", "renameat", "renameat2":
		o.kind, o.path, o.to = "rename", string(text[0]), string(text[len(text)-1])
	case "unlink", "unlinkat":
		o.kind, o.path = "unlink", string(text[len(text)-1])
	}
	under := strings.HasPrefix(o.path, dir+"/")
	if (o.kind == "mark") != (o.path == dir+"/marks") {
		under = false
	}
	return o, under, nil
}

// decodePath undoes -xx in a descriptor's path; strace applies it there too.
func decodePath(s string) string {
	if b, err := hex.DecodeString(strings.ReplaceAll(s, `\x`, "")); err == nil && strings.HasPrefix(s, `\x`) {
		return string(b)
	}
	return s
}
