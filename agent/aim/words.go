package aim

import (
	"encoding/json"
	"net/http"
	"strings"
)

// language is what the viewer reads: as the address says, or the browser.
func language(r *http.Request) (string, map[string]string) {
	lang := "en"
	asked := r.FormValue("lang") + "," + r.Header.Get("Accept-Language")
	for word := range strings.SplitSeq(asked, ",") {
		word, _, _ = strings.Cut(strings.TrimSpace(word), ";")
		word, _, _ = strings.Cut(strings.ToLower(word), "-")
		if word == "en" || word == "fi" {
			lang = word
			break
		}
	}
	return lang, words()[lang]
}

// words are all words of the page, by language.
func words() map[string]map[string]string {
	b, err := pages.ReadFile("page/words.json")
	if err != nil {
		panic(err) // it is embedded
	}
	var all map[string]map[string]string
	if err := json.Unmarshal(b, &all); err != nil {
		panic(err) // a test reads it
	}
	return all
}
