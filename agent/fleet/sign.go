package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"aead.dev/minisign"

	"kerb/agent/filecheck"
	"kerb/agent/policy"
	"kerb/agent/terminal"
	"kerb/agent/want"
)

// SignCommand is kerb fleet sign.
type SignCommand struct {
	Dir      string        `arg:"" help:"The folder of the messages: a new one, or with -add that of the first person."`
	Key      string        `required:"" help:"Your secret key of minisign." placeholder:"F"`
	Password string        `name:"password-file" help:"The file with the password of the key; without it the key has none." placeholder:"F"`
	Add      bool          `help:"Sign messages that another person has signed."`
	Sites    string        `help:"The folder of kerb fleet sites: each device gets its file." placeholder:"DIR" xor:"devices"`
	Rows     string        `help:"A table with tenant, site and device: the devices that get the policy alone." placeholder:"F" xor:"devices"`
	Policy   string        `help:"The policy that every device gets." placeholder:"F"`
	Version  int64         `help:"Of the messages: above that of all messages before." placeholder:"N"`
	Trial    time.Duration `help:"For how long the devices try it." default:"10m"`
	JSON     bool          `help:"As one JSON object."`
}

// Run makes and signs the messages, or adds a signature to them.
func (c *SignCommand) Run(ctx context.Context, t terminal.Terminal) error {
	messages, err := c.listMessages()
	if err != nil {
		return err
	}
	key, err := c.readKey(t.Err)
	if err != nil {
		return err
	}
	progress := terminal.Progress{To: t.Err, What: "signing", Parts: fmt.Sprintf("of %d messages", len(messages))}
	defer progress.EraseLine()
	files, looser := map[string][]byte{}, false
	for i, m := range messages {
		progress.ShowCount(i)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := m.Sign(key); err != nil {
			return fmt.Errorf("%s: %w", m.Address(), err)
		}
		b, err := json.Marshal(m)
		if err == nil {
			_, err = want.Parse(b)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", m.Address(), err)
		}
		files[fileName(m.Address(), ".json")] = append(b, '\n')
		looser = looser || m.SiteText != "" && len(m.Signatures) < 2
	}
	if c.Add {
		err = rewriteFiles(c.Dir, files)
	} else {
		err = writeNewFolder(c.Dir, files)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(t.Out).Encode(map[string]any{"messages": len(files), "key": fmt.Sprintf("%016X", key.ID()), "second_needed": looser})
	}
	next := "kerb fleet send " + c.Dir
	if looser {
		next = "another person must sign: kerb fleet sign -add -key F " + c.Dir
	}
	_, err = fmt.Fprintf(t.Out, "%d messages in %s signed by key %016X: %s\nnext    %s\n", len(files), c.Dir, key.ID(), describeChange(messages), next)
	return err
}

// readKey reads the secret key of minisign, once for all messages: minisign's password
// takes seconds and 1 GB of memory (scrypt, RFC 7914, N = 2²⁰, r = 8), which is said on out.
func (c *SignCommand) readKey(out io.Writer) (key minisign.PrivateKey, err error) {
	password := []byte(nil)
	if c.Password != "" {
		if password, err = os.ReadFile(c.Password); err != nil {
			return key, fmt.Errorf("read the password of the key: %w", err)
		}
	}
	b, err := os.ReadFile(c.Key)
	if err != nil {
		return key, fmt.Errorf("read the key: %w; minisign -G -p NAME.pub -s NAME.key makes one", err)
	}
	if minisign.IsEncrypted(b) {
		if c.Password == "" {
			return key, fmt.Errorf("%s has a password: -password-file", c.Key)
		}
		fmt.Fprintln(out, "kerb: decrypting the key, once: seconds, and 1 GB of memory")
		key, err = minisign.DecryptKey(string(bytes.TrimRight(password, "\r\n")), b)
	} else {
		err = key.UnmarshalText(b)
	}
	if err != nil {
		return key, fmt.Errorf("%s is no secret key of minisign, or the password is wrong (-password-file): %w", c.Key, err)
	}
	return key, nil
}

// listMessages returns the messages to sign, in the order of their addresses.
func (c *SignCommand) listMessages() ([]*want.Message, error) {
	if c.Add {
		if c.Sites != "" || c.Rows != "" || c.Policy != "" || c.Version != 0 {
			return nil, terminal.UsageError("-add signs what is there: -sites, -rows, -policy and -version belong to the first person")
		}
		messages, err := readMessages(c.Dir)
		if err == nil {
			err = checkOneChange(messages)
		}
		return messages, err
	}
	switch {
	case c.Version < 1:
		return nil, terminal.UsageError("-version must be 1 or more")
	case c.Trial < want.MinTrial || c.Trial > want.MaxTrial:
		return nil, terminal.UsageError(fmt.Sprintf("-trial must be %s–%s", want.MinTrial, want.MaxTrial))
	case c.Sites == "" && c.Rows == "":
		return nil, terminal.UsageError("-sites or -rows must say which devices")
	case c.Rows != "" && c.Policy == "":
		return nil, terminal.UsageError("with -rows there must be a -policy")
	}
	text, pol := "", (*policy.Policy)(nil)
	if c.Policy != "" {
		p, err := policy.Load(c.Policy)
		if err != nil {
			return nil, err
		}
		text, pol = string(p.Canonical()), p
	}
	messages, err := c.newMessages(pol)
	for _, m := range messages {
		m.Schema, m.Version, m.TrialS, m.PolicyText = want.Schema, c.Version, int(c.Trial.Seconds()), text
	}
	return messages, err
}

// newMessages returns a message for each device of -rows or -sites, with its address
// and site file, which is checked against pol where that is not nil.
func (c *SignCommand) newMessages(pol *policy.Policy) (messages []*want.Message, err error) {
	if c.Rows != "" {
		_, rows, err := readRows(c.Rows)
		for _, r := range rows {
			messages = append(messages, &want.Message{Tenant: r.values["tenant"], Site: r.values["site"], Device: r.values["device"]})
		}
		return messages, err
	}
	names, err := listFiles(c.Sites, ".toml")
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(c.Sites, name))
		if err != nil {
			return nil, err
		}
		levels := strings.Split(strings.TrimSuffix(name, ".toml"), ".")
		if len(levels) != 3 {
			return nil, fmt.Errorf("%s: must be named TENANT.SITE.DEVICE.toml", filepath.Join(c.Sites, name))
		}
		if _, err := filecheck.ParseElsewhere(name, b, pol); err != nil {
			return nil, err
		}
		messages = append(messages, &want.Message{Tenant: levels[0], Site: levels[1], Device: levels[2], SiteText: string(b)})
	}
	return messages, err
}

// listFiles lists the names in dir that end with suffix. None is an error.
func listFiles(dir, suffix string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) && !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s has no file that ends with %s", dir, suffix)
	}
	slices.Sort(names)
	return names, nil
}

// readMessages reads the messages in dir.
func readMessages(dir string) (messages []*want.Message, err error) {
	names, err := listFiles(dir, ".json")
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		m, err := want.Parse(b)
		if err == nil && fileName(m.Address(), ".json") != name {
			err = errors.New("it is for " + m.Address())
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
		}
		messages = append(messages, m)
	}
	return messages, err
}

// checkOneChange returns an error unless all messages are of one change: who signs what
// another person made reads one policy, and not that of each device.
func checkOneChange(messages []*want.Message) error {
	first := messages[0]
	for _, m := range messages {
		if m.Version != first.Version || m.TrialS != first.TrialS || m.PolicyText != first.PolicyText {
			return fmt.Errorf("the message for %s has another version, trial or policy than that for %s: nothing was signed", m.Address(), first.Address())
		}
	}
	return nil
}

// describeChange describes the signed change in one line.
func describeChange(messages []*want.Message) string {
	m, sites := messages[0], 0
	for _, m := range messages {
		if m.SiteText != "" {
			sites++
		}
	}
	text := fmt.Sprintf("version %d, tried for %s, %d site files", m.Version, m.Trial(), sites)
	if p, err := policy.Parse("policy.toml", []byte(m.PolicyText)); m.PolicyText != "" && err == nil {
		text += ", policy " + p.Hash()
	}
	return text
}

// rewriteFiles replaces the files in dir, each by a rename.
func rewriteFiles(dir string, files map[string][]byte) error {
	for name, b := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path+".new", b, 0o644); err != nil {
			return err
		}
		if err := os.Rename(path+".new", path); err != nil {
			return err
		}
	}
	return nil
}
