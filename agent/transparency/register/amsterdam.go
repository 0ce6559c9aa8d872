package register

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"kerb/agent/transparency"
)

// amsterdam is the sheet "Sensorregistratie" of the bulk form of Amsterdam's sensor
// register, with semicolons: one row for each sensor (Amsterdam/iot-api 7d78112,
// BULK_SENSOR_FIELDS).
type amsterdam struct{}

// Name is amsterdam.
func (amsterdam) Name() string { return "amsterdam" }

// File is amsterdam.csv.
func (amsterdam) File() string { return "amsterdam.csv" }

// amsterdamHeadings are the headings; the importer compares them letter by letter.
var amsterdamHeadings = []string{
	"Referentie", "Kies soort / type sensor", "Latitude", "Longitude", "In welk gebied bevindt zich de mobiele sensor?", "Wat meet de sensor?",
	"Waarvoor meet u dat?", "Thema 1", "Thema 2 (niet verplicht)", "Thema 3 (niet verplicht)", "Thema 4 (niet verplicht)", "Thema 5 (niet verplicht)",
	"Thema 6 (niet verplicht)", "Thema 7 (niet verplicht)", "Thema 8 (niet verplicht)", "Worden er persoonsgegevens verwerkt?", "Wettelijke grondslag",
	"Privacyverklaring", "Wanneer wordt de sensor verwijderd?", "Opmerking (niet verplicht)", "Project",
}

// Export writes the headings and a row for each sensor.
func (amsterdam) Export(w io.Writer, groups []transparency.Group) (missing []Missing, err error) {
	rows := [][]string{amsterdamHeadings}
	for _, g := range eachDevice(groups) {
		a := &asker{rec: g.First()}
		for _, s := range a.rec.Capture.Sensors.Value {
			rows = append(rows, amsterdamRow(a, s))
		}
		missing = append(missing, a.missing...)
	}
	return uniqueMissing(missing), writeSheet(w, rows)
}

// amsterdamRow is the row of one sensor.
func amsterdamRow(a *asker, s transparency.Sensor) []string {
	r := a.rec
	lat, lon := "", ""
	if p := r.Device.Place.Value; p.Lat != nil && p.Lon != nil {
		lat, lon = strconv.FormatFloat(*p.Lat, 'f', -1, 64), strconv.FormatFloat(*p.Lon, 'f', -1, 64)
	} else {
		a.missing = append(a.missing, Missing{"Latitude, Longitude", "site.toml device.place.lat, device.place.lon", "where the device hangs, in degrees (WGS 84)"})
	}
	kind := "Optische / camera sensor"
	if s.Kind == "loop" {
		kind = "Aanwezigheid of nabijheidsensor"
	}
	themes := a.answers("Thema 1", "amsterdam.themes")
	row := []string{r.Device.Name.Value + "-" + s.Name, kind, lat, lon, "", amsterdamMeasures(r, s), a.answer("Waarvoor meet u dat?", "purpose.use")}
	for i := range 8 {
		theme := ""
		if i < len(themes) {
			theme = themes[i]
		}
		row = append(row, theme)
	}
	personal := ""
	if yes, ok := r.Flag("law.personal_data"); ok {
		personal = map[bool]string{true: "Ja", false: "Nee"}[yes]
	} else {
		a.miss("Worden er persoonsgegevens verwerkt?", "law.personal_data")
	}
	return append(row, personal, a.answer("Wettelijke grondslag", "amsterdam.legal_ground"), a.answer("Privacyverklaring", "notice.privacy_url"),
		dutchDay(a.answer("Wanneer wordt de sensor verwijderd?", "purpose.removal")), strings.Join(append(dutchWarnings(r), "Beleid "+r.Policy.Hash.Value+"."), " "), a.answer("Project", "amsterdam.project"))
}

// amsterdamMeasures says what one sensor measures.
func amsterdamMeasures(r *transparency.Record, s transparency.Sensor) string {
	var classes, quantities []string
	for _, st := range r.Output.Streams.Value {
		for _, c := range st.Classes {
			if st.Sensor == s.Name && !slices.Contains(classes, c) {
				classes = append(classes, c)
			}
		}
		for _, q := range st.Quantities {
			if st.Sensor == s.Name && !slices.Contains(quantities, q) {
				quantities = append(quantities, q)
			}
		}
	}
	return fmt.Sprintf("Aantal %s, per %s. %s%s Afgeleverde aantallen blijven hooguit %s op het apparaat.",
		pluralsOf(classes, dutchPlurals, "en"), dutchSpan(r.Clearing.Window.Value), dutchBesidesText(quantities), dutchClearing(r), dutchSpan(r.Retention.Records.Value))
}

// dutchDay turns YYYY-MM-DD into the sheet's DD-MM-YYYY.
func dutchDay(day string) string {
	if len(day) != 10 {
		return day
	}
	return day[8:] + "-" + day[5:7] + "-" + day[:4]
}

// amsterdamOwner is the sheet "Uw gegevens" of the same form: who answers for the sensors,
// one field a line (BULK_PERSON_FIELDS).
type amsterdamOwner struct{}

// Name is amsterdam-owner.
func (amsterdamOwner) Name() string { return "amsterdam-owner" }

// File is amsterdam-owner.csv.
func (amsterdamOwner) File() string { return "amsterdam-owner.csv" }

// amsterdamOwnerFields are the fields with the keys of their answers; those without a key
// are left blank, and those that may be blank end in "(niet verplicht)".
var amsterdamOwnerFields = []struct{ field, key string }{
	{"Naam organisatie/bedrijf", "controller.name"},
	{"Postcode", "amsterdam.postcode"},
	{"Huisnummer", "amsterdam.house_number"},
	{"Toevoeging (niet verplicht)", ""},
	{"Straatnaam", "amsterdam.street"},
	{"Plaatsnaam", "amsterdam.town"},
	{"E-mail", "controller.email"},
	{"Telefoonnummer", "controller.phone"},
	{"KVK-nummer (niet verplicht)", "controller.number"},
	{"Website (niet verplicht)", "notice.url"},
	{"Voornaam", "amsterdam.first_name"},
	{"Tussenvoegsel (niet verplicht)", ""},
	{"Achternaam", "amsterdam.last_name"},
}

// Export writes the fields of the first group: a sheet has one owner. More groups with
// another owner are an error.
func (amsterdamOwner) Export(w io.Writer, groups []transparency.Group) ([]Missing, error) {
	a := &asker{rec: groups[0].First()}
	var rows [][]string
	for _, f := range amsterdamOwnerFields {
		value := ""
		switch optional := strings.HasSuffix(f.field, "(niet verplicht)"); {
		case f.key == "":
		case optional:
			value = a.rec.AnswerOr(f.key, "")
		default:
			value = a.answer(f.field, f.key)
		}
		for _, g := range groups {
			if f.key != "" && g.First().AnswerOr(f.key, "") != a.rec.AnswerOr(f.key, "") {
				return nil, fmt.Errorf("amsterdam-owner: %s differs between the devices: a sheet has one owner", f.key)
			}
		}
		rows = append(rows, []string{f.field, value})
	}
	return a.missing, writeSheet(w, rows)
}

// writeSheet writes rows with semicolons, as the register's own example has them.
func writeSheet(w io.Writer, rows [][]string) error {
	c := csv.NewWriter(w)
	c.Comma = ';'
	return c.WriteAll(rows)
}

// uniqueMissing removes repetitions.
func uniqueMissing(all []Missing) (once []Missing) {
	for _, m := range all {
		if !slices.Contains(once, m) {
			once = append(once, m)
		}
	}
	return once
}
