package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"maitred/chat"
	"maitred/commands"
	"maitred/config"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/store"
)

// mark names a step of an operation in one phase, and trace is what its record
// says once it has finished: it must never say anything else.
type mark struct {
	operation int64
	index     int
	undo      bool
}

type trace struct {
	attempt int
	ended   time.Time
}

// open opens the store that lies in dir, with the keys of the demo.
func (k *killer) open(dir string) *store.Store {
	k.t.Helper()
	c, err := config.Load(filepath.Join(k.dir, "maitred.yml"))
	if err != nil {
		k.t.Fatal(err)
	}
	keys, err := openKeys(c)
	if err != nil {
		k.t.Fatal(err)
	}
	s, err := store.Open(context.Background(), store.Options{Dir: dir, Seal: keys, AuditKey: keys.Audit, Log: zap.NewNop()})
	if err != nil {
		k.t.Fatal(err)
	}
	return s
}

// snapshot notes what the dead maitred had written, from a copy of its files.
func (k *killer) snapshot() {
	k.t.Helper()
	copied, err := os.MkdirTemp("", "maitred-dead-")
	if err != nil {
		k.t.Fatal(err)
	}
	defer os.RemoveAll(copied) // not at the end of the test: there are many
	for _, name := range []string{"maitred.db", "maitred.db-wal"} {
		data, err := os.ReadFile(filepath.Join(k.dir, "data", name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(copied, name), data, 0o600)
		}
		if err != nil {
			k.t.Fatal(err)
		}
	}
	s := k.open(copied)
	defer s.Close()
	ops, err := s.Operations(context.Background(), engine.Filter{Limit: 20})
	if err != nil {
		k.t.Fatal(err)
	}
	hit := false
	for _, op := range ops {
		hit = hit || op.State == platform.Running || op.State == platform.Undoing
		if op.State == platform.Waiting {
			k.pending++
		}
		for _, rec := range k.steps(s, op) {
			if !finished(rec) {
				continue
			}
			m := mark{op.ID, rec.Index, rec.Undo}
			if _, known := k.kept[m]; !known {
				k.kept[m] = trace{rec.Attempt, rec.Ended}
			}
		}
	}
	if hit {
		k.during++
	}
}

func finished(rec platform.StepRecord) bool {
	switch rec.State {
	case chat.StepDone, chat.StepFailed, chat.StepUndone, chat.StepSkipped:
		return true
	}
	return false
}

func (k *killer) steps(s *store.Store, op platform.Operation) []platform.StepRecord {
	k.t.Helper()
	steps, err := s.Steps(context.Background(), op.ID)
	if err != nil {
		k.t.Fatal(err)
	}
	return steps
}

// counts are what the test proves and prints.
type counts struct {
	kills, during, operations, lines, repeated, cancels, settled int
	states                                                       map[platform.State]int
	steps, again, reran, twice, overlaps                         int
	approvals, pending, ticks                                    int
}

func (c counts) String() string {
	return fmt.Sprintf("kill -9 of the whole program on SQLite with the host provider: %d kills (%d during an operation), %d lines said (%d said again with their key), "+
		"%d operations %v, %d cancels, %d settled by a person, %d steps, %d begun again in flight, %d finished steps run again, %d once steps run twice, %d overlaps, "+
		"%d decisions, %d approvals waited through a kill, %d captures by the schedule",
		c.kills, c.during, c.lines, c.repeated, c.operations, c.states, c.cancels, c.settled, c.steps, c.again, c.reran, c.twice, c.overlaps, c.approvals, c.pending, c.ticks)
}

// count ends maitred and compares what it says with what was asked of it and
// with what is on the machine.
func (k *killer) count() counts {
	k.t.Helper()
	k.showsWhatItSays()
	if code := k.interrupt(); code != 0 {
		k.t.Errorf("Ctrl-C ends with %d\n%s", code, k.told())
	}
	s := k.open(filepath.Join(k.dir, "data"))
	defer s.Close()
	c := counts{kills: len(k.deaths), during: k.during, pending: k.pending, lines: len(k.lines), repeated: k.repeated, cancels: k.cancelled, settled: k.settled, states: map[platform.State]int{}}
	ops := k.operations(s)
	for _, op := range ops {
		c.operations++
		c.states[op.State]++
		if !op.State.Ended() {
			k.t.Errorf("#%d, %s, has not ended: %s", op.ID, op.Kind, op.State)
		}
		if op.State == platform.Failed && (op.Source == nil || op.Source.Ref != "v1.2.0") {
			k.t.Errorf("#%d, %s, failed: %s", op.ID, op.Kind, op.Message)
		}
		if op.State != platform.Succeeded {
			k.t.Logf("#%d, %s by %s: %s, %s, undone: %t, %.120s", op.ID, op.Kind, op.Requester.Who, op.State, op.Reason, op.Undone, op.Message)
		}
		if strings.HasPrefix(op.Key, "schedule-") {
			c.ticks++
		}
		k.countSteps(&c, op, k.steps(s, op))
		k.countDecisions(&c, s, op)
	}
	k.countOverlaps(&c, ops)
	k.countLines(s, ops)
	k.countRuns(&c, ops)
	k.countReleases(ops)
	k.countBackups(ops)
	if all, err := s.Schedules(context.Background()); err != nil || len(all) != 1 || all[0].Line != "/backup capture ocpizza to production" {
		k.t.Errorf("schedules after the kills: %+v, %v", all, err)
	}
	s.Close()
	var told bytes.Buffer
	if code := run(context.Background(), terminal{out: &told, err: &told}, []string{"check", "--audit", filepath.Join(k.dir, "maitred.yml")}); code != 0 {
		k.t.Errorf("the audit after the kills: %s", told.String())
	}
	return c
}

// operations are all, oldest first.
func (k *killer) operations(s *store.Store) (all []platform.Operation) {
	k.t.Helper()
	for before := int64(0); ; before = all[len(all)-1].ID {
		some, err := s.Operations(context.Background(), engine.Filter{Before: before, Limit: 200})
		if err != nil {
			k.t.Fatal(err)
		}
		if len(some) == 0 {
			slices.Reverse(all)
			return all
		}
		all = append(all, some...)
	}
}

// countSteps wants a step to have been begun again only when maitred was killed
// while it ran, and what had finished to be as it was.
func (k *killer) countSteps(c *counts, op platform.Operation, steps []platform.StepRecord) {
	for _, rec := range steps {
		c.steps++
		kills := 0
		for _, at := range k.deaths {
			if at.After(rec.Started.Add(-time.Millisecond)) && (rec.Ended.IsZero() || at.Before(rec.Ended.Add(time.Millisecond))) {
				kills++
			}
		}
		c.again += max(0, rec.Attempt-1)
		if rec.Attempt > 1+kills {
			c.reran++
			k.t.Errorf("#%d %s was begun %d times, and maitred was killed %d times while it ran", op.ID, rec.Name, rec.Attempt, kills)
		}
		was, known := k.kept[mark{op.ID, rec.Index, rec.Undo}]
		if known && (was.attempt != rec.Attempt || !was.ended.Equal(rec.Ended)) {
			c.reran++
			k.t.Errorf("#%d %s had finished at %s, attempt %d; now it says %s, attempt %d", op.ID, rec.Name, was.ended, was.attempt, rec.Ended, rec.Attempt)
		}
	}
}

// countDecisions wants every word of the lead that was taken to be there once,
// and what needed one to have begun after it.
func (k *killer) countDecisions(c *counts, s *store.Store, op platform.Operation) {
	said, err := s.Decisions(context.Background(), op.ID)
	if err != nil {
		k.t.Fatal(err)
	}
	c.approvals += len(said)
	approve, decided := k.decided[op.ID]
	if decided != (len(said) == 1) || decided && (said[0].Approve != approve || said[0].Person.Who != "lead") {
		k.t.Errorf("#%d: the lead's word was taken: %t (approved: %t); decisions: %+v", op.ID, decided, approve, said)
	}
	needs := op.Requester.Who == "dev" && (op.Kind.Exclusive() || op.Kind == platform.RunCommand)
	if needs && !op.Started.IsZero() && (len(said) != 1 || !said[0].Approve || op.Started.Before(said[0].At)) {
		k.t.Errorf("#%d began at %s with the decisions %+v", op.ID, op.Started, said)
	}
}

// countOverlaps looks at every pair that must not run at once.
func (k *killer) countOverlaps(c *counts, ops []platform.Operation) {
	for i, a := range ops {
		for _, b := range ops[i+1:] {
			if a.Started.IsZero() || b.Started.IsZero() || !a.Kind.Conflicts(b.Kind) {
				continue
			}
			if a.Started.Before(b.Ended) && b.Started.Before(a.Ended) {
				c.overlaps++
				k.t.Errorf("#%d %s (%s to %s) and #%d %s (%s to %s) overlap", a.ID, a.Kind, a.Started, a.Ended, b.ID, b.Kind, b.Started, b.Ended)
			}
		}
	}
}

// countLines wants one row of the audit for each line, and one operation for each
// line that was said to begin one, and no others.
func (k *killer) countLines(s *store.Store, ops []platform.Operation) {
	heard := map[dish]int{}
	for before := int64(0); ; {
		rows, err := s.Audit(context.Background(), commands.AuditFilter{Before: before, Limit: 100})
		if err != nil {
			k.t.Fatal(err)
		}
		if len(rows) == 0 {
			break
		}
		for _, row := range rows {
			heard[dish{row.Person.Who, row.Line}]++
			before = row.Seq
		}
	}
	said, began := map[dish]int{}, map[string]int64{}
	for _, a := range k.lines {
		said[a.dish]++
		if a.answer.Started {
			began["say/webchat/"+a.as+"/"+a.key] = a.answer.Operation
		}
	}
	for d, n := range said {
		if heard[d] != n {
			k.t.Errorf("%s: %q was said and answered %d times; the audit has it %d times", d.as, d.line, n, heard[d])
		}
	}
	for _, op := range ops {
		id, ours := began[op.Key]
		delete(began, op.Key)
		own := strings.HasPrefix(op.Key, "schedule-") || strings.HasPrefix(op.Key, "demo/first/")
		if ours == own || ours && id != op.ID {
			k.t.Errorf("#%d came of %s; that was answered with #%d", op.ID, op.Key, id)
		}
	}
	for key, id := range began {
		k.t.Errorf("%s was answered with #%d, which is not there", key, id)
	}
}

var begun = regexp.MustCompile(`begun-\d+`)

// countRuns reads what the commands wrote outside maitred: each ran once.
func (k *killer) countRuns(c *counts, ops []platform.Operation) {
	data, err := os.ReadFile(filepath.Join(k.dir, "ran"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		k.t.Fatal(err)
	}
	times := map[string]int{}
	for _, word := range strings.Fields(string(data)) {
		times[word]++
	}
	for _, op := range ops {
		if op.Kind != platform.RunCommand {
			continue
		}
		n := times[begun.FindString(string(op.Args))]
		if n > 1 {
			c.twice++
		}
		if n > 1 || op.State == platform.Succeeded && n == 0 || op.Started.IsZero() && n > 0 {
			k.t.Errorf("#%d, %s, is %s, and its command ran %d times", op.ID, op.Args, op.State, n)
		}
	}
	builds, err := filepath.Glob(filepath.Join(k.dir, "app", ".maitred", "steps", "*-build", "log"))
	if err != nil {
		k.t.Fatal(err)
	}
	for _, file := range builds {
		log, err := os.ReadFile(file)
		if n := strings.Count(string(log), "Checking the pages"); err != nil || n > 1 {
			c.twice++
			k.t.Errorf("%s: the build ran %d times, %v", file, n, err)
		}
	}
}

// ledger reads a ledger of the host provider.
func ledger[T any](k *killer, name string) (list []T) {
	k.t.Helper()
	f, err := os.Open(filepath.Join(k.dir, "app", ".maitred", name))
	if err != nil {
		k.t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			k.t.Errorf("%s: %q: %v", name, lines.Text(), err)
		}
		list = append(list, v)
	}
	return list
}

var release = regexp.MustCompile(`r\d+`)

// countReleases wants a release to have gone live as often as operations say so,
// and each deploy to have made one. What an operation that was taken back has
// touched went live once more, or did not.
func (k *killer) countReleases(ops []platform.Operation) {
	wentLive, made := map[string]int{}, map[int64]string{}
	for _, r := range ledger[platform.Release](k, "releases.jsonl") {
		if r.State == platform.ReleaseLive {
			wentLive[r.ID]++
		}
		if id, ok := made[r.Operation]; ok && id != r.ID {
			k.t.Errorf("#%d made the releases %s and %s", r.Operation, id, r.ID)
		}
		made[r.Operation] = r.ID
	}
	for _, op := range ops {
		if !op.Kind.Exclusive() || op.Started.IsZero() {
			continue
		}
		if op.State != platform.Succeeded {
			for _, id := range append(release.FindAllString(string(op.Args), -1), op.Previous, made[op.ID]) {
				delete(wentLive, id)
			}
		}
	}
	for _, op := range ops {
		if op.State != platform.Succeeded || !op.Kind.Exclusive() {
			continue
		}
		if _, counted := wentLive[op.Release]; counted {
			wentLive[op.Release]--
		}
		if op.Kind != platform.Rollback && made[op.ID] != op.Release {
			k.t.Errorf("#%d says that it made %s; the ledger says %s", op.ID, op.Release, made[op.ID])
		}
	}
	for id, n := range wentLive {
		if n != 0 {
			k.t.Errorf("%s went live %+d times more than operations say", id, n)
		}
	}
}

// countBackups wants one backup for each capture and each update, and no file
// that nobody knows.
func (k *killer) countBackups(ops []platform.Operation) {
	type line struct {
		platform.Backup
		Operation int64  `json:"operation"`
		File      string `json:"file"`
	}
	made, files := map[int64]int{}, map[string]bool{}
	for _, b := range ledger[line](k, "backups.jsonl") {
		made[b.Operation]++
		files[b.File] = true
	}
	for _, op := range ops {
		makes := op.Kind == platform.Capture || op.Kind == platform.Update
		if n := made[op.ID]; makes && op.State == platform.Succeeded && n != 1 || !makes && n != 0 {
			k.t.Errorf("#%d, %s, is %s and made %d backups", op.ID, op.Kind, op.State, n)
		}
	}
	entries, err := os.ReadDir(filepath.Join(k.dir, "app", "backups"))
	if err != nil {
		k.t.Fatal(err)
	}
	for _, e := range entries {
		if !files[e.Name()] {
			k.t.Errorf("backups/%s is in no ledger", e.Name())
		}
	}
}

// showsWhatItSays wants one app process, whose visitors see the release that
// /status names.
func (k *killer) showsWhatItSays() {
	k.t.Helper()
	shown := shows(k.app)
	a := k.must("dev", "/status ocpizza")
	text, err := json.Marshal(a)
	if err != nil {
		k.t.Fatal(err)
	}
	if !strings.HasPrefix(shown, "v1.") || !strings.Contains(string(text), shown) {
		k.t.Errorf("visitors see %.200q; /status says %s", shown, text)
	}
	apps := 0
	for _, pid := range leftovers(k.dir) {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && bytes.HasSuffix(bytes.TrimRight(line, "\x00"), []byte("sample-app")) && bytes.HasPrefix(line, []byte("maitred\x00")) {
			apps++
		}
	}
	if apps != 1 {
		k.t.Errorf("%d processes of the app run", apps)
	}
}
