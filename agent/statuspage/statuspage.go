// Package statuspage is the page that tells an engineer at the pole how the device is:
// cameras and why they deliver nothing, the broker with the proof of delivery, clock,
// disk, lamp, and the last 72 hours of the released numbers as drawings and as CSV.
//
// It shows what kerb status and kerb spool tell, in the languages of a telephone. It
// refuses every request that changes something, scripts, and whatever comes from another
// host. It has no picture, and no number that no policy has cleared: its numbers are
// status.History and status.Window values, which are made of released windows. It keeps
// nothing itself: what the retention or a watermark has deleted from the spool is gone
// from the page.
package statuspage

import (
	"context"
	"embed"
	"errors"
	"html/template"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"kerb/agent/language"
	"kerb/agent/qrcode"
	"kerb/agent/status"
)

//go:embed page
var files embed.FS

// contentSecurityPolicy allows the page's own style sheet alone.
const contentSecurityPolicy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Opts configures a page. Status, History and Windows must be set; they are called with
// each request, and return the errors of package report.
type Opts struct {
	Status  func(context.Context) (*status.Status, error)
	History func(context.Context) (*status.History, error)
	Windows func(context.Context, func(status.Window) error) error // calls f with every stored window, oldest first
	Sheet   func(w io.Writer, lang string) error                   // writes the acceptance sheet; nil: there is none
	Now     func() time.Time                                       // wall clock

	LogRefusal func(context.Context, *status.Status) // records that the policy forbids the page; nil: nothing does
}

// page serves the requests.
type page struct {
	Opts
	book   language.Book
	layout *template.Template
}

// New returns the handler of a page. Its paths are "/", "/style.css", "/history.csv" and
// "/acceptance.html"; it is mounted below any prefix with http.StripPrefix.
func New(o Opts) http.Handler {
	p := &page{Opts: o, book: loadBook(), layout: template.Must(template.ParseFS(files, "page/*.html"))}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.requireLeave(p.serveStatus))
	mux.HandleFunc("GET /history.csv", p.requireLeave(p.serveCSV))
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, "page/style.css") })
	if o.Sheet != nil {
		mux.HandleFunc("GET /acceptance.html", p.requireLeave(p.serveSheet))
	}
	return secureAnswers(mux)
}

// secureAnswers sets the security headers of every answer.
func secureAnswers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentSecurityPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// view is the data of the template.
type view struct {
	language.Words
	*status.Status
	Languages []language.Name
	Lamps     []status.LampSign
	Window    string // length of a slot, such as "15 min"
	Keep      string // retention, where it is shorter than the drawings
	Streams   []streamView
	Sheet     bool
	QR        qrView
	Trouble   string // why there is no history; ""
}

// qrView is the QR code of the page's address.
type qrView struct {
	Address, Path string
	Side          int
}

// language chooses the words for a request.
func (p *page) language(r *http.Request) language.Words {
	return p.book.Words(p.book.Choose(r.FormValue("lang"), r.Header.Get("Accept-Language")))
}

// requireLeave returns a handler that passes on the requests that the policy in force
// allows, with the status of the device, and refuses the others with a page that says so.
func (p *page) requireLeave(next func(http.ResponseWriter, *http.Request, *status.Status)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, err := p.Status(r.Context())
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		case s.Policy != nil && s.Policy.NoPage:
			if p.LogRefusal != nil {
				p.LogRefusal(r.Context(), s)
			}
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(http.StatusForbidden)
			_ = p.layout.ExecuteTemplate(w, "refused.html", view{Words: p.language(r), Status: s, Languages: p.book.Names()}) // the reader may disconnect
		default:
			next(w, r, s)
		}
	}
}

// serveStatus answers with the page.
func (p *page) serveStatus(w http.ResponseWriter, r *http.Request, s *status.Status) {
	v := view{Words: p.language(r), Status: s, Languages: p.book.Names(), Lamps: status.LampSigns(), Sheet: p.Sheet != nil}
	switch h, err := p.History(r.Context()); {
	case err != nil:
		v.Trouble = err.Error()
	case h != nil:
		v.addHistory(h)
	}
	v.QR = newQR(r.Host)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = p.layout.ExecuteTemplate(w, "status.html", v) // the reader may disconnect
}

// newQR returns the QR code of a host's address; none of a loopback address, which leads
// another telephone to itself.
func newQR(host string) (v qrView) {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	if ip := net.ParseIP(strings.Trim(name, "[]")); ip == nil || ip.IsLoopback() {
		return v
	}
	v.Address = "http://" + host + "/"
	if path, side, err := qrcode.DrawPath(v.Address); err == nil {
		v.Path, v.Side = path, side
	}
	return v
}

// addHistory draws the plots.
func (v *view) addHistory(h *status.History) {
	if h.Step > 0 {
		v.Window = status.FormatAge(h.Step)
	}
	if h.Keep > 0 && h.Keep < status.HistorySpan {
		v.Keep = status.FormatAge(h.Keep)
	}
	v.Streams = drawHistory(h, v.Words)
}

// csvTime bounds the download of a spool over a slow network. Chosen by hand.
const csvTime = 5 * time.Minute

// serveCSV answers with the windows of the last 72 hours, as kerb spool -csv writes
// them. A spool that cannot be read to its end cuts the connection, so that a part is
// not taken for the whole.
func (p *page) serveCSV(w http.ResponseWriter, r *http.Request, _ *status.Status) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(csvTime))
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="kerb-history.csv"`)
	table, err := status.NewCSV(w)
	if err == nil {
		table.Since = p.Now().Add(-status.HistorySpan * time.Second)
		err = p.Windows(r.Context(), table.WriteWindow)
	}
	if err = errors.Join(err, table.Flush()); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// serveSheet answers with the acceptance sheet.
func (p *page) serveSheet(w http.ResponseWriter, r *http.Request, _ *status.Status) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", sheetSecurityPolicy)
	if err := p.Sheet(w, p.language(r).Lang); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// sheetSecurityPolicy allows the style of the sheet, which is one file, so that it can
// be saved and printed elsewhere.
const sheetSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
