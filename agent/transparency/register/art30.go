package register

import (
	"fmt"
	"io"
	"strings"

	"kerb/agent/transparency"
)

// article30 is the record of processing activities by GDPR Art. 30(1), with its seven
// letters. The JSON Schema is kerb's own (Article30Schema).
type article30 struct{}

// Name is art30.
func (article30) Name() string { return "art30" }

// File is art30.json.
func (article30) File() string { return "art30.json" }

type article30Entry struct {
	Activity   string            `json:"activity"`
	Controller article30Person   `json:"a_controller"`
	Purposes   string            `json:"b_purposes,omitempty"`
	Categories article30Category `json:"c_categories"`
	Recipients article30Receiver `json:"d_recipients"`
	Transfers  string            `json:"e_transfers,omitempty"`
	Limits     string            `json:"f_time_limits"`
	Security   string            `json:"g_security_measures"`
	Warnings   []string          `json:"warnings"`
}

type article30Person struct {
	Name    string `json:"name,omitempty"`
	Contact string `json:"contact,omitempty"`
	DPO     string `json:"data_protection_officer,omitempty"`
}

type article30Category struct {
	Subjects string `json:"data_subjects"`
	Data     string `json:"personal_data"`
}

type article30Receiver struct {
	Platform string `json:"platform"`
	Beyond   string `json:"beyond_the_platform,omitempty"`
}

// Article30Schema is kerb's own JSON Schema of GDPR Art. 30(1).
func Article30Schema() []byte {
	return formSchema[article30Entry]("the seven letters of GDPR Art. 30(1); made by kerb")
}

// Export writes the entries.
func (article30) Export(w io.Writer, groups []transparency.Group) ([]Missing, error) {
	return exportEach(w, groups, func(a *asker, g transparency.Group) article30Entry {
		r := a.rec
		return article30Entry{
			Activity: englishTitle(r) + ": " + strings.Join(deviceNames(g), ", "),
			Controller: article30Person{
				a.answer("(a) name of the controller", "controller.name"), a.answer("(a) contact of the controller", "controller.contact"),
				a.answer("(a) data protection officer", "controller.dpo"),
			},
			Purposes: a.answer("(b) purposes", "purpose.objective"),
			Categories: article30Category{
				Subjects: "people who pass, counted as " + pluralsOf(r.Output.Classes.Value, plurals, "and"),
				Data:     inputText(r) + " " + followSentence(r) + besidesText(r) + " No name, no face, no number plate, no identifier.",
			},
			Recipients: article30Receiver{
				Platform: fmt.Sprintf("%s gets numbers only; the connection is %s", r.Output.Recipient.Value, encryption(r)),
				Beyond:   a.answer("(d) recipients behind the platform", "law.recipients"),
			},
			Transfers: a.answer("(e) transfers to other countries", "law.transfers"),
			Limits: fmt.Sprintf("A picture is %s. Exact counts: %s (window: %s). %s",
				r.Retention.Pictures.Value, r.Processing.Exact.Value, span(r.Clearing.Window.Value), keptSentence(r)),
			Security: clearingSentence(r) + " " + strings.Join(wallLines(r), " ") + " " + auditLine(r) + " Policy " + r.Policy.Hash.Value + ": mode " + r.Policy.Trust.Value + ", " + signersText(r) + ".",
			Warnings: warningTexts(r),
		}
	})
}

func signersText(r *transparency.Record) string {
	if len(r.Policy.Signers.Value) == 0 {
		return "not signed"
	}
	return "signed by key " + strings.Join(r.Policy.Signers.Value, " and ")
}

func auditLine(r *transparency.Record) string {
	a := r.Audit.Value
	switch {
	case a.Seq == 0:
		return "The log of changes to the device (audit log) has no entry yet."
	case !a.Whole:
		return fmt.Sprintf("The log of changes to the device (audit log) is broken behind entry %d.", a.Seq)
	}
	return fmt.Sprintf("The log of changes to the device (audit log) is unbroken up to entry %d (%s).", a.Seq, a.Sum)
}
