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
	"strings"
	"time"

	"kerb/counting"
)

//go:embed page
var pages embed.FS

// policyOfPage is the Content-Security-Policy: nothing but this server's own
// files, and nobody may frame it.
const policyOfPage = "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

const cookie = "kerb_aim"

// handler is everything that the server answers.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.front)
	mux.HandleFunc("POST /enter", s.enter)
	for _, name := range []string{"style.css", "page.js", "words.json", "icon.svg"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, pages, "page/"+name) })
	}
	mux.HandleFunc("GET /picture", s.guests(s.picture))
	mux.HandleFunc("GET /news", s.guests(s.news))
	mux.HandleFunc("GET /plan", s.guests(s.showPlan))
	for path, do := range map[string]func(*guest, []byte) (any, error){
		"try": s.try, "save": s.save, "undo": s.undo, "reset": s.reset,
		"tally/start": s.tallyStart, "tally/press": s.tallyPress, "tally/undo": s.tallyUndo, "tally/finish": s.tallyFinish,
		"tally/accept": s.tallyAccept, "leave": s.leave, "end": s.finish,
	} {
		mux.HandleFunc("POST /"+path, s.guests(change(do)))
	}
	return s.fence(http.NewCrossOriginProtection().Handler(mux))
}

// fence is what holds for every answer.
func (s *Server) fence(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policyOfPage)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !numeric(r.Host) {
			// A name that leads here today may have led elsewhere a moment ago.
			http.Error(w, "kerb aim answers to its address only, as it is shown on the device", http.StatusMisdirectedRequest)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, bodyBytes)
		next.ServeHTTP(w, r)
	})
}

// numeric reports whether a host is an address, or this machine.
func numeric(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host, _, _ = strings.Cut(strings.Trim(host, "[]"), "%")
	return host == "localhost" || net.ParseIP(host) != nil
}

// guests lets only those through who have entered.
func (s *Server) guests(next func(http.ResponseWriter, *http.Request, *guest)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		g := s.guest(r)
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

func (s *Server) guest(r *http.Request) *guest {
	c, err := r.Cookie(cookie)
	if err != nil {
		return nil
	}
	return s.door.known(c.Value)
}

// page is what the templates know.
type page struct {
	Lang, Device, Camera, Token string
	Classes                     string // what may be counted, by commas
	Sketches, Wrong             bool
	Words                       map[string]string
}

func (s *Server) show(w http.ResponseWriter, r *http.Request, status int, name string, p page) {
	p.Lang, p.Words = language(r)
	p.Device, p.Camera, p.Sketches = s.o.Device, s.o.Camera, s.o.Sketches
	p.Classes = strings.Join(s.o.Classes, ",")
	t, err := template.ParseFS(pages, "page/"+name, "page/head.html")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = t.Execute(w, p) // a viewer who hangs up
}

func (s *Server) front(w http.ResponseWriter, r *http.Request) {
	switch g := s.guest(r); {
	case g != nil:
		s.show(w, r, http.StatusOK, "aim.html", page{Token: g.token})
	case s.door.locked():
		s.show(w, r, http.StatusForbidden, "locked.html", page{})
	case s.door.isFull():
		s.show(w, r, http.StatusServiceUnavailable, "full.html", page{})
	default:
		s.show(w, r, http.StatusOK, "enter.html", page{})
	}
}

func (s *Server) enter(w http.ResponseWriter, r *http.Request) {
	code := strings.Map(func(c rune) rune {
		if c < '0' || c > '9' {
			return -1
		}
		return c
	}, r.PostFormValue("code"))
	key, g, err := s.door.enter(code)
	switch {
	case errors.Is(err, errLocked):
		s.show(w, r, http.StatusForbidden, "locked.html", page{})
		s.o.Note("", "locked")
		s.End("locked")
		return
	case errors.Is(err, errFull):
		s.show(w, r, http.StatusServiceUnavailable, "full.html", page{})
		return
	case err != nil:
		s.show(w, r, http.StatusForbidden, "enter.html", page{Wrong: true})
		return
	}
	s.o.Note(g.id, "entered")
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: key, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	lang, _ := language(r)
	http.Redirect(w, r, "/?lang="+lang, http.StatusSeeOther)
}

// picture streams sketches. Whoever opens it anew ends the stream opened before
// with the same code.
func (s *Server) picture(w http.ResponseWriter, r *http.Request, g *guest) {
	if !s.o.Sketches {
		http.Error(w, "the policy lets nothing be shown", http.StatusForbidden)
		return
	}
	mine := make(chan []byte, 1)
	s.mu.Lock()
	for c, of := range s.screen {
		if of == g {
			delete(s.screen, c)
			close(c)
		}
	}
	s.screen[mine] = g
	s.mu.Unlock()
	watch(w, r, mine)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.screen, mine)
}

// change is a handler that takes JSON and answers with JSON.
func change(do func(*guest, []byte) (any, error)) func(http.ResponseWriter, *http.Request, *guest) {
	return func(w http.ResponseWriter, r *http.Request, g *guest) {
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

func (s *Server) showPlan(w http.ResponseWriter, _ *http.Request, _ *guest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(planned{s.number, s.saved, s.undoes, s.plan, nil})
}

// planned answers every change of the plan.
type planned struct {
	Number     uint32      `json:"number"`
	Saved      bool        `json:"saved"`
	Undoes     int         `json:"undoes"`
	Plan       Plan        `json:"plan"`
	Complaints []Complaint `json:"complaints"`
}

func parsePlan(body []byte) (p Plan, err error) {
	if err := json.Unmarshal(body, &p); err != nil {
		return p, fmt.Errorf("read the plan: %w", err)
	}
	if len(p.Lines) > MaxLines || len(p.Zones) > MaxZones || len(p.Masks) > MaxMasks {
		return p, fmt.Errorf("at most %d lines, %d zones and %d masks", MaxLines, MaxZones, MaxMasks)
	}
	return p, nil
}

// try counts over a plan without keeping it.
func (s *Server) try(_ *guest, body []byte) (any, error) {
	p, err := parsePlan(body)
	if err != nil {
		return nil, err
	}
	complaints := s.o.Check(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan, s.saved = p, false
	s.lay()
	return planned{s.number, s.saved, s.undoes, p, complaints}, nil
}

func (s *Server) save(g *guest, body []byte) (any, error) {
	p, err := parsePlan(body)
	if err != nil {
		return nil, err
	}
	complaints := s.o.Check(p)
	if len(complaints) == 0 {
		if err := s.o.Save(p); err != nil {
			return nil, err
		}
		s.o.Note(g.id, "changed")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan, s.saved = p, len(complaints) == 0
	if s.saved {
		s.undoes++
	}
	return planned{s.number, s.saved, s.undoes, p, complaints}, nil
}

func (s *Server) undo(g *guest, _ []byte) (any, error) {
	p, err := s.o.Undo()
	if err != nil {
		return nil, err
	}
	s.o.Note(g.id, "undone")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan, s.saved = p, true
	s.undoes--
	s.lay()
	return planned{s.number, s.saved, s.undoes, p, nil}, nil
}

// reset begins the live counts anew.
func (s *Server) reset(*guest, []byte) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.counts {
		*c = [counting.Classes][counting.Directions]int{}
	}
	return struct{}{}, nil
}

func (s *Server) leave(g *guest, _ []byte) (any, error) {
	s.door.leave(g)
	return struct{}{}, nil
}

func (s *Server) finish(*guest, []byte) (any, error) {
	time.AfterFunc(200*time.Millisecond, func() { s.End("ended") }) // the answer gets out first
	return struct{}{}, nil
}
