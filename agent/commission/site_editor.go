package commission

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"kerb/agent/admission"
	"kerb/agent/aim"
	"kerb/agent/config"
	"kerb/agent/mistake"
	"kerb/agent/policy"
	"kerb/agent/state"
)

// siteEditor writes the plan of one camera into site.toml, and undoes that.
type siteEditor struct {
	path   string
	camera int // its place in the file
	policy *policy.Policy

	mu       sync.Mutex
	previous [][]byte          // texts of the file before each change, oldest first
	hash     [sha256.Size]byte // of the text that was written last
}

// renderSite returns the text of the file and the text with the plan in it, which
// it checks as kerb check does: a mistake.List, an admission.ConflictError, or the
// error of reading the file.
func (e *siteEditor) renderSite(p aim.Plan) (old, text []byte, err error) {
	if old, err = os.ReadFile(e.path); err != nil {
		return nil, nil, err
	}
	d, err := toDrawing(p)
	if err != nil {
		return nil, nil, err
	}
	if text, err = config.ReplaceDrawing(e.path, old, e.camera, d); err != nil {
		return nil, nil, err
	}
	site, err := config.Parse(e.path, text)
	if err != nil {
		return nil, nil, err
	}
	if cs := e.policy.CheckSite(admission.SiteRequests(site)); len(cs) > 0 {
		return nil, nil, admission.ConflictError(cs)
	}
	return old, text, nil
}

// checkPlan returns the mistakes of a plan; nil if it may be saved.
func (e *siteEditor) checkPlan(p aim.Plan) []aim.Complaint {
	if cs := findEmpty(p); len(cs) > 0 {
		return cs
	}
	_, _, err := e.renderSite(p)
	return toComplaints(err, fmt.Sprintf("camera[%d].", e.camera))
}

// findEmpty returns a complaint for each line and zone that counts nothing.
func findEmpty(p aim.Plan) (cs []aim.Complaint) {
	check := func(kind string, i int, classes []string) {
		if len(classes) == 0 {
			cs = append(cs, aim.Complaint{Key: fmt.Sprintf("%s[%d].classes", kind, i), Want: "counts nothing: choose what it counts"})
		}
	}
	for i, l := range p.Lines {
		check("line", i, l.Classes)
	}
	for i, z := range p.Zones {
		check("zone", i, z.Classes)
	}
	return cs
}

// toComplaints returns the mistakes in an error of renderSite, each with its key where
// that is known: camera is cut off its front.
func toComplaints(err error, camera string) (cs []aim.Complaint) {
	var list mistake.List
	var conflicts admission.ConflictError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &list):
		for _, m := range list {
			cs = append(cs, aim.Complaint{Key: strings.TrimPrefix(m.Key, camera), Want: m.Want, Hint: m.Hint})
		}
	case errors.As(err, &conflicts):
		for _, c := range conflicts {
			complaint := aim.Complaint{Want: c.Error(), Rule: c.Key, Streams: c.Streams, Limit: c.Limit}
			if c.Key == "clear.overlap" {
				complaint.Class = c.Class.String()
			}
			cs = append(cs, complaint)
		}
	default:
		cs = append(cs, aim.Complaint{Want: err.Error()})
	}
	return cs
}

// oldSuffix names the file beside site.toml with the text before the latest
// change.
const oldSuffix = ".old"

// savePlan writes the plan into site.toml, after the text before it has gone to
// the file with oldSuffix. A plan with mistakes is an error and changes no file.
func (e *siteEditor) savePlan(p aim.Plan) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	old, text, err := e.renderSite(p)
	if err != nil {
		return err
	}
	if err := state.Replace(e.path+oldSuffix, old, e.path); err != nil {
		return fmt.Errorf("keep the old %s: %w", e.path, err)
	}
	if err := state.Replace(e.path, text, e.path); err != nil {
		return fmt.Errorf("write %s: %w", e.path, err)
	}
	e.previous = append(e.previous, old)
	e.hash = sha256.Sum256(text)
	return nil
}

// undoSave restores site.toml as it was before the last savePlan that is not
// undone, and returns the camera's plan in it. Without one it returns an error.
func (e *siteEditor) undoSave() (aim.Plan, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.previous) == 0 {
		return aim.Plan{}, errors.New("nothing was saved that could be undone")
	}
	text := e.previous[len(e.previous)-1]
	site, err := config.Parse(e.path, text)
	if err != nil {
		return aim.Plan{}, err
	}
	if err := state.Replace(e.path, text, e.path); err != nil {
		return aim.Plan{}, fmt.Errorf("write %s: %w", e.path, err)
	}
	e.previous = e.previous[:len(e.previous)-1]
	e.hash = sha256.Sum256(text)
	return toPlan(site.Cameras[e.camera].Drawing()), nil
}

// fileHash returns the SHA-256 of the text that was written last; zeros before the
// first.
func (e *siteEditor) fileHash() [sha256.Size]byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.hash
}
