package sample

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (a *App) page(w http.ResponseWriter, r *http.Request) {
	count, err := a.orders.count(r.Context(), "")
	if err != nil {
		sorry(w, err)
		return
	}
	view := struct {
		settings
		Release, Ordered, Next string
		Specials               []pizza
		Orders                 int
	}{settings: a.settings, Release: a.release, Ordered: r.FormValue("ordered"), Next: rand.Text(), Orders: count.Orders}
	if a.settings.Specials {
		view.Specials = a.orders.specials(r.Context())
	}
	var page bytes.Buffer
	if err := a.menu.Execute(&page, view); err != nil {
		sorry(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	answer(w, page.Bytes())
}

// health answers 200 only when the app can do its work.
func (a *App) health(w http.ResponseWriter, r *http.Request) {
	body := map[string]string{"release": a.release}
	status := http.StatusOK
	if err := a.well(r.Context()); err != nil {
		body["problem"] = err.Error()
		status = http.StatusServiceUnavailable
		log.Printf("not healthy: %v", err)
	}
	tell(w, status, body)
}

func (a *App) well(ctx context.Context) error {
	if _, err := a.orders.count(ctx, "none"); err != nil {
		return fmt.Errorf("cannot read the orders: %w", err)
	}
	if a.settings.Payment == "" {
		return nil
	}
	c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", a.settings.Payment)
	if err != nil {
		return fmt.Errorf("cannot reach the payment service: %w", err)
	}
	return c.Close()
}

// order takes an order by its id: the same id again is the same order.
func (a *App) order(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	asJSON := strings.HasPrefix(r.Header.Get("Content-Type"), "application/json")
	var o order
	if asJSON {
		if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
			tell(w, http.StatusBadRequest, map[string]string{"problem": "The body is not JSON."})
			return
		}
	} else {
		o = order{ID: r.PostFormValue("id"), Pizza: r.PostFormValue("pizza"), Note: r.PostFormValue("note")}
	}
	if o.ID == "" || !a.serves(r.Context(), o.Pizza) {
		tell(w, http.StatusBadRequest, map[string]string{"problem": "An order has an id and a pizza of the menu."})
		return
	}
	if err := a.orders.add(r.Context(), o, a.settings.Notes); err != nil {
		sorry(w, err)
		return
	}
	log.Printf("ordered: %s", strconv.Quote(o.Pizza))
	if asJSON {
		tell(w, http.StatusCreated, map[string]string{"id": o.ID, "release": a.release})
		return
	}
	http.Redirect(w, r, "/?ordered="+url.QueryEscape(o.Pizza), http.StatusSeeOther)
}

func (a *App) serves(ctx context.Context, name string) bool {
	is := func(p pizza) bool { return p.Name == name }
	return slices.ContainsFunc(a.settings.Pizzas, is) ||
		a.settings.Specials && slices.ContainsFunc(a.orders.specials(ctx), is)
}

// list counts the orders whose id begins with ?prefix=, and how often they were
// posted in all.
func (a *App) list(w http.ResponseWriter, r *http.Request) {
	c, err := a.orders.count(r.Context(), r.FormValue("prefix"))
	if err != nil {
		sorry(w, err)
		return
	}
	tell(w, http.StatusOK, c)
}

// slow answers after ?ms= milliseconds.
func (a *App) slow(w http.ResponseWriter, r *http.Request) {
	ms, err := strconv.Atoi(r.FormValue("ms"))
	if err != nil || ms < 0 || ms > 10_000 {
		tell(w, http.StatusBadRequest, map[string]string{"problem": "ms is a number up to 10000."})
		return
	}
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
		tell(w, http.StatusOK, map[string]string{"release": a.release})
	case <-r.Context().Done():
	}
}

func tell(w http.ResponseWriter, status int, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		sorry(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	answer(w, raw)
}

// answer writes the body. A visitor who is gone misses nothing.
func answer(w http.ResponseWriter, body []byte) {
	if _, err := w.Write(body); err != nil {
		log.Printf("the visitor left: %v", err)
	}
}

func sorry(w http.ResponseWriter, err error) {
	log.Printf("error: %v", err)
	http.Error(w, "The kitchen has a problem. Please try again.", http.StatusInternalServerError)
}
