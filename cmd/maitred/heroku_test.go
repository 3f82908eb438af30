package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"maitred/platform/heroku/herokutest"
)

// TestHeroku types commands at a maitred whose app lives on a fake Heroku.
func TestHeroku(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "heroku"),
		Setup: func(e *testscript.Env) error {
			h, err := herokutest.Start(herokutest.Options{})
			if err != nil {
				return err
			}
			e.Defer(h.Close)
			h.CreateApp("ocpizza")
			h.AddDatabase("ocpizza", "standard-0")
			h.Write("ocpizza", "margherita")
			free, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			for name, value := range map[string]string{
				"FREE": free.Addr().String(), "MAITRED_SERVER": "http://" + free.Addr().String(), "MAITRED_TOKEN": "test",
				"API": h.API(), "DATA": h.Data(), "KEY": h.Key, "SSL_CERT_FILE": filepath.Join(e.WorkDir, "ca.pem"),
				"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "ann", "GIT_AUTHOR_EMAIL": "ann@example.com", "GIT_COMMITTER_NAME": "ann", "GIT_COMMITTER_EMAIL": "ann@example.com",
			} {
				e.Setenv(name, value)
			}
			return errors.Join(free.Close(), os.WriteFile(filepath.Join(e.WorkDir, "ca.pem"), h.CA(), 0o600))
		},
	})
}
