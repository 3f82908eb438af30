package herokutest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// blob is one place for an upload.
type blob struct {
	id   string
	data []byte
	full bool
}

// createSource is POST /sources: a place to put a tar.gz.
func (h *Heroku) createSource(c *call) (any, error) {
	b := &blob{id: h.id()}
	h.sources[b.id] = b
	at := h.api + "/blobs/" + b.id
	return obj{"source_blob": obj{"put_url": at + "?put=1", "get_url": at}}, nil
}

// putBlob takes an upload; nobody is asked for a token there.
func (h *Heroku) putBlob(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	if f := h.trouble(&call{Request: r}); f != nil {
		f.answer(w, h.closed)
		return
	}
	b := h.sources[r.PathValue("blob")]
	switch {
	case err != nil || b == nil || r.URL.Query().Get("put") == "":
		http.Error(w, "SignatureDoesNotMatch", http.StatusForbidden)
	case r.Header.Get("Authorization") != "" || r.Header.Get("Content-Type") != "": // both are part of what is signed
		http.Error(w, "SignatureDoesNotMatch", http.StatusForbidden)
	default:
		b.data, b.full = raw, true
		w.WriteHeader(http.StatusOK)
	}
}

func (h *Heroku) getBlob(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	b := h.sources[r.PathValue("blob")]
	h.mu.Unlock()
	if b == nil || !b.full {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(b.data)
}

// slug is what a build makes: files, and the process types of the Procfile.
type slug struct {
	id, commit, dir string
	size            int
	types           map[string]string
}

// unpack makes a slug of a tar.gz, under dir.
func unpack(data []byte, dir string) (map[string]string, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("the source is not a tar.gz: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	for t := tar.NewReader(z); ; {
		entry, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("the source is not a tar.gz: %w", err)
		}
		if err := unpackEntry(root, entry, t); err != nil {
			return nil, fmt.Errorf("unpack %s: %w", entry.Name, err)
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, "Procfile"))
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	return procfile(string(raw)), nil
}

func unpackEntry(root *os.Root, entry *tar.Header, content io.Reader) error {
	name := filepath.Clean(entry.Name)
	switch entry.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o700)
	case tar.TypeReg:
		if err := root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		f, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, os.FileMode(entry.Mode)&0o777|0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, content)
		return errors.Join(err, f.Close())
	case tar.TypeSymlink:
		return root.Symlink(entry.Linkname, name)
	}
	return nil // global headers and the like
}

func procfile(text string) map[string]string {
	types := map[string]string{}
	for raw := range strings.Lines(text) {
		kind, command, ok := strings.Cut(strings.TrimSpace(raw), ":")
		if ok && !strings.HasPrefix(kind, "#") {
			types[kind] = strings.TrimSpace(command)
		}
	}
	return types
}
