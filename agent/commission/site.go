package commission

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"sync"

	"kerb/agent/admission"
	"kerb/agent/aim"
	"kerb/agent/config"
	"kerb/agent/mistake"
	"kerb/agent/policy"
	"kerb/agent/state"
	"kerb/counting"
)

// siteEditor writes what the page draws into site.toml, and takes it back.
type siteEditor struct {
	path   string
	camera int
	policy *policy.Policy

	mu    sync.Mutex
	olds  [][]byte // what the file was, oldest first
	wrote [sha256.Size]byte
}

// renderSite is the file's text with the plan in it, checked as kerb check does.
func (r *siteEditor) renderSite(p aim.Plan) (old, text []byte, err error) {
	if old, err = os.ReadFile(r.path); err != nil {
		return nil, nil, err
	}
	d, err := drawing(p)
	if err != nil {
		return nil, nil, err
	}
	if text, err = config.ReplaceDrawing(r.path, old, r.camera, d); err != nil {
		return nil, nil, err
	}
	site, err := config.Parse(r.path, text)
	if err != nil {
		return nil, nil, err
	}
	if cs := r.policy.CheckSite(admission.SiteRequests(site)); len(cs) > 0 {
		return nil, nil, admission.ConflictError(cs)
	}
	return old, text, nil
}

// checkPlan says what is wrong with a plan.
func (r *siteEditor) checkPlan(p aim.Plan) []aim.Complaint {
	_, _, err := r.renderSite(p)
	return complaints(err)
}

func complaints(err error) (cs []aim.Complaint) {
	var list mistake.List
	var conflicts admission.ConflictError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &list):
		for _, m := range list {
			cs = append(cs, aim.Complaint{Key: m.Key, Want: m.Want, Hint: m.Hint})
		}
	case errors.As(err, &conflicts):
		for _, c := range conflicts {
			cs = append(cs, aim.Complaint{Want: c.Error()})
		}
	default:
		cs = append(cs, aim.Complaint{Want: err.Error()})
	}
	return cs
}

// oldFile is beside site.toml and holds what it was before the latest change.
const oldFile = ".old"

func (r *siteEditor) savePlan(p aim.Plan) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	old, text, err := r.renderSite(p)
	if err != nil {
		return err
	}
	if err := state.Replace(r.path+oldFile, old, r.path); err != nil {
		return fmt.Errorf("keep the old %s: %w", r.path, err)
	}
	if err := state.Replace(r.path, text, r.path); err != nil {
		return fmt.Errorf("write %s: %w", r.path, err)
	}
	r.olds = append(r.olds, old)
	r.wrote = sha256.Sum256(text)
	return nil
}

func (r *siteEditor) undoSave() (aim.Plan, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.olds) == 0 {
		return aim.Plan{}, errors.New("nothing was saved that could be undone")
	}
	text := r.olds[len(r.olds)-1]
	site, err := config.Parse(r.path, text)
	if err != nil {
		return aim.Plan{}, err
	}
	if err := state.Replace(r.path, text, r.path); err != nil {
		return aim.Plan{}, fmt.Errorf("write %s: %w", r.path, err)
	}
	r.olds = r.olds[:len(r.olds)-1]
	r.wrote = sha256.Sum256(text)
	return plan(site.Cameras[r.camera].Drawing()), nil
}

// fileHash is the SHA-256 of what was written last.
func (r *siteEditor) fileHash() [sha256.Size]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.wrote
}

// drawing and plan turn one into the other: what the file and what the page
// call the same.
func drawing(p aim.Plan) (d config.Drawing, err error) {
	classes := func(names []string) (cs []counting.Class) {
		for _, n := range names {
			c, bad := counting.ParseClass(n)
			err = errors.Join(err, bad)
			cs = append(cs, c)
		}
		return cs
	}
	at := func(p aim.Point) counting.Point { return counting.Point{X: p[0], Y: p[1]} }
	area := func(ps []aim.Point) (g counting.Polygon) {
		for _, p := range ps {
			g = append(g, at(p))
		}
		return g
	}
	for _, l := range p.Lines {
		d.Lines = append(d.Lines, config.Line{Line: counting.Line{ID: l.ID, From: at(l.From), To: at(l.To)}, Classes: classes(l.Classes)})
		if len(l.Classes) == 0 {
			err = errors.Join(err, fmt.Errorf("line %s counts nothing: choose what it counts", l.ID))
		}
	}
	for _, z := range p.Zones {
		d.Zones = append(d.Zones, config.Zone{Zone: counting.Zone{ID: z.ID, Polygon: area(z.Polygon)}, Classes: classes(z.Classes)})
		if len(z.Classes) == 0 {
			err = errors.Join(err, fmt.Errorf("zone %s counts nothing: choose what it counts", z.ID))
		}
	}
	for _, m := range p.Masks {
		d.Masks = append(d.Masks, area(m.Polygon))
	}
	for _, h := range p.Heights {
		d.Heights = append(d.Heights, counting.Height{Foot: at(h.Foot), Top: at(h.Top), Metres: h.Metres})
	}
	return d, err
}

func plan(d config.Drawing) aim.Plan {
	p := aim.Plan{Lines: []aim.Line{}, Zones: []aim.Zone{}, Masks: []aim.Mask{}, Heights: []aim.Height{}}
	names := func(cs []counting.Class) (out []string) {
		for _, c := range cs {
			out = append(out, c.String())
		}
		return out
	}
	at := func(p counting.Point) aim.Point { return aim.Point{p.X, p.Y} }
	area := func(g counting.Polygon) (ps []aim.Point) {
		for _, p := range g {
			ps = append(ps, at(p))
		}
		return ps
	}
	for _, l := range d.Lines {
		p.Lines = append(p.Lines, aim.Line{ID: l.ID, From: at(l.From), To: at(l.To), Classes: names(l.Classes)})
	}
	for _, z := range d.Zones {
		p.Zones = append(p.Zones, aim.Zone{ID: z.ID, Polygon: area(z.Polygon), Classes: names(z.Classes)})
	}
	for _, m := range d.Masks {
		p.Masks = append(p.Masks, aim.Mask{Polygon: area(m)})
	}
	for _, h := range d.Heights {
		p.Heights = append(p.Heights, aim.Height{Foot: at(h.Foot), Top: at(h.Top), Metres: h.Metres})
	}
	return p
}
