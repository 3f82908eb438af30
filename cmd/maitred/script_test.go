package main

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(tidy{m}, map[string]func(){"maitred": main})
}

// TestScripts types at a terminal what testdata says, and reads what is printed.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			example, err := filepath.Abs("../../config/maitred.example.yml")
			if err != nil {
				return err
			}
			taken, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			e.Defer(func() { taken.Close() })
			free, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			e.Setenv("EXAMPLE", example)
			e.Setenv("TAKEN", taken.Addr().String())
			e.Setenv("FREE", free.Addr().String())
			return free.Close()
		},
	})
}
