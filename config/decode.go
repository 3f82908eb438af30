package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// decoder fills the structs of a Config from the nodes of a file. It goes on
// after a mistake, so that all of them are told, and remembers where everything
// was written, for the checks that come afterwards.
type decoder struct {
	file     string
	problems Problems
	at       map[string]*yaml.Node // path ("apps.ocpizza.help") → where it is written; of a mapping's entry its name
	broken   map[string]bool       // paths that could not be read
	nodes    int
}

// maxNodes stops a file whose aliases multiply.
const maxNodes = 20_000

func (d *decoder) problem(n *yaml.Node, hint, say string, args ...any) {
	p := Problem{File: d.file, Say: fmt.Sprintf(say, args...), Hint: hint}
	if n != nil {
		p.Line, p.Col = n.Line, n.Column
	}
	d.problems = append(d.problems, p)
}

// wrong notes that the value at path is not what it should be.
func (d *decoder) wrong(n *yaml.Node, path, expected string) {
	d.broken[path] = true
	d.problem(n, "", "%s should be %s, but it is %s.", lastOf(path), expected, found(n))
}

// value fills v, which can be set, from n.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	if d.nodes++; d.nodes > maxNodes {
		if d.nodes == maxNodes+1 {
			d.problem(n, "Write less with aliases.", "The file has more than %d values.", maxNodes)
		}
		return
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if _, ok := d.at[path]; !ok {
		d.at[path] = n
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch to := v.Addr().Interface().(type) {
	case mapping:
		d.named(n, to, path)
		return
	case *time.Duration:
		d.duration(n, to, path)
		return
	case encoding.TextUnmarshaler:
		d.text(n, to, path)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Slice:
		d.list(n, v, path)
	case reflect.Map:
		d.words(n, v, path)
	default:
		d.scalar(n, v, path)
	}
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	fields := map[string]reflect.Value{}
	var names []string
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if name == "" || name == "-" {
			continue
		}
		fields[name], names = v.Field(i), append(names, name)
	}
	d.pairs(n, path, "a mapping with "+list(names, "and"), func(key, value *yaml.Node) {
		field, ok := fields[key.Value]
		if !ok {
			d.problem(key, didYouMean(key.Value, names), "%s has no setting %q.", section(path), key.Value)
			return
		}
		below := join(path, key.Value)
		if isNull(value) {
			d.problem(key, "Give it a value, or take the line out.", "%s is empty.", key.Value)
			d.broken[below] = true
			return
		}
		d.value(value, field, below)
	})
}

func (d *decoder) named(n *yaml.Node, to mapping, path string) {
	d.pairs(n, path, "a mapping of names", func(key, value *yaml.Node) {
		below := join(path, key.Value)
		if !validName(key.Value) {
			d.problem(key, "", "The name %q should be made of letters, digits, dots, dashes and underscores, and begin with a letter or digit.", clip(key.Value))
		}
		d.at[below] = key
		entry := reflect.ValueOf(to.add(key.Value)).Elem()
		if isNull(value) {
			return // {}: what is missing is told by the checks
		}
		d.value(value, entry, below)
	})
}

func (d *decoder) words(n *yaml.Node, v reflect.Value, path string) {
	v.Set(reflect.MakeMap(v.Type()))
	d.pairs(n, path, "a mapping of words", func(key, value *yaml.Node) {
		below := join(path, key.Value)
		d.at[below] = key
		if isNull(value) {
			d.problem(key, `An empty value is written "".`, "%s is empty.", key.Value)
			return
		}
		word := reflect.New(v.Type().Elem()).Elem()
		d.value(value, word, below)
		v.SetMapIndex(reflect.ValueOf(key.Value), word)
	})
}

// pairs walks a mapping, telling of keys that are written twice.
func (d *decoder) pairs(n *yaml.Node, path, expected string, pair func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.wrong(n, path, expected)
		return
	}
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			d.problem(key, "", "A name should be a word, but it is %s.", found(key))
			continue
		}
		if first, ok := seen[key.Value]; ok {
			d.problem(key, fmt.Sprintf("The first is on line %d.", first.Line), "%s is written twice.", clip(key.Value))
			continue
		}
		seen[key.Value] = key
		pair(key, value)
	}
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		hint := ""
		if n.Kind == yaml.ScalarNode && v.Type().Elem().Kind() == reflect.String {
			hint = fmt.Sprintf("Write [%s].", clip(n.Value))
		}
		d.broken[path] = true
		d.problem(n, hint, "%s should be a list, but it is %s.", lastOf(path), found(n))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		d.value(item, v.Index(i), join(path, strconv.Itoa(i)))
	}
}

func (d *decoder) text(n *yaml.Node, to encoding.TextUnmarshaler, path string) {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		d.wrong(n, path, "a word")
		return
	}
	if err := to.UnmarshalText([]byte(n.Value)); err != nil {
		d.broken[path] = true
		d.problem(n, "", "%s cannot be read: %s.", lastOf(path), strings.TrimSuffix(err.Error(), "."))
	}
}

func (d *decoder) duration(n *yaml.Node, to *time.Duration, path string) {
	word := n.Value
	if days, ok := strings.CutSuffix(word, "d"); ok && n.Kind == yaml.ScalarNode {
		if count, err := strconv.Atoi(days); err == nil && count < 100_000 {
			word = fmt.Sprintf("%dh", 24*count)
		}
	}
	value, err := time.ParseDuration(word)
	switch {
	case n.Kind != yaml.ScalarNode || err != nil:
		d.wrong(n, path, "a length of time such as 90s, 15m, 2h or 30d")
	case value < 0:
		d.wrong(n, path, "a length of time that is not negative")
	default:
		*to = value
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		d.wrong(n, path, kindName(v.Kind()))
		return
	}
	switch tag := n.ShortTag(); v.Kind() {
	case reflect.String:
		if tag != "!!str" {
			d.broken[path] = true
			d.problem(n, fmt.Sprintf("Write it in quotes: %q.", clip(n.Value)), "%s should be text, but it is %s.", lastOf(path), found(n))
			return
		}
		if where := strings.Index(n.Value, "${"); where >= 0 && v.Type() != reflect.TypeFor[Database]() && v.Type() != reflect.TypeFor[Secret]() {
			d.problem(n, "", "%s is no secret, so %s cannot be used here.", lastOf(path), clip(n.Value[where:]))
			return
		}
		v.SetString(n.Value)
	case reflect.Bool:
		b, err := strconv.ParseBool(n.Value)
		if tag != "!!bool" || err != nil {
			d.wrong(n, path, "true or false")
			return
		}
		v.SetBool(b)
	case reflect.Int:
		number, err := strconv.ParseInt(n.Value, 10, 32)
		if tag != "!!int" || err != nil {
			d.wrong(n, path, "a whole number")
			return
		}
		if number < 0 {
			d.wrong(n, path, "a whole number that is not negative")
			return
		}
		v.SetInt(number)
	default:
		d.wrong(n, path, "something that maitred can read") // no field has another type; see TestEveryFieldCanBeRead
	}
}

func kindName(k reflect.Kind) string {
	switch k {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	}
	return "text"
}

// found says what n is, in a few words.
func found(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "empty"
	case "!!int", "!!float":
		return "the number " + clip(n.Value)
	case "!!bool":
		return "the truth value " + clip(n.Value)
	}
	return strconv.Quote(clip(n.Value))
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// clip keeps what is quoted from the file short and on one line.
func clip(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 60 {
		return string(r[:57]) + "…"
	}
	return s
}

// join makes the path of what is called name below path.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func lastOf(path string) string {
	parts := strings.Split(path, ".")
	i := len(parts) - 1
	for i > 0 && isNumber(parts[i]) {
		i--
	}
	if parts[i] == "" {
		return "The file"
	}
	if i < len(parts)-1 {
		return "An item of " + parts[i]
	}
	return parts[i]
}

func section(path string) string {
	if path == "" {
		return "The file"
	}
	return lastOf(path)
}

func isNumber(s string) bool { _, err := strconv.Atoi(s); return err == nil }

const nameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

func validName(s string) bool {
	if s == "" || len(s) > 64 || !strings.ContainsRune(nameLetters, rune(s[0])) {
		return false
	}
	return !slices.ContainsFunc([]rune(s), func(r rune) bool { return !strings.ContainsRune(nameLetters+".-_", r) })
}
