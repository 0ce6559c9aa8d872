package policy

// SentenceKinds are the kinds of claims for which a language has a sentence.
func SentenceKinds(l Language) (kinds []string) {
	text := english
	if l == Finnish {
		text = finnish
	}
	for kind := range text.sentences {
		kinds = append(kinds, kind)
	}
	return kinds
}
