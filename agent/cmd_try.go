package main

import (
	"encoding/json"
	"os"

	"kerb/agent/cage"
	"kerb/agent/sensor"
	"kerb/agent/terminal"
)

// tryCmd is kerb try: it builds the walls of one role around its own process,
// attempts each forbidden call, and prints the report as JSON. The role free has no
// walls: it is the control, which shows that the attempts work.
type tryCmd struct {
	Role  string `arg:"" enum:"free,sense,uplink,supervisor,decode,decoder"`
	State string `help:"The directory that the uplink may write."`
}

// Run applies the walls, which stay until the process ends.
func (y *tryCmd) Run(t terminal.Terminal) (err error) {
	var r cage.Report
	switch y.Role {
	case "free":
		r = cage.MeasureWalls(cage.Sense())
		r.Role = "free"
	case "sense":
		r, err = cage.Sense().Handover().Memory(sensor.MaxGrowth).Apply()
	case "uplink":
		r, err = cage.Uplink().State(y.State).Apply()
	case "decode": // this program stands for ffmpeg
		self, err := os.Executable()
		if err != nil {
			return err
		}
		return cage.ExecDecoder([]string{self, "try", "decoder"})
	case "decoder":
		r = cage.MeasureDecoder()
	case "supervisor":
		r, err = cage.Supervisor().Apply()
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(t.Out).Encode(r)
}
