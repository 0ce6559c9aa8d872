package auth

import (
	"errors"
	"strings"
	"testing"
)

// The examples of RFC 7616, sections 3.9.1 and 3.9.2, and of RFC 2617, section 3.5.
func TestTheExamplesOfTheStandardsAreAnswered(t *testing.T) {
	const from7616 = `realm="http-auth@example.org", qop="auth, auth-int", nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`
	for name, c := range map[string]struct{ challenge, user, password, cnonce, uri, want string }{
		"MD5":     {"Digest " + from7616 + ", algorithm=MD5", "Mufasa", "Circle of Life", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "/dir/index.html", "8ca523f5e9506fed4657c9700eebdbec"},
		"SHA-256": {"Digest " + from7616 + ", algorithm=SHA-256", "Mufasa", "Circle of Life", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "/dir/index.html", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
		"MD5 of RFC 2617": {
			`Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`,
			"Mufasa", "Circle Of Life", "0a4f113b", "/dir/index.html", "6629fae49393a05397450978507c4ef1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := Answerer{User: c.user, Password: c.password, cnonce: func() string { return c.cnonce }}
			if err := a.Challenge([]string{c.challenge}, false); err != nil {
				t.Fatal(err)
			}
			if got := a.Header("GET", c.uri); !strings.Contains(got, `response="`+c.want+`"`) {
				t.Errorf("answers %s, must hold %s", got, c.want)
			}
		})
	}
}

func TestChallengesAreReadAsCamerasSendThem(t *testing.T) {
	for name, c := range map[string]struct {
		values []string
		realm  string
		nonce  string
	}{
		"Basic first in one line":      {[]string{`Basic realm="cam", Digest realm="d", nonce="n"`}, "d", "n"},
		"Basic last in one line":       {[]string{`Digest realm="d", nonce="n", Basic realm="cam"`}, "d", "n"},
		"two lines":                    {[]string{`Basic realm="cam"`, `Digest realm="d",nonce="n"`}, "d", "n"},
		"unknown algorithm first":      {[]string{`Digest realm="x", nonce="x", algorithm=SHA3`, `Digest realm="d", nonce="n", algorithm=MD5`}, "d", "n"},
		"both Digests in one line":     {[]string{`Digest realm="d", nonce="n", algorithm=SHA-512-256, Digest realm="x", nonce="x", algorithm=MD5`}, "d", "n"},
		"escaped quotes":               {[]string{`Digest realm="a \"b\" \\ c", nonce="n"`}, `a "b" \ c`, "n"},
		"a domain and a user in realm": {[]string{`Digest realm="DOMAIN\user", nonce="n"`}, `DOMAIN\user`, "n"},
		"no quotes":                    {[]string{`Digest realm=IP Camera, nonce=a+b/c==, qop=auth`}, "IP Camera", "a+b/c=="},
		"no commas":                    {[]string{`Digest realm="d" nonce="n" qop="auth"`}, "d", "n"},
		"tabs, blanks and capitals":    {[]string{"DIGEST\tRealm = \"d\" ,\tNONCE=\"n\",,"}, "d", "n"},
		"a comma and = in a value":     {[]string{`Digest realm="a, b=c", nonce="n"`}, "a, b=c", "n"},
		"a lost quote":                 {[]string{`Digest nonce="n", realm="d`}, "d", "n"},
		"NTLM before":                  {[]string{`NTLM`, `Negotiate abc==, Digest realm="d", nonce="n"`}, "d", "n"},
		"qop with blanks":              {[]string{`Digest realm="d", nonce="n", qop="auth-int, auth"`}, "d", "n"},
		"qop empty":                    {[]string{`Digest realm="d", nonce="n", qop=""`}, "d", "n"},
	} {
		t.Run(name, func(t *testing.T) {
			a := Answerer{User: "user", Password: "p"}
			if err := a.Challenge(c.values, false); err != nil {
				t.Fatal(err)
			}
			if p := a.chosen.param; a.chosen.scheme != "digest" || p["realm"] != c.realm || p["nonce"] != c.nonce {
				t.Errorf("reads %+v", a.chosen)
			}
			if h := a.Header("GET", "/"); !strings.HasPrefix(h, "Digest ") || strings.Contains(h, "sesame") {
				t.Errorf("answers %q", h)
			}
		})
	}
}

func TestARefusedPasswordIsNotTriedAgain(t *testing.T) {
	const one, two = `Digest realm="d", nonce="1"`, `Digest realm="d", nonce="2"`
	a := Answerer{User: "user", Password: "wrong"}
	if err := a.Challenge([]string{one}, false); err != nil {
		t.Fatal(err)
	}
	if err := a.Challenge([]string{two}, true); !errors.Is(err, ErrRefused) {
		t.Errorf("another nonce for a wrong password: %v", err)
	}
	if err := a.Challenge([]string{two + ", stale=TRUE"}, true); err != nil {
		t.Errorf("a stale nonce: %v", err)
	}
	if err := a.Challenge([]string{two + ", stale=true"}, true); !errors.Is(err, ErrRefused) {
		t.Errorf("stale, and the same nonce again: %v", err)
	}
	a.Accepted()
	if err := a.Challenge([]string{one}, true); err != nil {
		t.Errorf("another nonce after an answer was accepted: %v", err)
	}
	if err := a.Challenge(nil, true); !errors.Is(err, ErrRefused) {
		t.Errorf("refused without a challenge: %v", err)
	}
	if err := a.Challenge([]string{"NTLM"}, false); !errors.Is(err, ErrUnknown) {
		t.Errorf("NTLM: %v", err)
	}
	if err := (&Answerer{}).Challenge([]string{one}, false); !errors.Is(err, ErrNoUser) {
		t.Errorf("no user: %v", err)
	}
}

func TestANonceIsCounted(t *testing.T) {
	a := Answerer{User: "user", Password: "p"}
	if err := a.Challenge([]string{`Digest realm="d", nonce="n", qop="auth"`}, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"nc=00000001", "nc=00000002"} {
		if h := a.Header("GET", "/"); !strings.Contains(h, want) {
			t.Errorf("%s, must have %s", h, want)
		}
	}
}

// FuzzChallenge reads what a camera says when it asks for a password.
func FuzzChallenge(f *testing.F) {
	f.Add(`Digest realm="x", nonce="y", qop="auth,auth-int", algorithm=MD5`)
	f.Add(`Basic realm=x,Digest nonce="a=b,c",,opaque`)
	f.Fuzz(func(t *testing.T, s string) {
		a := Answerer{User: "user", Password: "password"}
		if a.Challenge([]string{s}, false) != nil {
			return
		}
		if h := a.Header("GET", "/"); !strings.HasPrefix(h, "Digest ") && !strings.HasPrefix(h, "Basic ") {
			t.Errorf("%q", h)
		}
	})
}

// Without TLS the password goes in the clear only where it may; Digest is answered in
// any case.
func TestBasicIsAnsweredOnlyWhereItMayBe(t *testing.T) {
	basic, digest := []string{`Basic realm="x"`}, []string{`Basic realm="x"`, `Digest realm="x", nonce="n", qop="auth"`}
	for _, c := range []struct {
		refuse bool
		values []string
		want   error
	}{{true, basic, ErrBasic}, {false, basic, nil}, {true, digest, nil}} {
		a := Answerer{User: "u", Password: "hush", RefuseBasic: c.refuse}
		err := a.Challenge(c.values, false)
		sent := a.Header("GET", "/")
		if !errors.Is(err, c.want) || c.refuse && strings.HasPrefix(sent, "Basic") || err != nil && sent != "" {
			t.Errorf("%v, refused %t: %v, sends %q", c.values, c.refuse, err, sent)
		}
	}
}
