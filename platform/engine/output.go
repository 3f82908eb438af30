package engine

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"go.uber.org/zap"

	"maitred/platform"
)

const (
	tailKept  = 64 << 10 // in memory, so that no secret is cut before it is taken out
	tailShown = 16 << 10
	withheld  = "(The output is withheld: the secret values of the app cannot be read, so they cannot be taken out.)"
)

// tail keeps the last lines that a step prints, and the secrets that were opened
// for it.
type tail struct {
	mu      sync.Mutex
	text    []byte
	cut     bool
	news    bool
	secrets []string
}

// Write keeps p.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text, t.news = append(t.text, p...), true
	if len(t.text) > tailKept {
		t.text, t.cut = slices.Clone(t.text[len(t.text)-tailKept:]), true
	}
	return len(p), nil
}

// hide takes value out of whatever is shown of the step.
func (t *tail) hide(value string) {
	if value == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.secrets = append(t.secrets, value)
}

// shown is the output as people may see it.
func (r *runner) shown(t *tail) string {
	t.mu.Lock()
	text, cut := bytes.Clone(t.text), t.cut
	t.mu.Unlock()
	if cut { // the first line may begin inside a secret
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			text = text[i+1:]
		}
	}
	clean := r.text(string(text), t)
	if len(clean) > tailShown {
		clean = clean[len(clean)-tailShown:]
	}
	return strings.ToValidUTF8(strings.ReplaceAll(clean, "\x00", ""), string(utf8.RuneError))
}

// fresh is shown, and whether anything was printed since it was asked last.
func (r *runner) fresh(t *tail) (string, bool) {
	t.mu.Lock()
	news := t.news
	t.news = false
	t.mu.Unlock()
	if !news {
		return "", false
	}
	return r.shown(t), true
}

// text is s without secrets.
func (r *runner) text(s string, t *tail) string {
	if s == "" {
		return s
	}
	if r.redact == nil {
		return withheld
	}
	if t != nil {
		t.mu.Lock()
		for _, secret := range t.secrets {
			s = strings.ReplaceAll(s, secret, "[redacted]")
		}
		t.mu.Unlock()
	}
	return r.redact(s)
}

// clean takes secrets out of the words of a result. Its data never holds any.
func (r *runner) clean(res platform.Result, t *tail) platform.Result {
	res.Say = r.text(res.Say, t)
	for i, w := range res.Warnings {
		res.Warnings[i] = r.text(w, t)
	}
	return res
}

func fields(rec platform.StepRecord, cause string) []zap.Field {
	return []zap.Field{zap.Int64("operation", rec.Operation), zap.String("step", rec.Name), zap.Bool("undo", rec.Undo), zap.String("error", cause)}
}
