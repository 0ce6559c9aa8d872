package aim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// language is a language of the page: its code (ISO 639-1) and its own name.
type language struct{ Code, Name string }

// listLanguages returns the languages of page/words.json, English first, the others by name.
func listLanguages() []language {
	return []language{{"en", "English"}, {"de", "Deutsch"}, {"fr", "Français"}, {"nl", "Nederlands"}, {"fi", "Suomi"}, {"sv", "Svenska"}}
}

// chooseLanguage returns the language of the page and its words: from the query
// parameter lang, else from Accept-Language, else English.
func chooseLanguage(r *http.Request) (string, map[string]string) {
	languages := listLanguages()
	lang := languages[0].Code
	asked := r.FormValue("lang") + "," + r.Header.Get("Accept-Language")
	for word := range strings.SplitSeq(asked, ",") {
		word, _, _ = strings.Cut(strings.TrimSpace(word), ";")
		word, _, _ = strings.Cut(strings.ToLower(word), "-")
		if slices.ContainsFunc(languages, func(l language) bool { return l.Code == word }) {
			lang = word
			break
		}
	}
	return lang, loadWords()[lang]
}

// serveWords answers with the words of one language.
func serveWords(w http.ResponseWriter, r *http.Request) {
	_, words := chooseLanguage(r)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(words)
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
