package oracle

import (
	"fmt"
	"testing"

	"github.com/icholy/digest"

	"kerb/drivers/camera/auth"
)

// kerb's Digest answers are those of icholy/digest, which is read back from them and
// computes them anew. It knows no session algorithms.
func TestDigestAnswersAreThoseOfAnotherLibrary(t *testing.T) {
	for _, algorithm := range []string{"", ", algorithm=MD5", ", algorithm=SHA-256", ", algorithm=SHA-512-256"} {
		for _, qop := range []string{"", `, qop="auth"`, `, qop="auth-int"`, `, qop="auth,auth-int"`} {
			for _, more := range []string{"", `, opaque="o/=+"`, ", userhash=true", ", stale=true"} {
				challenge := fmt.Sprintf(`Digest realm="the \"cam\", 1", nonce="a+b/c=="%s%s%s`, algorithm, qop, more)
				a := auth.Answerer{User: `vie"wer`, Password: `p"a:s s\word`}
				if err := a.Challenge([]string{challenge}, false); err != nil {
					t.Errorf("%s: %v", challenge, err)
					continue
				}
				const uri = "/video?ch=1&x=a,b"
				got, err := digest.ParseCredentials(a.Header("GET", uri))
				if err != nil {
					t.Errorf("%s: %v", challenge, err)
					continue
				}
				c, err := digest.ParseChallenge(challenge)
				if err != nil {
					t.Fatal(err)
				}
				want, err := digest.Digest(c, digest.Options{Method: "GET", URI: uri, Username: a.User, Password: a.Password, Cnonce: got.Cnonce, Count: got.Nc})
				if err != nil {
					t.Fatal(err)
				}
				if got.String() != want.String() {
					t.Errorf("%s:\nkerb %s\nthey %s", challenge, got, want)
				}
			}
		}
	}
}
