package statuspage

import "kerb/agent/language"

// loadBook returns the words of the page by language and English text. English needs
// none.
func loadBook() language.Book {
	b, err := files.ReadFile("page/words.json")
	if err != nil {
		panic(err) // the file is embedded
	}
	book, err := language.Parse(b)
	if err != nil {
		panic(err) // a test parses the file
	}
	return book
}
