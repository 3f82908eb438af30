package web_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"maitred/bot"
	"maitred/web"
)

// slow takes its time to answer.
type slow struct{ *maitred }

func (s slow) Wait(ctx context.Context, key string) (bot.Heard, error) {
	select {
	case <-time.After(600 * time.Millisecond):
		return s.maitred.Wait(ctx, key)
	case <-ctx.Done():
		return bot.Heard{}, ctx.Err()
	}
}

func TestAnAnswerMayTakeLongerThanARequest(t *testing.T) {
	m := &maitred{answers: said("Here you are.", false)}
	url := serve(t, m, func(o *web.Options) { o.Waiter, o.Arrival = slow{m}, 200*time.Millisecond })
	r, err := http.NewRequest(http.MethodPost, url+"/v1/say", strings.NewReader(`{"text": "/deploy ocpizza"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer ann-token")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("a line that takes long is answered %s", res.Status)
	}
}

func TestARequestThatNeverArrivesIsCutOff(t *testing.T) {
	m := &maitred{answers: said("Here you are.", false)}
	url := serve(t, m, func(o *web.Options) { o.Arrival = 100 * time.Millisecond })
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("POST /v1/say HTTP/1.1\r\nHost: maitred\r\nAuthorization: Bearer ann-token\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 4096)
	n, err := conn.Read(text)
	if err != nil || !strings.HasPrefix(string(text[:n]), "HTTP/1.1 400") {
		t.Errorf("half a request was answered %q, %v", text[:n], err)
	}
}
