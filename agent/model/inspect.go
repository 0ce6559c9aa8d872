package model

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"kerb/counting/neural"
	"kerb/counting/vision"
)

// Port is one input or output of a network.
type Port struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
}

// Info is the description of a network that kerb model prints; its JSON is that of
// kerb model info -json.
type Info struct {
	File    string   `json:"file"`
	Bytes   int      `json:"bytes"`
	Inputs  []Port   `json:"inputs"`
	Outputs []Port   `json:"outputs"`
	Head    string   `json:"head"`
	Classes []string `json:"classes"`
	Input   [2]int   `json:"input"` // width and height of the input, pixels
	MMAC    float64  `json:"mmac"`  // million multiplications of one inference
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

	Origin *Card `json:"origin,omitempty"` // of a .kerb file
}

// Inspect plans the network of f, which was read from path, for pictures of w×h
// pixels (0×0: the size in the file) and measures its speed for a second at most. A
// network that is no detector is described too, with the reason in Problem.
func Inspect(ctx context.Context, f *Network, path string, w, h, threads int) (Info, error) {
	net, err := neural.Load(f.ONNX, path, neural.Opts{Threads: threads, Int8: f.Ranges})
	if err != nil {
		return Info{}, err
	}
	detector, problem := vision.InspectNetwork(net)
	if problem == nil && w > 0 {
		net.Close()
		if net, err = PlanNetwork(f, path, w, h, threads, nil); err != nil {
			return Info{}, err
		}
		if detector, err = vision.InspectNetwork(net); err != nil {
			return Info{}, err
		}
	}
	defer net.Close()
	c := describeNetwork(net, detector)
	c.File, c.Threads = path, threads
	c.addFile(f, net.Info())
	if problem != nil {
		c.Problem = problem.Error()
	}
	c.MS = medianTime(ctx, net)
	return c, nil
}

// describeNetwork returns the facts of a planned network.
func describeNetwork(net *neural.Net, detector vision.NetworkInfo) Info {
	info := net.Info()
	c := Info{
		Head: detector.Head, Input: [2]int{detector.Width, detector.Height}, MMAC: float64(info.MACs) / 1e6,
		Weights: info.Weights, Memory: info.Arena, Steps: len(info.Steps), Kernels: info.Kernels, Classes: []string{},
	}
	for _, name := range net.Inputs() {
		_, shape := net.Input(name)
		c.Inputs = append(c.Inputs, Port{name, shape})
	}
	for _, name := range net.Outputs() {
		_, shape := net.Output(name)
		c.Outputs = append(c.Outputs, Port{name, shape})
	}
	for _, step := range info.Steps {
		if step.Kind == "bytes" {
			c.Int8++
		}
	}
	for _, class := range detector.Classes {
		c.Classes = append(c.Classes, class.String())
	}
	return c
}

// addFile adds the facts of the file to those of its network.
func (c *Info) addFile(f *Network, info neural.Info) {
	c.Bytes, c.SHA256, c.Licence = f.Size, f.Sum, findLicence(info)
	if f.Sealed {
		c.Origin = &f.Card
		c.Licence = f.Licence
	}
}

// findLicence returns the licence in the network's metadata, "" for none.
func findLicence(info neural.Info) string {
	for _, key := range slices.Sorted(maps.Keys(info.Meta)) {
		if k := strings.ToLower(key); k == "license" || k == "licence" {
			return strings.Join(strings.Fields(info.Meta[key]), " ")
		}
	}
	return ""
}

// measureLimit and maxMeasured bound the measurement of the speed.
const (
	measureLimit = time.Second
	maxMeasured  = 50 // runs
)

// medianTime returns the median time of an inference, in milliseconds; 0 where ctx
// ended before the first one. One run before the measurement fills the caches.
func medianTime(ctx context.Context, net *neural.Net) float64 {
	net.Run()
	var ms []float64
	for begun := time.Now(); len(ms) < maxMeasured && time.Since(begun) < measureLimit && ctx.Err() == nil; {
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

// Print writes the description as rows of text, for people.
func (c Info) Print(w io.Writer) {
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
