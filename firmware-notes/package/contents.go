package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2/files"
)

// packageContents lists all files of a package, with source, destination and mode.
func packageContents(root, made, binary string, when time.Time) files.Contents {
	var cs files.Contents
	add := func(kind, mode, from, to string) {
		m := os.FileMode(0o644)
		if mode != "" {
			fmt.Sscanf(mode, "%o", &m)
		}
		cs = append(cs, &files.Content{
			Source: from, Destination: to, Type: kind,
			FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: m, MTime: when},
		})
	}
	in := func(path string) string { return filepath.Join(root, path) }
	add(files.TypeFile, "755", binary, "/usr/bin/kerb")
	add(files.TypeDir, "755", "", "/etc/kerb")
	add(files.TypeConfigNoReplace, "644", in("configs/policy-standard.toml"), "/etc/kerb/policy.toml")
	add(files.TypeConfigNoReplace, "644", filepath.Join(made, "site.toml"), "/etc/kerb/site.toml")
	units, _ := filepath.Glob(in("firmware-notes/systemd/*")) // the pattern is right
	for _, u := range units {
		switch filepath.Ext(u) {
		case ".service", ".socket", ".timer", ".target", ".path":
			add(files.TypeFile, "", u, "/usr/lib/systemd/system/"+filepath.Base(u))
		}
	}
	add(files.TypeFile, "", in("firmware-notes/systemd/kerb-unmanaged.conf"), "/usr/lib/NetworkManager/conf.d/kerb-unmanaged.conf")
	add(files.TypeFile, "", in("firmware-notes/package/debian/kerb.sysusers"), "/usr/lib/sysusers.d/kerb.conf")
	add(files.TypeFile, "", in("firmware-notes/package/debian/kerb.tmpfiles"), "/usr/lib/tmpfiles.d/kerb.conf")
	add(files.TypeFile, "", filepath.Join(made, "kerb.1.gz"), "/usr/share/man/man1/kerb.1.gz")
	for _, page := range []string{"site.toml.5.gz", "policy.toml.5.gz"} {
		add(files.TypeFile, "", filepath.Join(made, page), "/usr/share/man/man5/"+page)
	}
	add(files.TypeFile, "", filepath.Join(made, "kerb.bash"), "/usr/share/bash-completion/completions/kerb")
	add(files.TypeFile, "", filepath.Join(made, "kerb.zsh"), "/usr/share/zsh/vendor-completions/_kerb")
	add(files.TypeFile, "", filepath.Join(made, "kerb.fish"), "/usr/share/fish/vendor_completions.d/kerb.fish")
	add(files.TypeFile, "", in("firmware-notes/package/debian/copyright"), "/usr/share/doc/kerb/copyright")
	add(files.TypeFile, "", filepath.Join(made, "changelog.gz"), "/usr/share/doc/kerb/changelog.gz")
	add(files.TypeFile, "", in("firmware-notes/package/debian/lintian-overrides"), "/usr/share/lintian/overrides/kerb")
	for _, pattern := range []string{"configs/*.toml", "configs/*.json", "configs/*.yaml", "firmware-notes/systemd/kerb.service.d/*.example"} {
		examples, _ := filepath.Glob(in(pattern))
		for _, e := range examples {
			add(files.TypeFile, "", e, "/usr/share/doc/kerb/examples/"+strings.TrimSuffix(filepath.Base(e), ".example"))
		}
	}
	add(files.TypeFile, "", in("CHANGELOG.md"), "/usr/share/doc/kerb/changes.md")
	card, _ := filepath.Glob(in("firmware-notes/rpi-os/*"))
	for _, c := range card {
		add(files.TypeFile, "", c, "/usr/share/doc/kerb/rpi-os/"+filepath.Base(c))
	}
	notes, _ := filepath.Glob(in("firmware-notes/*.md"))
	drawings, _ := filepath.Glob(in("firmware-notes/*.svg"))
	for _, n := range append(notes, drawings...) {
		add(files.TypeFile, "", n, "/usr/share/doc/kerb/"+filepath.Base(n))
	}
	return cs
}

// writeDerived writes the files into dir that kerb, a binary for this machine, prints: the manual, the shells'
// completions, the change log, and site.toml as a new device gets it.
func writeDerived(root, dir, kerb, release string, when time.Time) error {
	site, err := os.ReadFile(filepath.Join(root, "configs/site-camera.toml"))
	if err != nil {
		return err
	}
	// The schema has another path on a device.
	site = bytes.TrimLeft(bytes.Replace(site, []byte("#:schema site.schema.json\n"), nil, 1), "\n")
	if err := os.WriteFile(filepath.Join(dir, "site.toml"), site, 0o644); err != nil {
		return err
	}
	for name, words := range map[string][]string{
		"kerb.1": {"manual"}, "site.toml.5": {"manual", "site.toml"}, "policy.toml.5": {"manual", "policy.toml"},
		"kerb.bash": {"completion", "bash"}, "kerb.zsh": {"completion", "zsh"}, "kerb.fish": {"completion", "fish"},
	} {
		text, err := exec.Command(kerb, words...).Output()
		if err != nil {
			return fmt.Errorf("kerb %v: %w", words, err)
		}
		if words[0] == "manual" {
			name, text = name+".gz", gzipBest(text)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	changes := fmt.Sprintf("kerb (%s) unstable; urgency=medium\n\n  * The changes are in /usr/share/doc/kerb/changes.md.\n\n -- %s  %s\n",
		release, maintainer, when.Format(time.RFC1123Z))
	return os.WriteFile(filepath.Join(dir, "changelog.gz"), gzipBest([]byte(changes)), 0o644)
}

// gzipBest compresses as gzip -9n does.
func gzipBest(text []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is valid
	_, _ = w.Write(text)                                  // a buffer returns no error
	_ = w.Close()
	return b.Bytes()
}
