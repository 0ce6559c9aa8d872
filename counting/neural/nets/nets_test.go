package nets

import "testing"

// A process of each camera reads a network; a copy of the largest is 1.1 MB.
func TestANetworkIsReadWithoutACopy(t *testing.T) {
	for _, name := range Names() {
		if len(ReadNet(name)) == 0 {
			t.Errorf("no network %s", name)
		}
		if n := testing.AllocsPerRun(10, func() { sink = ReadNet(name) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	if ReadNet("other") != nil {
		t.Error("a network of an unknown name")
	}
}

var sink []byte // keeps the compiler from removing the call
