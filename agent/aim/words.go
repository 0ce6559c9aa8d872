package aim

import (
	"encoding/json"
	"net/http"
	"strings"
)

// chooseLanguage returns the language of the page, en or fi, and its words:
// from the query parameter lang, else from Accept-Language.
func chooseLanguage(r *http.Request) (string, map[string]string) {
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
	return lang, loadWords()[lang]
}

// loadWords returns all words of the page by language and key.
func loadWords() map[string]map[string]string {
	b, err := pages.ReadFile("page/words.json")
	if err != nil {
		panic(err) // the file is embedded
	}
	var all map[string]map[string]string
	if err := json.Unmarshal(b, &all); err != nil {
		panic(err) // a test parses the file
	}
	return all
}
