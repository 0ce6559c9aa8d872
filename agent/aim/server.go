package aim

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"kerb/agent/aim/record"
	"kerb/counting"
)

//go:embed page
var pages embed.FS

// contentSecurityPolicy allows the page's own files alone, and no frame around
// it.
const contentSecurityPolicy = "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// cookieName names the session cookie.
const cookieName = "kerb_aim"

// newHandler returns the handler of all requests.
func (s *Server) newHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.serveFront)
	mux.HandleFunc("POST /enter", s.handleCode)
	for _, name := range []string{"style.css", "page.js", "plan.js", "stage.js", "props.js", "mistakes.js", "tally.js", "words.js", "icon.svg"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, pages, "page/"+name) })
	}
	mux.HandleFunc("GET /words.json", serveWords)
	mux.HandleFunc("GET /picture", s.requireLogin(s.streamSketches))
	mux.HandleFunc("GET /news", s.requireLogin(s.streamStatus))
	mux.HandleFunc("GET /plan", s.requireLogin(s.servePlan))
	for path, do := range map[string]func(*viewer, []byte) (any, error){
		"try": s.tryPlan, "save": s.savePlan, "undo": s.undoPlan, "reset": s.resetCounts,
		"tally/start": s.startTally, "tally/press": s.addPress, "tally/undo": s.undoPress, "tally/finish": s.finishTally,
		"tally/accept": s.acceptTally, "leave": s.logOut, "end": s.endSession, "extend": s.extendSession,
	} {
		mux.HandleFunc("POST /"+path, s.requireLogin(jsonHandler(do)))
	}
	if s.o.Status != nil {
		status := http.StripPrefix("/status", s.o.Status)
		mux.HandleFunc("GET /status/", s.requireLogin(func(w http.ResponseWriter, r *http.Request, _ *viewer) { status.ServeHTTP(w, r) }))
	}
	return s.secureAnswers(http.NewCrossOriginProtection().Handler(mux))
}

// secureAnswers sets the security headers of every answer, bounds the body, and
// refuses host names other than Opts.HostNames, against DNS rebinding.
func (s *Server) secureAnswers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentSecurityPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !isNumericHost(r.Host) && !s.isOwnName(r.Host) {
			// A host name can be made to point here by its owner (DNS rebinding).
			http.Error(w, "kerb aim answers to its address only, as it is shown on the device", http.StatusMisdirectedRequest)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, bodyBytes)
		next.ServeHTTP(w, r)
	})
}

// isNumericHost reports whether a Host header is an IP address or localhost.
func isNumericHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host, _, _ = strings.Cut(strings.Trim(host, "[]"), "%")
	return host == "localhost" || net.ParseIP(host) != nil
}

// isOwnName reports whether a Host header is one of Opts.HostNames. They end in .local,
// which no public name server has (RFC 6762, 3): a page from elsewhere cannot have such
// a name.
func (s *Server) isOwnName(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(host, ".")
	return slices.ContainsFunc(s.o.HostNames, func(name string) bool { return strings.EqualFold(host, name) })
}

// requireLogin passes on requests of logged-in viewers alone; those that change
// state must carry the viewer's token.
func (s *Server) requireLogin(next func(http.ResponseWriter, *http.Request, *viewer)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		g := s.viewerOf(r)
		if g == nil {
			http.Error(w, "enter the code first", http.StatusUnauthorized)
			return
		}
		if r.Method != http.MethodGet && r.Header.Get("X-Kerb-Token") != g.token {
			http.Error(w, "this did not come from the page", http.StatusForbidden)
			return
		}
		next(w, r, g)
	}
}

// viewerOf returns the logged-in viewer of a request, or nil.
func (s *Server) viewerOf(r *http.Request) *viewer {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return nil
	}
	return s.login.findViewer(c.Value)
}

// pageData is the data of the HTML templates.
type pageData struct {
	Lang, Device, Camera, Token string
	Classes                     string // the allowed classes, separated by commas
	Coarse                      string // the classes that are no part of another one, likewise
	Kinds                       string // of streams that the policy allows to draw, likewise
	Overlap                     int    // in how many lines and zones it lets one object be counted
	Sketches                    bool
	Wrong                       string // the text after a wrong code; "" before one
	Languages                   []language
	Words                       map[string]string

	Code            string // of the address, as the QR code on the device has it; "": none
	Status          bool   // there is a status page
	StatusForbidden bool   // the policy forbids it
}

// renderPage answers with an HTML template in the viewer's language.
func (s *Server) renderPage(w http.ResponseWriter, r *http.Request, status int, name string, p pageData) {
	p.Lang, p.Words = chooseLanguage(r)
	p.Languages = listLanguages()
	p.Kinds, p.Overlap = strings.Join(s.o.Kinds, ","), s.o.Overlap
	p.Device, p.Camera, p.Sketches = s.o.Device, s.o.Camera, s.o.Sketches
	p.Classes = strings.Join(s.o.Classes, ",")
	var coarse []string
	for _, c := range counting.CoarseClasses() {
		coarse = append(coarse, c.String())
	}
	p.Coarse = strings.Join(coarse, ",")
	t, err := template.ParseFS(pages, "page/"+name, "page/head.html")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = t.Execute(w, p) // the viewer may disconnect
}

// serveFront answers with the page, or with the form for the code.
func (s *Server) serveFront(w http.ResponseWriter, r *http.Request) {
	switch g := s.viewerOf(r); {
	case g != nil:
		s.renderPage(w, r, http.StatusOK, "aim.html", pageData{Token: g.token, Status: s.o.Status != nil, StatusForbidden: s.o.StatusForbidden})
	case s.login.isLocked():
		s.renderPage(w, r, http.StatusForbidden, "locked.html", pageData{})
	case s.login.isFull():
		s.renderPage(w, r, http.StatusServiceUnavailable, "full.html", pageData{})
	default:
		s.renderPage(w, r, http.StatusOK, "enter.html", pageData{Code: keepDigits(r.FormValue("code"))})
	}
}

// keepDigits returns the digits of a text.
func keepDigits(text string) string {
	return strings.Map(func(c rune) rune {
		if c < '0' || c > '9' {
			return -1
		}
		return c
	}, text)
}

// handleCode checks a login code, ignoring all but its digits, and sets the
// cookie. The last wrong code ends the session.
func (s *Server) handleCode(w http.ResponseWriter, r *http.Request) {
	key, g, err := s.login.admit(keepDigits(r.PostFormValue("code")))
	switch {
	case errors.Is(err, errLocked):
		s.renderPage(w, r, http.StatusForbidden, "locked.html", pageData{})
		s.o.LogAction("", "locked")
		s.EndSession("locked")
		return
	case errors.Is(err, errFull):
		s.renderPage(w, r, http.StatusServiceUnavailable, "full.html", pageData{})
		return
	case err != nil:
		_, words := chooseLanguage(r)
		left := strings.NewReplacer("{n}", strconv.Itoa(s.login.triesLeft()), "{m}", strconv.Itoa(maxWrong))
		s.renderPage(w, r, http.StatusForbidden, "enter.html", pageData{Wrong: left.Replace(words["enter_wrong"])})
		return
	}
	s.o.LogAction(g.id, "entered")
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: key, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	lang, _ := chooseLanguage(r)
	http.Redirect(w, r, "/?lang="+lang, http.StatusSeeOther)
}

// streamSketches streams sketches as multipart JPEG. A new stream of the same
// viewer ends the one before.
func (s *Server) streamSketches(w http.ResponseWriter, r *http.Request, g *viewer) {
	if !s.o.Sketches {
		http.Error(w, "the policy lets nothing be shown", http.StatusForbidden)
		return
	}
	mine := make(chan []byte, 1)
	s.mu.Lock()
	for c, of := range s.streams {
		if of == g {
			delete(s.streams, c)
			close(c)
		}
	}
	s.streams[mine] = g
	s.mu.Unlock()
	streamMJPEG(w, r, mine)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, mine)
}

// jsonHandler returns a handler that passes the body to do and answers with its
// result as JSON, or with status 400 and the error.
func jsonHandler(do func(*viewer, []byte) (any, error)) func(http.ResponseWriter, *http.Request, *viewer) {
	return func(w http.ResponseWriter, r *http.Request, g *viewer) {
		body, err := io.ReadAll(r.Body)
		var answer any
		if err == nil {
			answer, err = do(g, body)
		}
		w.Header().Set("Content-Type", "application/json")
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			answer = map[string]string{"error": err.Error()}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}
}

// servePlan answers with the current plan.
func (s *Server) servePlan(w http.ResponseWriter, _ *http.Request, _ *viewer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(planAnswer{s.number, s.saved, s.undoes, s.plan, nil})
}

// planAnswer is the answer to every change of the plan.
type planAnswer struct {
	Number     uint32      `json:"number"`
	Saved      bool        `json:"saved"`
	Undoes     int         `json:"undoes"`
	Plan       Plan        `json:"plan"`
	Complaints []Complaint `json:"complaints"`
}

// parsePlan decodes a plan and checks the number of its elements.
func parsePlan(body []byte) (p Plan, err error) {
	if err := json.Unmarshal(body, &p); err != nil {
		return p, fmt.Errorf("read the plan: %w", err)
	}
	if len(p.Lines) > record.MaxLines || len(p.Zones) > record.MaxZones || len(p.Masks) > record.MaxMasks {
		return p, fmt.Errorf("at most %d lines, %d zones and %d masks", record.MaxLines, record.MaxZones, record.MaxMasks)
	}
	return p, nil
}

// tryPlan counts with a plan without saving it.
func (s *Server) tryPlan(_ *viewer, body []byte) (any, error) {
	p, err := parsePlan(body)
	if err != nil {
		return nil, err
	}
	complaints := s.o.CheckPlan(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isTallying() {
		return nil, errTallying
	}
	s.plan, s.saved = p, false
	s.publishLayout()
	return planAnswer{s.number, s.saved, s.undoes, p, complaints}, nil
}

// isTallying reports whether a tally runs. The caller holds the lock.
func (s *Server) isTallying() bool { return s.tally != nil && s.tally.ended == 0 }

// savePlan saves a plan without mistakes; a plan with mistakes is kept in
// memory alone. One that was not tried before is counted with from now on.
func (s *Server) savePlan(g *viewer, body []byte) (any, error) {
	p, err := parsePlan(body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	isNew := !reflect.DeepEqual(p, s.plan)
	tallying := s.isTallying()
	s.mu.Unlock()
	if isNew && tallying {
		return nil, errTallying
	}
	complaints := s.o.CheckPlan(p)
	if len(complaints) == 0 {
		if err := s.o.SavePlan(p); err != nil {
			return nil, err
		}
		s.o.LogAction(g.id, "changed")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan, s.saved = p, len(complaints) == 0
	if s.saved {
		s.inFile = p.Masks
		s.undoes++
	}
	if isNew {
		s.publishLayout()
	}
	return planAnswer{s.number, s.saved, s.undoes, p, complaints}, nil
}

// undoPlan restores the plan before the last save.
func (s *Server) undoPlan(g *viewer, _ []byte) (any, error) {
	s.mu.Lock()
	tallying := s.isTallying()
	s.mu.Unlock()
	if tallying {
		return nil, errTallying
	}
	p, err := s.o.UndoPlan()
	if err != nil {
		return nil, err
	}
	s.o.LogAction(g.id, "undone")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan, s.saved, s.inFile = p, true, p.Masks
	s.undoes--
	s.publishLayout()
	return planAnswer{s.number, s.saved, s.undoes, p, nil}, nil
}

// resetCounts sets the live counts to zero.
func (s *Server) resetCounts(*viewer, []byte) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.counts {
		*c = [counting.Classes][counting.Directions]int{}
	}
	return struct{}{}, nil
}

// logOut removes the viewer, who needs a new code to come back.
func (s *Server) logOut(g *viewer, _ []byte) (any, error) {
	s.login.removeViewer(g)
	return struct{}{}, nil
}

// answerTime is the delay of the end of the session after a viewer asked for it.
const answerTime = 200 * time.Millisecond

// endSession ends the session shortly after the answer was sent.
func (s *Server) endSession(*viewer, []byte) (any, error) {
	time.AfterFunc(answerTime, func() { s.EndSession("ended") })
	return struct{}{}, nil
}
