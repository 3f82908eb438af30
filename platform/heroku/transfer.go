package heroku

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	heroku "github.com/heroku/heroku-go/v6"

	"maitred/fault"
	"maitred/platform"
)

// transfer is a backup, a restore or a copy, as the data API tells it.
type transfer struct {
	UUID      string     `json:"uuid"`
	Num       int        `json:"num"`
	FromName  string     `json:"from_name"`
	FromType  string     `json:"from_type"`
	FromURL   string     `json:"from_url"`
	ToName    string     `json:"to_name"`
	ToType    string     `json:"to_type"`
	ToURL     string     `json:"to_url"`
	Source    int64      `json:"source_bytes"`
	Processed int64      `json:"processed_bytes"`
	Succeeded *bool      `json:"succeeded"`
	Created   time.Time  `json:"created_at"`
	Finished  *time.Time `json:"finished_at"`
	Cancelled *time.Time `json:"canceled_at"`
	Schedule  *struct {
		UUID string `json:"uuid"`
	} `json:"schedule"`
	Logs []struct {
		Message string `json:"message"`
	} `json:"logs"`
}

func (t transfer) ended() bool     { return t.Finished != nil }
func (t transfer) well() bool      { return t.Succeeded != nil && *t.Succeeded }
func (t transfer) isBackup() bool  { return t.FromType == "pg_dump" && t.ToType == "gof3r" }
func (t transfer) isRestore() bool { return t.FromType != "pg_dump" && t.ToType == "pg_restore" }

// id is what Heroku calls a backup: b001, and a002 when a schedule made it.
func (t transfer) id() string {
	letter := "b"
	if t.Schedule != nil {
		letter = "a"
	}
	return fmt.Sprintf("%s%03d", letter, t.Num)
}

// transfers are all of the app, newest first.
func (p *Provider) transfers(ctx context.Context) ([]transfer, error) {
	var list []transfer
	err := p.client.ask(ctx, http.MethodGet, "/client/v11/apps/"+p.config.App+"/transfers", nil, &list)
	slices.SortStableFunc(list, func(a, b transfer) int { return b.Num - a.Num })
	return list, p.fail("heroku.transfers", err)
}

// database is the add-on behind an attachment; the one of the configuration
// when name is empty.
func (p *Provider) database(ctx context.Context, name string) (id string, err error) {
	if name == "" {
		name = p.config.Database
	}
	list, err := p.client.AddOnAttachmentResolution(ctx, heroku.AddOnAttachmentResolutionOpts{AddonAttachment: name, App: &p.config.App})
	if gone(err) || err == nil && len(list) == 0 {
		return "", fault.New(fault.Missing, "heroku.database", "/config list "+p.target.App, "%s has no database %s.", p.target, clip(name, 60))
	}
	if err != nil {
		return "", p.fail("heroku.database", err)
	}
	if len(list) > 1 {
		return "", fault.New(fault.Invalid, "heroku.database", "", "%s could be %s; name the attachment exactly.", clip(name, 60), plural(len(list), "database"))
	}
	return list[0].Addon.ID, nil
}

func (p *Provider) transfer(ctx context.Context, id string, verbose bool) (transfer, error) {
	at := "/client/v11/apps/" + p.config.App + "/transfers/" + url.PathEscape(id)
	if verbose {
		at += "?verbose=true"
	}
	var t transfer
	err := p.client.ask(ctx, http.MethodGet, at, nil, &t)
	return t, p.fail("heroku.transfer", err)
}

// begin starts a transfer of a kind on a database. The newest one before is
// noted first, so that what was started is found again.
func (p *Provider) begin(ctx context.Context, r platform.Run, database, kind string, in any) (platform.Handle, error) {
	id, err := p.database(ctx, database)
	if err != nil {
		return "", err
	}
	list, err := p.transfers(ctx)
	if err != nil {
		return "", err
	}
	last := 0
	if len(list) > 0 {
		last = list[0].Num
	}
	if _, err := before(ctx, p, r, r.Key+"/"+kind, last); err != nil {
		return "", err
	}
	var t transfer
	if err := p.client.ask(ctx, http.MethodPost, "/client/v11/databases/"+id+"/"+kind, in, &t); err != nil {
		return "", p.fail("heroku."+kind, err)
	}
	return platform.Handle(t.UUID), nil
}

// begun looks for the transfer that begin started.
func (p *Provider) begun(ctx context.Context, r platform.Run, kind string, ours func(transfer) bool) (platform.Handle, bool, error) {
	last, noted, err := was[int](ctx, p, r.Key+"/"+kind)
	if err != nil || !noted {
		return "", false, err
	}
	list, err := p.transfers(ctx)
	if err != nil {
		return "", false, err
	}
	slices.Reverse(list)
	i := slices.IndexFunc(list, func(t transfer) bool { return t.Num > last && ours(t) })
	if i < 0 {
		return "", false, nil
	}
	return platform.Handle(list[i].UUID), true, nil
}

// finish follows a transfer to its end, and tells how far it is. When nobody
// waits any more it is cancelled, unless maitred only stops.
func (p *Provider) finish(ctx context.Context, r platform.Run, h platform.Handle, what string) (transfer, error) {
	told := int64(-1)
	for {
		t, err := p.transfer(ctx, string(h), false)
		if ctx.Err() == nil && err != nil {
			return t, err
		}
		if err == nil && t.ended() {
			return t, p.judge(ctx, r, t, what)
		}
		if ctx.Err() == nil && t.Processed != told {
			told = t.Processed
			_, _ = fmt.Fprintln(r.Log, progress(t))
		}
		if ctx.Err() == nil {
			err = p.pause(ctx)
		}
		if ctx.Err() != nil {
			return t, p.cancel(ctx, h)
		}
		if err != nil {
			return t, err
		}
	}
}

func progress(t transfer) string {
	if t.Source > 0 {
		return fmt.Sprintf("%s of %s, %d %%", size(t.Processed), size(t.Source), min(100, t.Processed*100/t.Source))
	}
	return size(t.Processed)
}

// size is n bytes as people say it.
func size(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}

// judge fails a transfer that did not succeed, with its last words.
func (p *Provider) judge(ctx context.Context, r platform.Run, t transfer, what string) error {
	if t.well() {
		return nil
	}
	if t.Cancelled != nil {
		return fault.New(fault.Refused, "heroku.transfer", "", "The %s of %s was cancelled.", what, r.Target)
	}
	last := ""
	if full, err := p.transfer(ctx, t.UUID, true); err == nil {
		for _, l := range full.Logs[max(0, len(full.Logs)-5):] {
			_, _ = io.WriteString(r.Log, l.Message+"\n")
			last = clip(l.Message, 200)
		}
	}
	return &fault.Error{Kind: fault.Refused, Op: "heroku.transfer", Say: fmt.Sprintf("The %s of %s failed%s", what, r.Target, quoted(last)), Hint: "/backup list " + r.Target.App}
}

func (p *Provider) cancel(ctx context.Context, h platform.Handle) error {
	if errors.Is(context.Cause(ctx), platform.ErrStopping) {
		return ctx.Err()
	}
	late, done := after(ctx)
	defer done()
	err := p.client.ask(late, http.MethodPost, "/client/v11/apps/"+p.config.App+"/transfers/"+url.PathEscape(string(h))+"/actions/cancel", nil, nil)
	var refused *apiError
	if err != nil && !errors.As(err, &refused) { // a refusal says that it has ended
		return errors.Join(ctx.Err(), err)
	}
	return ctx.Err()
}
