package host

import (
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"maitred/platform"
)

// TestAStartLeavesAnAppThatIsHeldAlone starts maitred again after a kill in the
// middle of a restore: an app that is started then would write into the file
// that the restore is about to replace.
func TestAStartLeavesAnAppThatIsHeldAlone(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.0.0")
	s.post("margherita")
	s.must(s.PlanCapture(t.Context(), pizza, ""))
	s.post("funghi")
	list, err := s.Backups(t.Context(), pizza)
	if err != nil {
		t.Fatal(err)
	}
	for _, killed := range []string{"safety backup", "swap", "start"} {
		y := s.begin(s.PlanRestore(t.Context(), pizza, list[0], ""))
		if _, err := y.until(t.Context(), killed); err != nil {
			t.Fatal(err)
		}
		if err := s.holdRequests(-time.Minute); err != nil { // the machine was off for a while
			t.Fatal(err)
		}
		s.Provider = s.open()
		if err := s.EnsureRunning(t.Context(), pizza); err != nil {
			t.Fatal(err)
		}
		if s.runs("blue", "") || s.runs("green", "") {
			t.Fatalf("the app was started before %q of a restore", killed)
		}
		if _, err := y.until(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		if _, notes := s.visit("/notes"); notes != "margherita" {
			t.Fatalf("after the restore the notes are %q", notes)
		}
		s.post("funghi")
	}
}

// TestADrainThatWasCutShortEnds is killed between the note that the old process
// leaves and the signal.
func TestADrainThatWasCutShortEnds(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.0.0")
	y := s.begin(s.PlanDeploy(t.Context(), pizza, s.source("v1.1.0")))
	if _, err := y.until(t.Context(), "drain"); err != nil {
		t.Fatal(err)
	}
	old, _ := s.tenant("blue")
	old.Leaving = true
	if err := s.setTenant(old); err != nil {
		t.Fatal(err)
	}
	s.Provider = s.open()
	if _, err := y.until(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if s.job(old).alive() {
		t.Error("the old release runs for ever")
	}
}

// TestAJournalStaysOutOfTheNextDatabase replaces a database whose writer was
// killed in the middle of a transaction.
func TestAJournalStaysOutOfTheNextDatabase(t *testing.T) {
	s := newStage(t)
	if err := s.ready(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(s.databaseFile()), 0o755); err != nil {
		t.Fatal(err)
	}
	fill := func(file, text string, then func()) {
		db, err := openSQLite(file, "rwc", "_pragma=journal_mode(DELETE)", "_pragma=cache_size(2)")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, q := range []string{
			"CREATE TABLE notes (text TEXT)",
			"INSERT INTO notes WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 200) SELECT '" + text + "' || hex(zeroblob(500)) FROM n",
			"BEGIN", "UPDATE notes SET text = 'half' || hex(zeroblob(500))",
		} {
			if _, err := db.Exec(q); err != nil {
				t.Fatal(err)
			}
		}
		then()
		if _, err := db.Exec("ROLLBACK"); err != nil {
			t.Fatal(err)
		}
	}
	work := filepath.Join(t.TempDir(), "work")
	fill(work, "old", func() { // what lies there when the writer is killed now
		for _, end := range []string{"", "-journal"} {
			if err := copyFile(t.Context(), work+end, s.databaseFile()+end); err != nil {
				t.Fatal(err)
			}
		}
	})
	next := s.databaseFile() + ".next"
	fill(next, "new", func() {})
	if err := s.exchange(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	db, err := openSQLite(s.databaseFile(), "rw")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var verdict string
	var fresh int
	if err := db.QueryRow("PRAGMA integrity_check(1)").Scan(&verdict); err != nil || verdict != "ok" {
		t.Fatalf("the database is %q, %v", verdict, err)
	}
	if err := db.QueryRow("SELECT count(*) FROM notes WHERE text LIKE 'new%'").Scan(&fresh); err != nil || fresh != 200 {
		t.Errorf("the new database has %d of its 200 rows, %v", fresh, err)
	}
}

// TestADiskThatFillsUpTearsNoLine lets the disk end in the middle of two lines.
func TestADiskThatFillsUpTearsNoLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ledger")
	if err := (local{}).Append(file, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 10, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	failed := (local{}).Append(file, []byte("two\nthree\n"), 0o600)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(file); failed == nil || err != nil || string(data) != "one\n" {
		t.Errorf("the ledger holds %q, %v after %v", data, err, failed)
	}
}

func TestWhatGoesLiveIsWrittenFirst(t *testing.T) {
	s := newStage(t)
	for _, tag := range []string{"v1.0.0", "v1.1.0"} {
		if _, err := s.allot(t.Context(), platform.Run{Operation: s.op}, s.source(tag)); err != nil {
			t.Fatal(err)
		}
		s.op++
	}
	for _, states := range []map[string]platform.ReleaseState{
		{"r2": platform.ReleaseLive, "r1": platform.ReleaseSuperseded},
		{"r1": platform.ReleaseLive, "r2": platform.ReleaseSuperseded}, // back again
	} {
		if err := s.mark(t.Context(), states, comeback{}); err != nil {
			t.Fatal(err)
		}
		lines, err := readLines[entry](s.Provider, s.inState("releases.jsonl"))
		if err != nil || lines[len(lines)-2].State != platform.ReleaseLive {
			t.Errorf("half of %v would leave nothing live: %+v, %v", states, lines, err)
		}
	}
}

// large is a machine on which nobody may read the database into memory.
type large struct {
	local
	t    *testing.T
	file string
}

func (l large) Read(path string) ([]byte, error) {
	if path == l.file {
		l.t.Errorf("the whole of %s is read into memory", path)
	}
	return l.local.Read(path)
}

func TestADatabaseIsNotReadIntoMemory(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.0.0")
	s.box = large{t: t, file: s.databaseFile()}
	s.must(s.PlanCapture(t.Context(), pizza, ""))
}

// TestWhatWasWrittenSinceARestoreIsKept takes a restore back after visitors were
// let in.
func TestWhatWasWrittenSinceARestoreIsKept(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.0.0")
	s.post("margherita")
	s.must(s.PlanCapture(t.Context(), pizza, ""))
	s.post("funghi")
	list, err := s.Backups(t.Context(), pizza)
	if err != nil {
		t.Fatal(err)
	}
	y := s.begin(s.PlanRestore(t.Context(), pizza, list[0], ""))
	if _, err := y.until(t.Context(), "finish"); err != nil {
		t.Fatal(err)
	}
	s.post("quattro stagioni")
	y.undo()
	if _, notes := s.visit("/notes"); notes != "margherita\nfunghi" {
		t.Fatalf("after the undo the notes are %q", notes)
	}
	list, err = s.Backups(t.Context(), pizza)
	if err != nil {
		t.Fatal(err)
	}
	s.must(s.PlanRestore(t.Context(), pizza, list[0], ""))
	if _, notes := s.visit("/notes"); notes != "margherita\nquattro stagioni" {
		t.Errorf("the newest backup, %q, holds %q", list[0].Why, notes)
	}
}

// TestAKilledChangeLeavesNoValues finds the files of a process that was killed
// while it wrote variables.
func TestAKilledChangeLeavesNoValues(t *testing.T) {
	s := newStage(t)
	if err := s.ready(); err != nil {
		t.Fatal(err)
	}
	halves := []string{s.path("shared", ".env-123"), s.inState("notes", ".12-variable.json-123")}
	for _, half := range halves {
		if err := os.WriteFile(half, []byte("TOKEN=\"value\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.secrets["h"] = "another"
	s.must(s.PlanSet(t.Context(), pizza, "TOKEN", "h"))
	for _, half := range halves {
		if statErr(half) == nil {
			t.Errorf("%s is left with its values", half)
		}
	}
}

// TestADamagedDatabaseIsReplaced restores when it is needed most.
func TestADamagedDatabaseIsReplaced(t *testing.T) {
	for name, damage := range map[string]func(data []byte){
		"its head":  func(data []byte) { copy(data, "no database at all") },
		"its pages": func(data []byte) { copy(data[100:], make([]byte, 4000)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.deploy("v1.0.0")
			s.post("margherita")
			s.must(s.PlanCapture(t.Context(), pizza, ""))
			list, err := s.Backups(t.Context(), pizza)
			if err != nil {
				t.Fatal(err)
			}
			s.must(s.PlanStop(t.Context(), pizza, ""))
			data, err := os.ReadFile(s.databaseFile())
			if err != nil {
				t.Fatal(err)
			}
			damage(data)
			if err := os.WriteFile(s.databaseFile(), data, 0o640); err != nil {
				t.Fatal(err)
			}
			y := s.begin(s.PlanRestore(t.Context(), pizza, list[0], ""))
			if _, err := y.until(t.Context(), "migrate"); err != nil {
				t.Fatal(err)
			}
			y.undo()
			if now, err := os.ReadFile(s.databaseFile()); err != nil || string(now) != string(data) {
				t.Errorf("an undo did not put the file back as it was: %v", err)
			}
			s.must(s.PlanRestore(t.Context(), pizza, list[0], ""))
			s.must(s.PlanStart(t.Context(), pizza, ""))
			if _, notes := s.visit("/notes"); notes != "margherita" {
				t.Errorf("the notes are %q", notes)
			}
			list, err = s.Backups(t.Context(), pizza)
			if err != nil || list[0].Grade != damagedGrade {
				t.Fatalf("the damaged database was not kept: %+v, %v", list, err)
			}
			if _, err := s.PlanRestore(t.Context(), pizza, list[0], ""); err == nil {
				t.Error("a damaged database may be restored")
			}
		})
	}
}
