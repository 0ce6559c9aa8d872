package policy

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"

	"aead.dev/minisign"
)

// person is a key pair.
type person struct {
	public  minisign.PublicKey
	private minisign.PrivateKey
}

func someone(t testing.TB, seed byte) person {
	t.Helper()
	public, private, err := minisign.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{seed, 1, 2, 3}, 100)))
	if err != nil {
		t.Fatal(err)
	}
	return person{public, private}
}

func (s person) sign(p *Policy) []byte { return minisign.Sign(s.private, p.Canonical()) }

// changed is a policy with one text in it replaced.
func changed(t testing.TB, text string, oldNew ...string) *Policy {
	t.Helper()
	for i := 0; i < len(oldNew); i += 2 {
		if !strings.Contains(text, oldNew[i]) {
			t.Fatalf("%q is not in the policy", oldNew[i])
		}
	}
	return parse(t, strings.NewReplacer(oldNew...).Replace(text))
}

func TestAPolicyIsTakenOnlyWithTheProofItsModeWants(t *testing.T) {
	anna, bert, eve := someone(t, 1), someone(t, 2), someone(t, 3)
	v3 := parse(t, noisy)
	v2 := changed(t, noisy, "version = 3", "version = 2")
	other3 := changed(t, noisy, "72h", "24h")
	stricter := changed(t, noisy, "version = 3", "version = 4", "72h", "24h")
	looser := changed(t, noisy, "version = 3", "version = 4", "epsilon = 1", "epsilon = 2")
	operational := parse(t, banded)
	a := func(p *Policy) [][]byte { return [][]byte{anna.sign(p)} }
	ab := func(p *Policy) [][]byte { return [][]byte{anna.sign(p), bert.sign(p)} }
	for _, c := range []struct {
		name       string
		mode       Mode
		p, last    *Policy
		signatures [][]byte
		want       string // in the error; empty: taken
	}{
		{"open wants nothing", OpenMode, v3, nil, nil, ""},
		{"open, but older", OpenMode, v2, v3, nil, "version 2 is older than version 3, which is in force"},
		{"open, other content under the same number", OpenMode, other3, v3, nil, "has the same version number"},
		{"open, the same again", OpenMode, v3, v3, nil, ""},
		{"open, operational", OpenMode, operational, nil, nil, "its purpose is operational"},
		{"open, operational, signed by two", OpenMode, operational, nil, ab(operational), ""},
		{"signed by nobody", Signed, v3, nil, nil, "it is not signed, and mode signed wants a signature"},
		{"signed by one", Signed, v3, v2, a(v3), ""},
		{"signed by a stranger", Signed, v3, nil, [][]byte{eve.sign(v3)}, "which this device does not trust"},
		{"signed by one, and a stranger", Signed, v3, nil, append(a(v3), eve.sign(v3)), "which this device does not trust"},
		{"signed, then changed", Signed, v3, nil, a(v2), "does not fit"},
		{"signed, looser", Signed, looser, v3, a(looser), ""},
		{"signed by one, operational", Signed, operational, nil, a(operational), "a second person must sign with another key: its purpose is operational"},
		{"signed, older", Signed, v2, v3, a(v2), "older"},
		{"signed with rubbish", Signed, v3, nil, [][]byte{[]byte("yes, I do")}, "not one of minisign's"},
		{"two-person, first policy", TwoPerson, v3, nil, a(v3), ""},
		{"two-person, stricter", TwoPerson, stricter, v3, a(stricter), ""},
		{"two-person, looser", TwoPerson, looser, v3, a(looser), "looser than version 3: clear.epsilon 1 → 2"},
		{"two-person, looser, one person twice", TwoPerson, looser, v3, append(a(looser), anna.sign(looser)), "a second person"},
		{"two-person, looser, two people", TwoPerson, looser, v3, ab(looser), ""},
		{"two-person, looser, again after a restart", TwoPerson, looser, looser, a(looser), ""},
		{"two-person, nobody", TwoPerson, v3, nil, nil, "mode two-person wants a signature"},
		{"the demonstration", Signed, Demo(), nil, a(Demo()), "never signed"},
		{"the demonstration, open", OpenMode, Demo(), nil, nil, ""},
	} {
		trust := Trust{Mode: c.mode, Keys: []minisign.PublicKey{anna.public, bert.public}}
		err := trust.Admit(c.p, c.last, c.signatures...)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%s: %v, want one line with %q", c.name, err, c.want)
		}
	}
}

func TestOneKeyUnderTwoNumbersIsOnePerson(t *testing.T) {
	anna := someone(t, 1)
	raw, err := base64.StdEncoding.DecodeString(anna.public.String())
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint64(raw[2:], anna.public.ID()+1)
	var twin minisign.PublicKey
	if err := twin.UnmarshalText([]byte(base64.StdEncoding.EncodeToString(raw))); err != nil {
		t.Fatal(err)
	}
	p := parse(t, banded)
	first := anna.sign(p)
	// The ID of a signature is not signed: it can be written over.
	var s minisign.Signature
	if err := s.UnmarshalText(first); err != nil {
		t.Fatal(err)
	}
	s.KeyID++
	second, err := s.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	if !minisign.Verify(twin, p.Canonical(), second) {
		t.Fatal("the twin's signature does not even fit: the test shows nothing")
	}
	trust := Trust{Mode: TwoPerson, Keys: []minisign.PublicKey{anna.public, twin}}
	if err := trust.Admit(p, nil, first, second); err == nil || !strings.Contains(err.Error(), "second person") {
		t.Errorf("got %v", err)
	}
}

func TestEveryFlippedBitOfASignatureSpoilsIt(t *testing.T) {
	anna := someone(t, 1)
	p := parse(t, noisy)
	trust := Trust{Mode: Signed, Keys: []minisign.PublicKey{anna.public}}
	var s minisign.Signature
	if err := s.UnmarshalText(anna.sign(p)); err != nil {
		t.Fatal(err)
	}
	for i := range ed25519.SignatureSize * 8 {
		bad := s
		bad.Signature[i/8] ^= 1 << (i % 8)
		if text, _ := bad.MarshalText(); trust.Admit(p, nil, text) == nil {
			t.Fatalf("bit %d of the signature does not matter", i)
		}
		bad = s
		bad.CommentSignature[i/8] ^= 1 << (i % 8)
		if text, _ := bad.MarshalText(); trust.Admit(p, nil, text) == nil {
			t.Fatalf("bit %d of the comment's signature does not matter", i)
		}
	}
}

func TestModesAreReadFromText(t *testing.T) {
	for m := OpenMode; m <= TwoPerson; m++ {
		if got, err := ParseMode(m.String()); err != nil || got != m {
			t.Errorf("%s: %v %v", m, got, err)
		}
	}
	if _, err := ParseMode("none"); err == nil {
		t.Error("mode none was accepted")
	}
}

// FuzzAdmit: nothing but the signature itself is taken for it.
func FuzzAdmit(f *testing.F) {
	anna := someone(f, 1)
	p := parse(f, noisy)
	good := minisign.SignWithComments(anna.private, p.Canonical(), "policy 3", "anna")
	f.Add(good)
	f.Add(anna.sign(Demo()))
	f.Add([]byte("untrusted comment: \n\ntrusted comment: \n"))
	trust := Trust{Mode: Signed, Keys: []minisign.PublicKey{anna.public}}
	f.Fuzz(func(t *testing.T, text []byte) {
		if trust.Admit(p, nil, text) != nil {
			return
		}
		var s, want minisign.Signature
		if s.UnmarshalText(text) != nil || want.UnmarshalText(good) != nil || s.Signature != want.Signature && s.Algorithm == want.Algorithm {
			t.Fatalf("taken:\n%s", text)
		}
	})
}
