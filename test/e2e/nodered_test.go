package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A nodeRED is a running Node-RED with the flow of test/nodered.
type nodeRED struct {
	port int
	cmd  *exec.Cmd
}

// startNodeRED starts Node-RED, as npm installed it in test/nodered, for the broker.
func startNodeRED(t *testing.T, b *mosquitto) *nodeRED {
	t.Helper()
	flows, err := os.ReadFile("../nodered/flows.json")
	if err != nil {
		t.Fatal(err)
	}
	dir, n := t.TempDir(), &nodeRED{port: freePort(t)}
	_, port, _ := strings.Cut(strings.TrimPrefix(b.url(), "mqtt://"), ":")
	writeFile(t, filepath.Join(dir, "flows.json"), strings.Replace(string(flows), "PORT", port, 1))
	writeFile(t, filepath.Join(dir, "settings.js"), fmt.Sprintf("module.exports = {uiHost: '127.0.0.1', uiPort: %d, flowFile: 'flows.json', httpAdminRoot: false, logging: {console: {level: 'warn'}}}\n", n.port))
	red, err := filepath.Abs("../nodered/node_modules/node-red/red.js")
	if err != nil {
		t.Fatal(err)
	}
	n.cmd = exec.Command("node", red, "--userDir", dir, "--settings", filepath.Join(dir, "settings.js"))
	n.cmd.Stdout, n.cmd.Stderr = t.Output(), t.Output()
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.stop)
	return n
}

func (n *nodeRED) stop() {
	if n.cmd.ProcessState == nil {
		_ = n.cmd.Process.Kill()
		_ = n.cmd.Wait()
	}
}

// state is what the flow knows: whether the plaza is busy, and the events so far.
func (n *nodeRED) state() (s struct {
	On, Known bool
	Events    []bool
},
) {
	r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/state", n.port))
	if err != nil {
		return s
	}
	defer r.Body.Close()
	_ = json.NewDecoder(r.Body).Decode(&s) // until it is up, an answer of another form
	return s
}

// Node-RED gets both events of a crowd, and after a restart of its own, in which it
// forgets all, it knows the present state.
func TestNodeREDShowsThePresentStateAfterItsRestart(t *testing.T) {
	if _, err := os.Stat("../nodered/node_modules"); err != nil {
		t.Skip("no test/nodered/node_modules: run make nodered")
	}
	b, _ := startWithACL(t, aclRight)
	d := newBusyDevice(t)
	u, _ := run(t, d.opts(b))
	red := startNodeRED(t, b)
	add := func(people int, what string, on bool, events ...bool) {
		t.Helper()
		d.add(people)
		u.Wake()
		until(t, what, func() bool { s := red.state(); return s.Known && s.On == on && slices.Equal(s.Events, events) })
	}
	until(t, "Node-RED to listen", func() bool {
		b.retained(t) // publishes a marker, so that the broker is awake
		r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/state", red.port))
		if err == nil {
			r.Body.Close()
		}
		return err == nil && r.StatusCode == http.StatusOK
	})
	add(0, "the first window", false)
	add(25, "the beginning", true, true)
	red.stop()
	red = startNodeRED(t, b)
	until(t, "the present state after the restart", func() bool { s := red.state(); return s.Known && s.On && len(s.Events) == 0 })
	add(0, "the end", false, false)
	red.stop()
	d.add(30) // while it is away
	u.Wake()
	until(t, "the retained state", func() bool { m, _, ok := present(t, b, "plaza"); return ok && m.Busy[0].On })
	red = startNodeRED(t, b)
	until(t, "the present state after the second restart", func() bool { s := red.state(); return s.Known && s.On })
}
