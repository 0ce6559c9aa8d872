package supervisor

import (
	"math"
	"testing"
	"time"

	"kerb/agent/ipc"
)

// Numbers in which a sensing process could carry a picture out are no heartbeat.
func TestAHeartbeatIsBoundedByTheClock(t *testing.T) {
	const start = 100 * time.Second
	for name, c := range map[string]struct {
		beats []ipc.Heartbeat // the last one a second after the one before
		ok    bool
	}{
		"30 a second":                    {[]ipc.Heartbeat{{Pictures: 30}, {Pictures: 60, Undecoded: 1, Dropped: 5, LatencyP50: time.Millisecond, LatencyP95: time.Second}}, true},
		"a camera's buffer at the start": {[]ipc.Heartbeat{{Pictures: 300, Dropped: 300}}, true},
		"64 free bits":                   {[]ipc.Heartbeat{{Pictures: math.MaxUint64}}, false},
		"undecoded":                      {[]ipc.Heartbeat{{}, {Undecoded: 1 << 20}}, false},
		"dropped":                        {[]ipc.Heartbeat{{}, {Dropped: 1 << 11}}, false},
		"back":                           {[]ipc.Heartbeat{{Pictures: 60}, {Pictures: 59}}, false},
		"an hour late":                   {[]ipc.Heartbeat{{LatencyP95: time.Hour}}, false},
		"negative":                       {[]ipc.Heartbeat{{LatencyP50: -time.Second}}, false},
	} {
		p := &slot{startedAt: start}
		var err error
		for i := range c.beats {
			err = p.checkHeartbeat(&c.beats[i], start+time.Duration(i+1)*time.Second)
			if err != nil && i < len(c.beats)-1 {
				t.Errorf("%s: beat %d: %v", name, i, err)
			}
		}
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
