package fleet

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

// addressColumns are the columns of a table that name the device, as in its topics.
var addressColumns = []string{"tenant", "site", "device"}

// levelPattern is the form of a name in site.toml.
var levelPattern = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)

// row is one device of a table.
type row struct {
	line   int // in the file
	values map[string]string
}

// address returns the names of the device, as in its topics.
func (r row) address() string {
	return r.values["tenant"] + "/" + r.values["site"] + "/" + r.values["device"]
}

// readRows reads a table in CSV (RFC 4180) with a head. The error names the line: one
// without the columns of the address, with another number of fields than the head, with a
// name that is no level of a topic, or of a device that was named before.
func readRows(path string) (columns []string, rows []row, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read the table: %w", err)
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))))
	if columns, err = r.Read(); err != nil {
		return nil, nil, fmt.Errorf("%s: read the head: %w", path, err)
	}
	for _, c := range addressColumns {
		if !slices.Contains(columns, c) {
			return nil, nil, fmt.Errorf("%s:1: the head has no column %q; it must have %s", path, c, strings.Join(addressColumns, ", "))
		}
	}
	named := map[string]int{}
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return columns, rows, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		line, _ := r.FieldPos(0)
		w := row{line, map[string]string{}}
		for i, c := range columns {
			w.values[c] = strings.TrimSpace(fields[i])
		}
		for _, c := range addressColumns {
			if !levelPattern.MatchString(w.values[c]) {
				return nil, nil, fmt.Errorf("%s:%d: column %s is %q: must be 1–32 of a–z, 0–9, _ and -", path, line, c, w.values[c])
			}
		}
		if before := named[w.address()]; before > 0 {
			return nil, nil, fmt.Errorf("%s:%d: %s is in line %d already", path, line, w.address(), before)
		}
		named[w.address()] = line
		rows = append(rows, w)
	}
}
