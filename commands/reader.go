package commands

import (
	"reflect"

	"github.com/alecthomas/kong"
)

// reader is a parser for one command and the struct that it fills. Making one
// costs more than carrying out most commands, so they are used again.
type reader struct {
	parser *kong.Kong
	target reflect.Value // pointer to the command's struct
}

func newReader(kind reflect.Type) (*reader, error) {
	target := reflect.New(kind)
	parser, err := newParser(target.Interface())
	return &reader{parser: parser, target: target}, err
}

// read fills a new command of l with argv. The command is nobody else's.
func (l *leaf) read(argv []string) (Command, error) {
	r, _ := l.readers.Get().(*reader)
	if r == nil {
		var err error
		if r, err = newReader(l.kind); err != nil {
			return nil, err
		}
	}
	if _, err := r.parser.Parse(argv); err != nil {
		return nil, err // and r, which is in no known state, is left to be collected
	}
	command := reflect.New(l.kind)
	command.Elem().Set(r.target.Elem())
	r.forget()
	l.readers.Put(r)
	return command.Interface().(Command), nil
}

// forget lets nothing of a line be seen when the next one is read.
func (r *reader) forget() {
	r.target.Elem().SetZero()
	for _, f := range r.parser.Model.Flags {
		f.Set, f.Active = false, false
	}
	for _, p := range r.parser.Model.Positional {
		p.Set, p.Active = false, false
	}
}
