package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"aead.dev/minisign"

	"kerb/agent/cage"
	"kerb/agent/config"
)

// prove runs the evidence on this very device and signs it.
type prove struct {
	For  time.Duration `help:"How long the marked pictures are shown." default:"10s"`
	Out  string        `help:"Where the bundle goes." default:"." type:"path" placeholder:"DIR"`
	Key  string        `help:"The minisign key that signs (its password in KERB_KEY_PASSWORD); without it this device's own." type:"path" placeholder:"F"`
	JSON bool          `help:"The bundle on standard output, too."`
}

// proof is the bundle. What it does not show is said in Limits.
type proof struct {
	Schema string        `json:"schema"`
	At     time.Time     `json:"at"`
	Took   float64       `json:"took_s"`
	User   int           `json:"uid"`
	OK     bool          `json:"ok"`
	Faults []string      `json:"faults"`
	Walls  []cage.Report `json:"walls"` // free is the control: there the attempts must go through
	Canary canaryProof   `json:"canary"`
	Wire   wireProof     `json:"wire"`
	Build  buildProof    `json:"build"`
	Limits []string      `json:"limits"`
}

type buildProof struct {
	Version  string            `json:"version"`
	Go       string            `json:"go"`
	Binary   string            `json:"binary_sha256"`
	Settings map[string]string `json:"settings"`
	Modules  map[string]string `json:"modules"` // path@version → hash
	Recipe   string            `json:"recipe"`
}

const recipe = "CGO_ENABLED=0 go build -trimpath -buildvcs=auto -ldflags '-s -w -X main.release=RELEASE' ./agent"

// caveats are what a reader must not take the bundle for.
func caveats() []string {
	return []string{
		"The canary shows leaks by accident. What a changed program would hide is held by the walls and by the build facts.",
		"The clock of this device dates the bundle; its key signs it. Who holds the device can make another.",
	}
}

func (p *prove) Run(ctx context.Context, t terminal) error {
	if p.For < 3*time.Second {
		return usageError(fmt.Sprintf("-for %s: must be at least 3s", p.For))
	}
	if err := os.MkdirAll(p.Out, 0o755); err != nil { // before the work, not after it
		return fmt.Errorf("make a place for the bundle: %w", err)
	}
	begun := time.Now()
	bundle := proof{Schema: "kerb.proof/1", At: begun.UTC().Truncate(time.Second), User: os.Getuid(), Faults: []string{}, Limits: caveats()}
	var err error
	if bundle.Walls, err = tryRoles("free", "sense", "uplink", "supervisor"); err != nil {
		return err
	}
	bundle.judgeWalls()
	trial, err := newTrial()
	if err != nil {
		return err
	}
	defer trial.close()
	fmt.Fprintf(t.err, "kerb: showing marked pictures to a kerb of its own for %s\n", p.For)
	if err := trial.run(ctx, p.For); err != nil {
		return err
	}
	if bundle.Canary, err = trial.search(); err != nil {
		return err
	}
	if faults := bundle.Canary.faults(); len(faults) > 0 {
		bundle.Faults = append(bundle.Faults, faults...)
		fmt.Fprintf(t.err, "kerb: what the kerb of the trial said:\n%s", trial.words.Bytes())
	}
	bundle.Wire = trial.wire()
	bundle.Faults = append(bundle.Faults, bundle.Wire.Faults...)
	bundle.Faults = append(bundle.Faults, trial.pipes()...)
	if bundle.Build, err = builtFrom(); err != nil {
		return err
	}
	bundle.Took = time.Since(begun).Round(100 * time.Millisecond).Seconds()
	bundle.OK = len(bundle.Faults) == 0
	path, err := p.sign(bundle)
	if err != nil {
		return err
	}
	if p.JSON {
		err = json.NewEncoder(t.out).Encode(bundle)
	} else {
		bundle.print(t, path)
	}
	if err == nil && !bundle.OK {
		err = fmt.Errorf("%d of the promises do not hold on this device", len(bundle.Faults))
	}
	return err
}

// judgeWalls compares every role with the one that has no walls.
func (p *proof) judgeWalls() {
	through := 0
	for _, w := range p.Walls[0].Walls {
		if !w.Holds {
			through++
		}
	}
	if through == 0 {
		p.Faults = append(p.Faults, "control: not one attempt goes through without walls: nothing is shown by those that do not")
	}
	for _, r := range p.Walls[1:] {
		for _, w := range r.Walls {
			if !w.Holds && w.May == "" {
				p.Faults = append(p.Faults, fmt.Sprintf("walls: %s can %s", r.Role, w.Name))
			}
		}
	}
}

func builtFrom() (buildProof, error) {
	b := buildProof{Version: versionName(), Go: runtime.Version(), Settings: map[string]string{}, Modules: map[string]string{}, Recipe: recipe}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return b, err
	}
	b.Binary = fmt.Sprintf("%x", sha256.Sum256(self))
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			b.Settings[s.Key] = s.Value
		}
		for _, d := range info.Deps {
			b.Modules[d.Path+"@"+d.Version] = d.Sum
		}
	}
	return b, nil
}

// sign writes the bundle and its signature, and the key that checks it.
func (p *prove) sign(bundle proof) (string, error) {
	b, err := json.MarshalIndent(bundle, "", "  ")
	if err != nil {
		return "", err
	}
	b = append(b, '\n')
	key, err := p.key()
	if err != nil {
		return "", err
	}
	public, ok := key.Public().(minisign.PublicKey)
	if !ok {
		return "", errors.New("a minisign key without its public half")
	}
	open, err := public.MarshalText()
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(p.Out, "kerb-proof.pub"), append(open, '\n'), 0o644); err != nil {
		return "", err
	}
	path := filepath.Join(p.Out, "kerb-proof.json")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		return "", err
	}
	return path, os.WriteFile(path+".minisig", minisign.Sign(key, b), 0o644)
}

// key is the one that is given, else this device's own, made at the first time
// beside the packaged spool. Where there is no such directory it is made for
// this bundle and kept nowhere.
func (p *prove) key() (key minisign.PrivateKey, err error) {
	if p.Key != "" {
		return minisign.PrivateKeyFromFile(os.Getenv("KERB_KEY_PASSWORD"), p.Key)
	}
	path := filepath.Join(config.DefaultState, "proof.key")
	if b, err := os.ReadFile(path); err == nil {
		return key, key.UnmarshalText(b)
	}
	if _, key, err = minisign.GenerateKey(rand.Reader); err != nil {
		return key, err
	}
	if _, err := os.Stat(config.DefaultState); err != nil {
		return key, nil
	}
	secret, err := key.MarshalText()
	if err != nil {
		return key, err
	}
	if err := os.WriteFile(path, secret, 0o600); err != nil && !errors.Is(err, fs.ErrPermission) {
		return key, err
	}
	return key, nil
}

func (p proof) print(t terminal, path string) {
	for _, r := range p.Walls[1:] {
		fmt.Fprintln(t.out, r)
	}
	c := p.Canary
	fmt.Fprintf(t.out, "canary: %d pictures were seen, %d windows and %d messages left\n", c.Pictures, p.Wire.Windows, p.Wire.Messages)
	for _, s := range append(c.Controls, c.Places...) {
		what := "nothing"
		if len(s.Found) > 0 {
			what = fmt.Sprint(s.Found)
		}
		if s.Refused != "" {
			what = "refused: " + s.Refused
		}
		fmt.Fprintf(t.out, "  %-34s %9d KB  %s\n", s.Place, s.Bytes>>10, what)
	}
	fmt.Fprintf(t.out, "wire: %d messages, all of the declared shape: %t\n", p.Wire.Messages, len(p.Wire.Faults) == 0)
	fmt.Fprintf(t.out, "build: %s, %s, sha256 %s, %d modules\n", p.Build.Version, p.Build.Go, p.Build.Binary, len(p.Build.Modules))
	for _, l := range p.Limits {
		fmt.Fprintln(t.out, "limit:", l)
	}
	for _, f := range p.Faults {
		fmt.Fprintln(t.out, "FAULT:", f)
	}
	fmt.Fprintf(t.out, "took %.1f s; %s and its .minisig\n", p.Took, path)
}
