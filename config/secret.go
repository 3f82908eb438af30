package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"maitred/fault"
)

// Database is "sqlite", a postgres URL without a password, or a reference to
// one with a password.
type Database string

// SQLite reports whether maitred keeps its data in a file of its own.
func (d Database) SQLite() bool { return d == "" || d == "sqlite" }

// Secret is a reference to a secret: ${env:NAME} or ${file:/path}. The secret
// itself is never in the file.
type Secret string

// reference is a secret of the file: where it is written and what it says.
type reference struct{ path, text string }

var references = regexp.MustCompile(`^\$\{(env|file):([^}]+)\}$`)

// referenceProblem says what is wrong with a reference.
func referenceProblem(text string) string {
	m := references.FindStringSubmatch(text)
	switch {
	case m == nil:
		return "a secret is written ${env:NAME} or ${file:/path}, and nothing around it"
	case m[1] == "env" && !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`).MatchString(m[2]):
		return fmt.Sprintf("%s is no name of an environment variable", clip(m[2]))
	case m[1] == "file" && !filepath.IsAbs(m[2]):
		return fmt.Sprintf("the file %s needs a path that begins with a slash", clip(m[2]))
	}
	return ""
}

// resolve opens a reference. Faults: Missing (and it names what is missing, never
// the value).
func resolve(text string) (string, error) {
	m := references.FindStringSubmatch(text)
	if m == nil {
		return "", fault.New(fault.Invalid, "config.secret", "", "%s is no reference to a secret.", text)
	}
	if m[1] == "env" {
		value := os.Getenv(m[2])
		if value == "" {
			return "", fault.New(fault.Missing, "config.secret", "Set it where maitred is started.",
				"The environment variable %s is not set, and the configuration needs it.", m[2])
		}
		return value, nil
	}
	data, err := os.ReadFile(m[2])
	if err != nil {
		return "", &fault.Error{Kind: fault.Missing, Op: "config.secret", Err: err, Hint: "Look at its path, owner and mode.",
			Say: fmt.Sprintf("The file %s cannot be read, and the configuration needs it.", m[2])}
	}
	value := strings.TrimRight(string(data), "\r\n")
	if value == "" {
		return "", fault.New(fault.Missing, "config.secret", "Write the secret into it.", "The file %s is empty, and the configuration needs it.", m[2])
	}
	return value, nil
}

// DatabaseURL is the postgres URL, with the reference opened; empty for SQLite.
func (c *Config) DatabaseURL() (string, error) {
	if c.Database.SQLite() {
		return "", nil
	}
	if strings.Contains(string(c.Database), "${") {
		return resolve(string(c.Database))
	}
	return string(c.Database), nil
}

// Secrets are the values of every reference of the file, for the redactor.
func (c *Config) Secrets() ([]string, error) {
	var values []string
	for _, r := range c.refs {
		value, err := resolve(r.text)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}
