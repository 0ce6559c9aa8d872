package admission

import (
	"reflect"
	"strings"
	"testing"
)

// Args writes the flags by hand, and kong derives their names from the fields
// and tags of ChildFlags: a renamed field must not rename its flag.
func TestTheArgsOfAChildAreFlagsThatItHas(t *testing.T) {
	names := map[string]bool{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[ChildFlags]()) {
		name := f.Tag.Get("name")
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		names["--"+name] = !f.Anonymous
	}
	args := ChildFlags{Files: Files{Site: "s", Policy: "p"}, Quiet: true, Fingerprint: "f"}.Args()
	for _, a := range args {
		if strings.HasPrefix(a, "--") && !names[a] {
			t.Errorf("%v: a child has no flag %s", args, a)
		}
	}
	if !names["--agreed"] {
		t.Error("the fingerprint's flag is not --agreed")
	}
}
