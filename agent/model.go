package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"kerb/agent/network"
	"kerb/counting/neural"
	"kerb/counting/neural/nets"
	"kerb/counting/vision"
)

type model struct {
	Info   modelInfo   `cmd:"" default:"withargs" help:"What a network is, what it sees and what it costs on this device."`
	Check  modelCheck  `cmd:"" help:"Say whether a file is whole and a network that can count."`
	Import modelImport `cmd:"" help:"Make a .kerb file: show a network stills, so that it can be run in eight bits, and note where it came from."`
}

type modelInfo struct {
	Size    string `help:"Pictures it is to look at, such as 640x480; empty: the size in the file." placeholder:"WxH"`
	Threads int    `help:"Cores that share an inference." default:"1"`
	JSON    bool   `help:"As one JSON object."`
	File    string `arg:"" optional:"" help:"An ONNX or .kerb file, or street or street-small; none: those that are part of kerb."`
}

// port is one end of a network.
type port struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
}

// card is what `kerb model` tells of a network.
type card struct {
	File    string   `json:"file"`
	Bytes   int      `json:"bytes"`
	Inputs  []port   `json:"inputs"`
	Outputs []port   `json:"outputs"`
	Head    string   `json:"head"`
	Classes []string `json:"classes"`
	Input   [2]int   `json:"input"` // width and height that it is run at
	MMAC    float64  `json:"mmac"`
	Weights int      `json:"weights_bytes"`
	Memory  int      `json:"memory_bytes"` // all tensors of an inference
	Steps   int      `json:"steps"`
	Kernels string   `json:"kernels"`
	Threads int      `json:"threads"`
	MS      float64  `json:"ms_per_inference"` // the median
	Int8    int      `json:"int8_steps"`       // how many of the steps are done in eight bits
	SHA256  string   `json:"sha256"`           // of the file, as sha256:…
	Licence string   `json:"licence,omitempty"`
	Problem string   `json:"problem,omitempty"` // why it cannot be a detector

	Origin *network.Card `json:"origin,omitempty"` // of a .kerb file
}

func (m *modelInfo) Run(ctx context.Context, t terminal) error {
	if m.File != "" {
		return m.tell(ctx, t)
	}
	none := true
	for _, name := range nets.All() {
		if nets.Read(name) == nil {
			continue
		}
		if !none && !m.JSON {
			fmt.Fprintln(t.out)
		}
		one := *m
		one.File, none = name, false
		if err := one.tell(ctx, t); err != nil {
			return err
		}
	}
	if none {
		return errors.New("this binary was built without a network: name a file")
	}
	return nil
}

// tell describes one network.
func (m *modelInfo) tell(ctx context.Context, t terminal) error {
	f, err := readModel(m.File)
	if err != nil {
		return err
	}
	net, err := neural.Load(f.ONNX, m.File, neural.Opts{Threads: m.Threads, Int8: f.Ranges})
	if err != nil {
		return err
	}
	sight, useless := vision.Recognise(net)
	if useless == nil && m.Size != "" {
		var w, h int
		if n, err := fmt.Sscanf(m.Size, "%dx%d", &w, &h); n != 2 || err != nil || w < 16 || h < 16 || w > 1<<13 || h > 1<<13 {
			return usageError("-size " + m.Size + ": must be WIDTHxHEIGHT, each 16–8192, such as 640x480")
		}
		net.Close()
		if net, err = planNetwork(f, m.File, w, h, m.Threads, nil); err != nil {
			return err
		}
		if sight, err = vision.Recognise(net); err != nil {
			return err
		}
	}
	defer net.Close()
	c := describe(net, sight)
	c.File, c.Threads = m.File, m.Threads
	c.file(f, net.Info())
	if useless != nil {
		c.Problem = useless.Error()
	}
	c.MS = pace(ctx, net)
	if m.JSON {
		return json.NewEncoder(t.out).Encode(c)
	}
	c.print(t.out)
	return nil
}

func describe(net *neural.Net, sight vision.Sight) card {
	info := net.Info()
	c := card{
		Head: sight.Head, Input: [2]int{sight.Width, sight.Height}, MMAC: float64(info.MACs) / 1e6,
		Weights: info.Weights, Memory: info.Arena, Steps: len(info.Steps), Kernels: info.Kernels, Classes: []string{},
	}
	for _, name := range net.Inputs() {
		_, shape := net.Input(name)
		c.Inputs = append(c.Inputs, port{name, shape})
	}
	for _, name := range net.Outputs() {
		_, shape := net.Output(name)
		c.Outputs = append(c.Outputs, port{name, shape})
	}
	for _, step := range info.Steps {
		if step.Kind == "bytes" {
			c.Int8++
		}
	}
	for _, class := range sight.Classes {
		c.Classes = append(c.Classes, class.String())
	}
	return c
}

// file adds what the file tells besides the network.
func (c *card) file(f *modelFile, info neural.Info) {
	c.Bytes, c.SHA256, c.Licence = f.size, f.sum, licenceOf(info)
	if f.sealed {
		c.Origin = &f.Card
		c.Licence = f.Licence
	}
}

// licenceOf is what a network's author says of it, if anything.
func licenceOf(info neural.Info) string {
	for _, key := range slices.Sorted(maps.Keys(info.Meta)) {
		if k := strings.ToLower(key); k == "license" || k == "licence" {
			return strings.Join(strings.Fields(info.Meta[key]), " ")
		}
	}
	return ""
}

// pace is the median time of an inference, in milliseconds, measured for a
// second or fifty runs.
func pace(ctx context.Context, net *neural.Net) float64 {
	net.Run()
	var ms []float64
	for begun := time.Now(); len(ms) < 50 && time.Since(begun) < time.Second && ctx.Err() == nil; {
		from := time.Now()
		net.Run()
		ms = append(ms, float64(time.Since(from).Microseconds())/1000)
	}
	if len(ms) == 0 {
		return 0
	}
	slices.Sort(ms)
	return ms[len(ms)/2]
}

func (c card) print(w io.Writer) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-8s %s\n", name, fmt.Sprintf(format, args...))
	}
	row("file", "%s, %.1f MB", c.File, float64(c.Bytes)/1e6)
	row("hash", "%s", c.SHA256)
	if o := c.Origin; o != nil {
		row("from", "%s, %s", o.Name, o.Source)
		row("import", "%s by %s, shown %d stills", o.Imported.Format(time.RFC3339), o.By, o.Stills)
		if o.Commit+o.Manifest != "" {
			row("trained", "at commit %s on pictures %s", cmp.Or(o.Commit, "unknown"), cmp.Or(o.Manifest, "unknown"))
		}
	}
	row("licence", "%s", cmp.Or(c.Licence, "the file tells none"))
	for _, p := range c.Inputs {
		row("input", "%s %v", p.Name, p.Shape)
	}
	for _, p := range c.Outputs {
		row("output", "%s %v", p.Name, p.Shape)
	}
	if c.Problem != "" {
		row("head", "none that kerb knows: %s", c.Problem)
	} else {
		row("head", "%s, sees %s in %d×%d", c.Head, strings.Join(c.Classes, ", "), c.Input[0], c.Input[1])
	}
	row("work", "%.0f million multiplications in %d steps, %d of them in eight bits", c.MMAC, c.Steps, c.Int8)
	row("memory", "%.1f MB weights, %.1f MB for an inference", float64(c.Weights)/1e6, float64(c.Memory)/1e6)
	row("speed", "%.1f ms an inference, %s kernels, threads: %d", c.MS, c.Kernels, c.Threads)
	if c.Problem == "" {
		row("next", "model = %q in a [[camera]] of site.toml; left out, kerb chooses", c.File)
	}
}
