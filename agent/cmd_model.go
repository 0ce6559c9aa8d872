package main

import (
	"context"
	"encoding/json"
	"fmt"

	"kerb/agent/model"
	"kerb/agent/terminal"
	"kerb/counting/neural/nets"
)

// modelCmd is kerb model: it describes, checks and imports neural networks.
type modelCmd struct {
	Info   modelInfo   `cmd:"" default:"withargs" example:"kerb model info street" help:"What a network is, what it sees and what it costs on this device."`
	Check  modelCheck  `cmd:"" example:"kerb model check street.kerb" help:"Say whether a file is whole and a network that can count."`
	Import modelImport `cmd:"" example:"kerb model import detector.onnx stills/" help:"Make a .kerb file: show a network stills, so that it can be run in eight bits, and note where it came from."`
}

// modelInfo is kerb model info.
type modelInfo struct {
	Size    string `help:"Pictures it is to look at, such as 640x480; empty: the size in the file." placeholder:"WxH"`
	Threads int    `help:"Cores that share an inference." default:"1"`
	JSON    bool   `help:"As one JSON object."`
	File    string `arg:"" optional:"" help:"An ONNX or .kerb file, or street-large, street or street-small; none: those that are part of kerb."`
}

// Run describes the named network, or without a name all that are in this binary.
func (m *modelInfo) Run(ctx context.Context, t terminal.Terminal) error {
	if m.File != "" {
		return m.describeFile(ctx, t)
	}
	for i, name := range nets.Names() {
		if i > 0 && !m.JSON {
			fmt.Fprintln(t.Out)
		}
		one := *m
		one.File = name
		if err := one.describeFile(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// describeFile loads one network, measures an inference on this device and prints
// the result.
func (m *modelInfo) describeFile(ctx context.Context, t terminal.Terminal) error {
	f, err := model.ReadNetwork(m.File)
	if err != nil {
		return err
	}
	w, h := 0, 0
	if m.Size != "" {
		if n, err := fmt.Sscanf(m.Size, "%dx%d", &w, &h); n != 2 || err != nil || w < 16 || h < 16 || w > 1<<13 || h > 1<<13 {
			return terminal.UsageError("-size " + m.Size + ": must be WIDTHxHEIGHT, each 16–8192, such as 640x480")
		}
	}
	info, err := model.Inspect(ctx, f, m.File, w, h, m.Threads)
	if err != nil {
		return err
	}
	if m.JSON {
		return json.NewEncoder(t.Out).Encode(info)
	}
	info.Print(t.Out)
	return nil
}
