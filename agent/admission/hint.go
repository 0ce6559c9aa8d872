package admission

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"kerb/agent/config"
)

// HintFor returns what to do about a file that is not there or may not be read, by the text
// of the error that names it; "" where that is clear or not known. It looks for site.toml
// and policy.toml in the working directory, because that is where people at a desk have them.
func HintFor(err error) string {
	text := err.Error()
	switch {
	case errors.Is(err, fs.ErrPermission) && strings.Contains(text, "another [device] state"):
		return ""
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
		return "what is kerb's may be read by root and the group kerb, and some of it by root alone: sudo kerb …"
	case !errors.Is(err, fs.ErrNotExist):
		return ""
	case strings.Contains(text, config.DefaultState+"/"):
		return "kerb has not run here yet; " + hintFlags(true, false)
	}
	noSite, noPolicy := strings.Contains(text, "read the site file"), strings.Contains(text, "read the policy")
	if !noSite && !noPolicy {
		return ""
	}
	hint := hintFlags(noSite, noPolicy)
	if strings.Contains(hint, "this folder") {
		return hint
	}
	if noSite {
		hint += "; kerb probe -write site.toml begins one"
	}
	if noPolicy {
		hint += "; ready policies are configs/policy-*.toml, or in /usr/share/doc/kerb/examples"
	}
	return hint
}

// hintFlags names the flags for the files that are missing, with the names of those that lie
// in the working directory.
func hintFlags(site, policy bool) string {
	here := Files{Site: config.DefaultSite, Policy: config.DefaultPolicy}
	if _, err := os.Stat("site.toml"); err == nil && site {
		here.Site = "site.toml"
	}
	if _, err := os.Stat("policy.toml"); err == nil && policy {
		here.Policy = "policy.toml"
	}
	switch flags := here.CommandFlags(); {
	case flags != "":
		return "this folder has such a file: add" + flags
	case site && policy:
		return "-site FILE and -policy FILE name others"
	case policy:
		return "-policy FILE names another"
	}
	return "-site FILE names another"
}
