package register

import (
	"fmt"
	"strings"

	"kerb/agent/transparency"
)

// The Dutch sentences of the Dutch registers. Each follows from values of the record.

var dutchPlurals = map[string]string{
	"person": "mensen", "bicycle": "fietsen", "vehicle": "voertuigen", "motorcycle": "motorfietsen", "car": "auto's", "heavy": "zware voertuigen",
}

func dutchSpan(s int) string {
	unit := func(n int, one, many string) string {
		if n == 1 {
			return "1 " + one
		}
		return fmt.Sprintf("%d %s", n, many)
	}
	switch {
	case s%86400 == 0 && s > 0:
		return unit(s/86400, "dag", "dagen")
	case s%3600 == 0 && s > 0:
		return unit(s/3600, "uur", "uur")
	case s%60 == 0 && s > 0:
		return unit(s/60, "minuut", "minuten")
	}
	return unit(s, "seconde", "seconden")
}

func dutchSensing(r *transparency.Record) string {
	switch {
	case r.HasCamera() && r.HasLoops():
		return "een camera en detectielussen in het wegdek"
	case r.HasLoops():
		return "detectielussen in het wegdek"
	}
	return "een camera"
}

// dutchBesides says in words what each quantity is.
var dutchBesides = map[string]string{
	"occupancy": "hoe lang lussen bezet zijn", "speed": "de gemiddelde snelheid van voertuigen", "speeds": "hoeveel voertuigen hoe snel rijden",
	"lengths": "hoeveel voertuigen hoe lang zijn", "headways": "de volgtijden van voertuigen", "gaps": "de tussenruimten van voertuigen",
	"congested": "hoeveel voertuigen op een lus stilstaan", "standing": "hoeveel er stilstaan en hoeveel er bewegen",
}

// dutchBesidesText lists the quantities besides the counts, as a sentence with a space behind
// it; "" for counts alone.
func dutchBesidesText(quantities []string) string {
	if len(quantities) == 0 {
		return ""
	}
	return "Naast aantallen: " + pluralsOf(quantities, dutchBesides, "en") + ". "
}

func dutchCounted(r *transparency.Record) string {
	return pluralsOf(r.Output.Classes.Value, dutchPlurals, "en")
}

func dutchName(r *transparency.Record) string {
	return cutText("Tellen van "+dutchCounted(r)+" in de openbare ruimte (kerb)", 99)
}

func dutchShort(r *transparency.Record) string {
	s := fmt.Sprintf("Een apparaat met %s telt %s. Het geeft per %s alleen aantallen door. ", dutchSensing(r), dutchCounted(r), dutchSpan(r.Clearing.Window.Value))
	if r.HasCamera() {
		s += "Beelden blijven in het geheugen, worden meteen overschreven en verlaten het apparaat nooit. Niemand wordt herkend."
	}
	return cutText(strings.TrimSpace(s), 399)
}

func dutchData(r *transparency.Record) string {
	var b strings.Builder
	if r.HasCamera() {
		fmt.Fprintf(&b, "Invoer: camerabeelden, alleen helderheid, geen kleur en geen geluid, hooguit %s beeldpunten. Een beeld bestaat alleen in het geheugen en wordt meteen overschreven. ", r.Capture.Pixels.Value)
	}
	if r.HasLoops() {
		b.WriteString("Invoer: schakelmomenten van detectielussen. ")
	}
	fmt.Fprintf(&b, "Uitvoer: per %s en per teller een aantal voor %s. Een afgeleverd aantal blijft hooguit %s op het apparaat, een niet afgeleverd aantal tot het is afgeleverd of de opslag vol is. ", dutchSpan(r.Clearing.Window.Value), dutchCounted(r), dutchSpan(r.Retention.Records.Value))
	b.WriteString(dutchBesidesText(r.Output.Quantities.Value))
	fmt.Fprintf(&b, "Teltijden: %s. De verbinding met het platform is %s. ", dutchHours(r), map[bool]string{true: "versleuteld (TLS)", false: "niet versleuteld"}[r.Output.Encrypted.Value])
	if r.HasCamera() {
		b.WriteString("De meegeleverde netwerken zijn getraind met helderheidsbeelden van straten uit openbare verzamelingen; de modelkaart (MODEL.md) noemt de bronnen.")
	}
	return cutText(strings.TrimSpace(b.String()), 2499)
}

func dutchClearing(r *transparency.Record) string {
	c := r.Clearing
	switch c.Method.Value {
	case "noise":
		s := fmt.Sprintf("Voordat een aantal wordt bewaard, wordt er één keer toeval bij opgeteld (exacte discrete Laplace-ruis, epsilon %s per passage).", decimalComma("%g", c.Epsilon.Value))
		if c.Below.Value > 0 {
			s += fmt.Sprintf(" Een aantal onder %d wordt alleen als \"onder %d\" gegeven.", c.Below.Value, c.Below.Value)
		}
		return s
	case "suppress":
		s := fmt.Sprintf("Er wordt geen ruis toegevoegd. Aantallen onder %d worden niet gegeven", c.Below.Value)
		if c.Round.Value > 1 {
			s += fmt.Sprintf("; andere worden afgerond op veelvouden van %d", c.Round.Value)
		}
		return s + "."
	}
	return fmt.Sprintf("Er wordt geen aantal gegeven, alleen een klasse van drukte (grenzen %s).", strings.Trim(fmt.Sprint(c.Bands.Value), "[]"))
}

func decimalComma(format string, v float64) string {
	return strings.Replace(fmt.Sprintf(format, v), ".", ",", 1)
}

// dutchHours is the hours of counting, with Dutch days.
func dutchHours(r *transparency.Record) string {
	if h := r.Capture.Hours.Value; len(h) == 1 && h[0] == "Mon-Sun 00:00-24:00" {
		return "altijd"
	}
	days := strings.NewReplacer("Mon", "ma", "Tue", "di", "Wed", "wo", "Thu", "do", "Fri", "vr", "Sat", "za", "Sun", "zo")
	return days.Replace(strings.Join(r.Capture.Hours.Value, ", ")) + " (" + r.Capture.TimeZone.Value + ")"
}

// dutchTechnical says how it works; the warnings stand at its end and are never cut.
func dutchTechnical(r *transparency.Record) string {
	var b strings.Builder
	if r.HasCamera() {
		b.WriteString("Een klein neuraal netwerk op het apparaat zelf, of alleen het verschil met de achtergrond, vindt weggebruikers in één beeld. ")
		if f := r.Processing.Follow.Value; f > 0 {
			fmt.Fprintf(&b, "Een object wordt hooguit %s gevolgd op plaats en grootte; uiterlijk wordt niet beschreven, herkennen is niet mogelijk. ", dutchSpan(f))
		}
	}
	if r.HasLoops() {
		b.WriteString("Een voertuig boven een lus schakelt een contact; elke passage telt één keer. ")
	}
	b.WriteString("Het systeem is niet zelflerend. " + dutchClearing(r) + " ")
	hold, open := 0, 0
	for _, w := range r.Walls.Value {
		hold, open = hold+w.Hold, open+len(w.Open)
	}
	if hold > 0 {
		fmt.Fprintf(&b, "Elk proces is afgeschermd; het proces dat beelden ziet, mag geen bestand, verbinding of programma openen. Gemeten op het apparaat: %d verboden handelingen geweigerd, %d niet. ", hold, open)
	}
	for _, a := range r.Acceptance.Value {
		fmt.Fprintf(&b, "Teller %s is %d minuten vergeleken met een telling met de hand: afwijking %+.0f %%. ", a.Stream, a.Minutes, 100*a.Error)
	}
	fmt.Fprintf(&b, "Beleid: %s, versie %d, %s. Programma: kerb %s.", r.Policy.Hash.Value, r.Policy.Version.Value, signedBy(r), r.Build.Version.Value)
	warnings := "\n\n" + strings.Join(dutchWarnings(r), "\n")
	return cutText(b.String(), 4999-len([]rune(warnings))) + warnings
}

func signedBy(r *transparency.Record) string {
	if n := len(r.Policy.Signers.Value); n > 0 {
		return fmt.Sprintf("ondertekend met %d sleutel(s)", n)
	}
	return "niet ondertekend"
}

// dutchWarnings are the warnings in Dutch.
func dutchWarnings(r *transparency.Record) (texts []string) {
	limits, untested := 0, ""
	for _, w := range r.Warnings.Value {
		switch w.ID {
		case transparency.WarnWeak:
			texts = append(texts, fmt.Sprintf("Let op: %s worden slecht gevonden (netwerk %s: gemiddelde precisie %s, 1 is foutloos). Beoordeel hiermee geen beleid voor %s.",
				dutchPlurals[w.Class], w.Network, decimalComma("%.2f", w.Precision), dutchPlurals[w.Class]))
		case transparency.WarnLimit:
			limits++
			if strings.Contains(w.Text, "wheelchairs") {
				untested = ", onder andere: niet apart getest voor rolstoelen, kinderwagens, steps, kinderen en dichte drukte"
			}
		case transparency.WarnWalls:
			texts = append(texts, fmt.Sprintf("Let op: op dit apparaat houdt niet elke afscherming stand (proces %s).", w.About))
		case transparency.WarnMadeUp:
			texts = append(texts, fmt.Sprintf("Let op: camera %s toont geen straat maar een proef of een opname; de aantallen beschrijven geen straat.", w.About))
		case transparency.WarnDecoder:
			texts = append(texts, fmt.Sprintf("Let op: als een camera (%s) H.265 stuurt, decodeert het programma ffmpeg de beelden in het geheugen; daarvan is de afscherming niet gemeten.", w.About))
		case transparency.WarnController:
			texts = append(texts, fmt.Sprintf("Let op: het beleid noemt een andere verantwoordelijke dan de opgave van de organisatie (%s).", w.About))
		case transparency.WarnAIAct:
			texts = append(texts, "Let op: het doel is operationeel. Sturen deze aantallen verkeerslichten? Vraag dan of dit een veiligheidscomponent is bij het beheer van wegverkeer (AI-verordening, bijlage III, punt 2); dan is het hoog risico. De netwerken van kerb zijn niet gemaakt voor veiligheidsfuncties.")
		}
	}
	if limits > 0 {
		texts = append(texts, fmt.Sprintf("De modelkaart (MODEL.md) noemt nog %d beperkingen%s.", limits, untested))
	}
	return texts
}
