package main

import (
	"fmt"
	"os"
	"testing"
)

// TestMain runs other programs in the test binary: those whose cost other tests
// measure, and the commands that packages opener and process start.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "decode" || os.Args[1] == "try") {
		main()
	}
	if os.Getenv("KERB_COST") != "" && len(os.Args) > 1 && os.Args[1] == "whole" {
		fmt.Fprintln(os.Stderr, runWhole(os.Args[2:]))
		os.Exit(1)
	}
	if os.Getenv("KERB_COST") != "" && len(os.Args) == 4 && os.Args[1] == "luma" {
		fmt.Fprintln(os.Stderr, readLuma(os.Args[2], os.Args[3]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}
