package herokutest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// stream is output that somebody may follow while it grows.
type stream struct {
	id   string
	text strings.Builder
	done bool
}

func (h *Heroku) stream() *stream {
	s := &stream{id: h.id()}
	h.outputs[s.id] = s
	return s
}

func (s *stream) write(text string) { s.text.WriteString(text) }
func (s *stream) close()            { s.done = true }

// follow is GET of an output stream, without a token: text from the offset of
// Range on, until the work ends.
func (h *Heroku) follow(w http.ResponseWriter, r *http.Request) {
	if !h.enter() {
		return
	}
	defer h.streams.Done()
	h.mu.Lock()
	f := h.trouble(&call{Request: r})
	s := h.outputs[r.PathValue("stream")]
	h.mu.Unlock()
	if f != nil && !f.Accepted {
		f.answer(w, h.closed)
		return
	}
	if s == nil {
		http.NotFound(w, r)
		return
	}
	at := 0
	if from, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
		at, _ = strconv.Atoi(strings.TrimSuffix(from, "-"))
	}
	w.Header().Set("Content-Type", "text/plain")
	status := http.StatusOK
	if at > 0 {
		status = http.StatusPartialContent
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-/*", at))
	}
	w.WriteHeader(status)
	flusher := http.NewResponseController(w)
	_ = flusher.Flush()
	for {
		var news string
		var done bool
		if !h.wait(r.Context().Done(), func() bool {
			text := s.text.String()
			news, done = text[min(at, len(text)):], s.done
			return news != "" || done
		}) {
			return
		}
		at += len(news)
		if f != nil { // accepted, and cut in the middle
			_, _ = w.Write([]byte(news[:len(news)/2]))
			_ = flusher.Flush()
			f.answer(w, h.closed)
			return
		}
		if _, err := w.Write([]byte(news)); err != nil {
			return
		}
		_ = flusher.Flush()
		if done {
			return
		}
	}
}
