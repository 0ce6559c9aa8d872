package proof

import (
	"strings"
	"testing"
)

func TestAKeyThatNoSchemaDeclaresIsFound(t *testing.T) {
	const base = "kerb/v1/acme/north/pi/"
	for _, c := range []struct{ topic, payload, want string }{
		{"count/road", `{"schema":"kerb.count/1","device":"pi","seq":1}`, ""},
		{"count/road", `{"schema":"kerb.count/1","faces":1}`, ".faces is not declared"},
		{"backfill/road", `[{"schema":"kerb.count/1","seq":1}]`, ""},
		{"backfill/road", `[{"schema":"kerb.count/1","faces":1}]`, "[].faces is not declared"},
		{"now/road", `{"schema":"kerb.now/1","window":{"seq":1},"busy":[{"on":true}]}`, ""},
		{"now/road", `{"schema":"kerb.now/1","window":{"faces":1}}`, ".window.faces is not declared"},
		{"count/road", `{"schema":"kerb.proof/1","tenant":"acme","serial":"x"}`, ""},
		{"cmd", `{"schema":"kerb.proof/1","serial":"x","faces":1}`, ".faces is not declared"},
		{"photo", `{}`, "no schema for photo"},
	} {
		err := checkDeclared(message{base + c.topic, []byte(c.payload)})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %s: %v, want %q", c.topic, c.payload, err, c.want)
		}
	}
}
