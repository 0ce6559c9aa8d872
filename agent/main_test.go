package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

func TestAMissingFileGetsAHint(t *testing.T) {
	var said bytes.Buffer
	printError(&said, fmt.Errorf("read the site file: %w", &fs.PathError{Op: "open", Path: "/etc/kerb/site.toml", Err: fs.ErrNotExist}))
	if !strings.Contains(said.String(), "kerb probe -write site.toml") {
		t.Errorf("said:\n%s", &said)
	}
	said.Reset()
	printError(&said, fmt.Errorf("read spool: %w", &fs.PathError{Op: "stat", Path: "/var/lib/kerb/spool.db", Err: fs.ErrNotExist}))
	if !strings.Contains(said.String(), "has not run here yet") {
		t.Errorf("said:\n%s", &said)
	}
	said.Reset()
	printError(&said, &fs.PathError{Op: "open", Path: "/home/anna/site.toml", Err: fs.ErrNotExist})
	if strings.Contains(said.String(), "hint") {
		t.Errorf("a file of one's own wants no advice:\n%s", &said)
	}
}
