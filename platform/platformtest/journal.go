package platformtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Entry is one line of a Fake's journal. It is on the disk before the call that
// made it goes on, so that what a killed process did can be counted afterwards.
type Entry struct {
	At        time.Time `json:"at"`
	PID       int       `json:"pid"`
	Event     Event     `json:"event"`
	Operation int64     `json:"operation"`
	Key       string    `json:"key"` // Run.Key: "214/build"
	Action    string    `json:"action"`
	Step      string    `json:"step"`
	Undo      bool      `json:"undo,omitempty"`
	Fence     int64     `json:"fence"`
	Target    string    `json:"target"`
}

// Event is what a journal Entry tells.
type Event string

const (
	Begin  Event = "begin"  // a Do or Once was called, or a Start began new work
	End    Event = "end"    // the world has changed: the work is done
	Found  Event = "found"  // Find found work that Start had begun
	Failed Event = "failed" // the work failed and changed nothing
	Ended  Event = "ended"  // the context ended and the work was stopped
	Left   Event = "left"   // maitred stops: Wait left the work running
)

// record appends e and returns when it is on the disk. The world is locked.
func (w *world) record(e Entry) error {
	e.At, e.PID = time.Now(), os.Getpid()
	if w.dir == "" {
		w.journal = append(w.journal, e)
		return nil
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(w.dir, "journal"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(append(line, '\n')); err != nil {
		return err
	}
	return f.Sync()
}

// ReadJournal reads the journal of the Fakes that share dir, oldest first. A
// last line that a killed process left half written is not an entry.
func ReadJournal(dir string) ([]Entry, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "journal"))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var entries []Entry
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		var e Entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			if !lines.Scan() && !bytes.HasSuffix(raw, []byte("\n")) {
				break
			}
			return nil, fmt.Errorf("journal line %d: %w", n, err)
		}
		entries = append(entries, e)
	}
	return entries, lines.Err()
}
