package main

import (
	"encoding/json"
	"fmt"

	"kerb/agent/model"
	"kerb/agent/terminal"
)

// modelCheck is kerb model check: it loads a file as kerb run would.
type modelCheck struct {
	JSON bool   `help:"As one JSON object."`
	File string `arg:"" help:"An ONNX or .kerb file."`
}

// Run plans the network for the largest input. A file without a seal passes, with a
// remark.
func (m *modelCheck) Run(t terminal.Terminal) error {
	f, err := model.ReadNetwork(m.File)
	if err != nil {
		return err
	}
	net, err := model.PlanNetwork(f, m.File, model.MaxInputSide, model.MaxInputSide, 1, nil)
	if err != nil {
		return err
	}
	defer net.Close()
	if m.JSON {
		return json.NewEncoder(t.Out).Encode(map[string]any{"ok": true, "file": m.File, "sha256": f.Sum, "sealed": f.Sealed})
	}
	words := "a network that finds street users; nothing in the file vouches for it: kerb model import seals one"
	if f.Sealed {
		words = fmt.Sprintf("whole, a network that finds street users, shown %d stills", f.Stills)
	}
	_, err = fmt.Fprintf(t.Out, "%s: %s\n%s\n", m.File, words, f.Sum)
	return err
}
