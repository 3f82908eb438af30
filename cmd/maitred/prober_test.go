package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

// TestNoRequestFails deploys under load: good releases, broken ones, and kill -9
// of maitred in the middle, while visitors ask a hundred times a second. With
// MAITRED_SOAK=1 it is 20, 3 and 3 of them.
func TestNoRequestFails(t *testing.T) {
	if testing.Short() {
		t.Skip("whole processes under load; not with -short")
	}
	good, broken, kills := 2, 1, 1
	if os.Getenv("MAITRED_SOAK") == "1" {
		good, broken, kills = 20, 3, 3
	}
	d := newDemo(t)
	t.Logf("the demo was ready in %s", d.start().Round(time.Millisecond))
	v := visit(t, "http://"+d.app)
	v.never("v1.2.0")

	live, other := "v1.0.0", "v1.1.0"
	for n := range max(good, broken) {
		if n < good {
			killAt := ""
			if n%3 == 0 && n/3 < kills {
				killAt = steps[rand.N(len(steps))]
				t.Logf("deploy %d: maitred is killed when %s has begun", n+1, killAt)
			}
			d.deployUnder(v, live, other, killAt)
			live, other = other, live
		}
		if n < broken {
			d.breakUnder()
		}
	}
	r := v.leave()
	line := fmt.Sprintf("%d requests (%.0f a second), %d of them orders and %d slow, over %d good and %d broken deploys and %d kills: %d failed, %d named an old release after the switch; %d orders stored, posted %d times",
		r.asked, r.rate, r.orders, r.slow, good, broken, kills, len(r.failed), len(r.stale), r.stored.Orders, r.stored.Posted)
	fmt.Println(line)
	for _, failure := range append(r.failed[:min(10, len(r.failed))], r.stale[:min(10, len(r.stale))]...) {
		t.Error(failure)
	}
	if r.stored.Orders != r.orders || r.stored.Posted != r.orders {
		t.Errorf("%d orders were posted; the app has %d, posted %d times", r.orders, r.stored.Orders, r.stored.Posted)
	}
	if r.rate < 95 || r.orders < r.asked/6 || r.slow < 1 {
		t.Errorf("there was no load worth the name: %s", line)
	}
}

// steps are those of a deploy during which maitred may be killed.
var steps = []string{"fetch", "build", "migrate", "start", "probe", "switch", "verify", "drain"}

// deployUnder puts next live, and kills maitred when the step killAt has begun.
func (d *running) deployUnder(v *visitors, live, next, killAt string) {
	d.t.Helper()
	v.expect(next)
	a := d.say("lead", "/deploy ocpizza@"+next)
	if a.Operation == 0 {
		d.t.Fatalf("the deploy of %s was not started: %+v", next, a)
	}
	if killAt != "" {
		d.until(a.Operation, "at "+killAt, func(o followed) bool { return o.step(killAt) != "pending" })
		d.kill()
		d.start()
	}
	d.until(a.Operation, "switched", func(o followed) bool { return o.step("switch") == "done" })
	v.switched(live, next)
	if o := d.until(a.Operation, "ended", hasEnded); o.State != "succeeded" {
		d.t.Fatalf("the deploy of %s ended as %s, %s\n%s", next, o.State, o.Reason, d.told())
	}
}

// breakUnder deploys the release that never gets healthy.
func (d *running) breakUnder() {
	d.t.Helper()
	a := d.say("lead", "/deploy ocpizza@v1.2.0")
	if a.Operation == 0 {
		d.t.Fatalf("the deploy of v1.2.0 was not started: %+v", a)
	}
	if o := d.until(a.Operation, "ended", hasEnded); o.State != "failed" || !o.Undone {
		d.t.Fatalf("the deploy of v1.2.0 ended as %s, undone: %t", o.State, o.Undone)
	}
}
