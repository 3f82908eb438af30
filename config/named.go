package config

import "iter"

// Named is a mapping of the file, in the order of the file.
type Named[T any] []Entry[T]

// Entry is one pair of a Named.
type Entry[T any] struct {
	Name  string
	Value T
}

// Get finds the entry called name.
func (n Named[T]) Get(name string) (T, bool) {
	for _, e := range n {
		if e.Name == name {
			return e.Value, true
		}
	}
	var none T
	return none, false
}

// Names are the names of all entries.
func (n Named[T]) Names() []string {
	names := make([]string, len(n))
	for i, e := range n {
		names[i] = e.Name
	}
	return names
}

// All walks the entries.
func (n Named[T]) All() iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		for _, e := range n {
			if !yield(e.Name, e.Value) {
				return
			}
		}
	}
}

// add gives a new entry to the decoder, which fills it.
func (n *Named[T]) add(name string) any {
	*n = append(*n, Entry[T]{Name: name})
	return &(*n)[len(*n)-1].Value
}

// mapping is a *Named, seen by the decoder.
type mapping interface{ add(name string) any }
