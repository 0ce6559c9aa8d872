package main

import "kerb/agent/cage"

// decodeCmd is kerb decode: it becomes a decoder of H.265, such as ffmpeg, within walls
// (cage.ExecDecoder). Only package opener starts it.
type decodeCmd struct {
	Words []string `arg:"" help:"The program, as an absolute path, and its arguments."`
}

// Run returns only where the program cannot be started.
func (d *decodeCmd) Run() error { return cage.ExecDecoder(d.Words) }
