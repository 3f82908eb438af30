package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"maitred/fault"
)

// maxSize is more than anybody writes by hand.
const maxSize = 1 << 20

// Load reads and checks the file. The error is Problems: all of them, in the
// order of the file.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	return Parse(path, data)
}

func unreadable(path string, err error) error {
	say, hint := fmt.Sprintf("%s cannot be read.", path), "Look at its owner and mode."
	if errors.Is(err, os.ErrNotExist) {
		say, hint = fmt.Sprintf("There is no file %s.", path), "Start from config/maitred.example.yml."
	}
	var cause *os.PathError
	if errors.As(err, &cause) {
		err = cause.Err
	}
	return &fault.Error{Kind: fault.Missing, Op: "config.load", Say: say, Hint: hint, Err: err}
}

// Parse reads data as the file path. Relative directories of the file are meant
// from where it lies.
func Parse(path string, data []byte) (*Config, error) {
	d := &decoder{file: path, at: map[string]*yaml.Node{}, broken: map[string]bool{}}
	c := &Config{path: path}
	if root := d.document(data); root != nil {
		d.value(root, reflect.ValueOf(c).Elem(), "")
		c.settle(filepath.Dir(path))
		if d.nodes <= maxNodes {
			d.verify(c)
		}
	}
	if len(d.problems) > 0 {
		return nil, d.problems.sorted()
	}
	return c, nil
}

// document finds the one mapping that the file should be.
func (d *decoder) document(data []byte) *yaml.Node {
	const start = "Start from config/maitred.example.yml."
	switch {
	case len(data) > maxSize:
		d.problem(nil, "", "The file is larger than 1 MiB.")
		return nil
	case len(bytes.TrimSpace(data)) == 0:
		d.problem(nil, start, "The file is empty.")
		return nil
	case bytes.IndexByte(data, 0) >= 0 || !utf8.Valid(data):
		d.problem(nil, start, "The file is not text.")
		return nil
	}
	loader := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := loader.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			d.problem(nil, start, "The file has nothing but comments.")
			return nil
		}
		d.syntax(err)
		return nil
	}
	if err := loader.Decode(&more); err == nil {
		d.problem(&more, "Take the line --- out.", "The file has more than one document.")
	} else if !errors.Is(err, io.EOF) {
		d.syntax(err)
	}
	if len(doc.Content) == 0 || isNull(doc.Content[0]) {
		d.problem(nil, start, "The file has nothing but comments.")
		return nil
	}
	return doc.Content[0]
}

func (d *decoder) syntax(err error) {
	p := Problem{File: d.file, Say: "This is not YAML: " + strings.TrimPrefix(err.Error(), "yaml: ") + ".",
		Hint: "Look at the indentation, quotes and colons around it."}
	var at *yaml.LoadError
	if errors.As(err, &at) {
		p.Say = "This is not YAML: " + at.Message + "."
		p.Line, p.Col = at.Mark.Line, at.Mark.Column
	}
	d.problems = append(d.problems, p)
}

// settle fills what was left out and makes directories absolute.
func (c *Config) settle(base string) {
	if base, err := filepath.Abs(base); err == nil {
		c.DataDir = below(base, c.DataDir)
		c.Keys = below(base, c.Keys)
		for _, app := range c.Apps {
			for _, e := range app.Value.Environments {
				if e.Value.Host != nil {
					e.Value.Host.Dir = below(base, e.Value.Host.Dir)
				}
			}
		}
	}
	if c.Keys == "" && c.DataDir != "" {
		c.Keys = filepath.Join(c.DataDir, "keys")
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8080"
	}
}

func below(base, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(base, path)
}
