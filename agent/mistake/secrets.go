package mistake

import "regexp"

// Where secrets stand in values that people write: users of addresses, queries, and what
// follows a word for a password in a command.
var (
	addressUser  = regexp.MustCompile(`(://)[^\s"']*@`)
	plainUser    = regexp.MustCompile(`[^\s"'/\[=]+:[^\s"'/]*@`)
	addressQuery = regexp.MustCompile(`(://[^"'?]*\?)[^"']*`)
	afterWord    = regexp.MustCompile(`(?i)((?:pass|passwd|password|passphrase|pwd|psk|secret|token|api_?key)["']?(?:\s*[=:,]\s*|\s+)["']?)[^"',\s\]&]+`)
)

// hideUsers returns a text without the users and passwords of addresses, and without their
// queries: a mistake goes to the log, the audit log and the answer of kerb status.
func hideUsers(text string) string {
	text = addressUser.ReplaceAllString(text, "${1}…@")
	text = plainUser.ReplaceAllString(text, "…@")
	return addressQuery.ReplaceAllString(text, "${1}…")
}

// hideSecrets is hideUsers for a value of a file, in which a word for a password is
// followed by one.
func hideSecrets(value string) string { return afterWord.ReplaceAllString(hideUsers(value), "${1}…") }
