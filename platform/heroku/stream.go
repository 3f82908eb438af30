package heroku

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"time"
)

// output is what a build or a release phase prints, followed while it runs.
// Losing it loses nothing but the view.
type output struct {
	done   chan struct{}
	cancel context.CancelFunc
	last   *string // the last line with something on it
}

// stream copies what is printed at an address to w.
func (p *Provider) stream(ctx context.Context, w io.Writer, at string) output {
	if at == "" {
		return output{}
	}
	ctx, cancel := context.WithCancel(ctx)
	o := output{done: make(chan struct{}), cancel: cancel, last: new(string)}
	go func() {
		defer close(o.done)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
		if err != nil {
			return
		}
		request.Header.Set("Accept", "text/plain")
		response, err := p.client.streams.Do(request)
		if err != nil {
			return
		}
		defer response.Body.Close()
		if response.StatusCode/100 != 2 {
			return
		}
		for r := bufio.NewReaderSize(response.Body, 16<<10); ; {
			line, err := r.ReadString('\n')
			if text := clip(strings.TrimLeft(strings.TrimSpace(line), "!- >"), 200); text != "" {
				*o.last = text
			}
			if _, bad := io.WriteString(w, line); err != nil || bad != nil {
				return
			}
		}
	}()
	return o
}

// wait is the last line, once the output has ended; it ends soon after the work.
func (o output) wait() string {
	if o.done == nil {
		return ""
	}
	select {
	case <-o.done:
	case <-time.After(5 * time.Second):
		o.end()
	}
	return strings.TrimRight(*o.last, ".")
}

// end stops following.
func (o output) end() {
	if o.done != nil {
		o.cancel()
		<-o.done
	}
}
