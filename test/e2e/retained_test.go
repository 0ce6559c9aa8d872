package e2e

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// retained returns the topics of the messages that the broker retains.
func (b *mosquitto) retained(t *testing.T) (topics []string) {
	t.Helper()
	s := newSinkAs(t, b.url(), "retained-"+time.Now().Format("150405.000000000"))
	await(t, "the end of what is retained", func() bool { // its subscription may come after a first marker
		s.client.Publish("kerb/v1/test/test/test/marker", 1, false, "{}").WaitTimeout(time.Second)
		return s.kinds()["marker"] > 0
	})
	s.client.Disconnect(100)
	for _, p := range s.everything() {
		if p.retained {
			topics = append(topics, p.Topic)
		}
	}
	return topics
}

// A device that is wiped, and a demonstration that is over, are not retained by the
// broker as devices that are offline.
func TestADeviceThatIsGoneLeavesNothingAtTheBroker(t *testing.T) {
	t.Parallel()
	m := startMosquitto(t)
	a := newAgent(t, m.url(), "scene:calm?size=160x120")
	a.start()
	await(t, "state and meta", func() bool { return len(m.retained(t)) == 2 })
	a.stop()
	if left := m.retained(t); len(left) != 2 {
		t.Fatalf("the broker retains %v of a stopped device: the test shows nothing", left)
	}
	out, err := exec.Command(a.bin, "wipe", "-yes", "-site", filepath.Join(a.dir, "site.toml")).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("messages cleared at the broker")) {
		t.Errorf("%v\n%s", err, out)
	}
	if left := m.retained(t); len(left) > 0 {
		t.Errorf("after the wipe the broker retains %v", left)
	}
	out, err = exec.Command(a.bin, "demo", "-for", "6s", "-messages", "-broker", m.url()).CombinedOutput()
	if err != nil || bytes.Count(out, []byte("/meta {")) != 1 {
		t.Errorf("%v\n%s", err, out)
	}
	if left := m.retained(t); len(left) > 0 {
		t.Errorf("after the demonstration the broker retains %v", left)
	}
}
