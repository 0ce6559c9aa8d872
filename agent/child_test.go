package main

import (
	"fmt"
	"os"
	"testing"
)

// TestMain runs other programs in the test binary, whose cost other tests measure.
func TestMain(m *testing.M) {
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
