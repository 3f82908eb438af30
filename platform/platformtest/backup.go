package platformtest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"maitred/fault"
	"maitred/platform"
)

func (a *app) backup(id string) (copied, bool) {
	i := slices.IndexFunc(a.Backups, func(b copied) bool { return b.ID == id })
	if i < 0 {
		return copied{}, false
	}
	return a.Backups[i], true
}

func capture(a *app, r platform.Run, in args, _ string) (platform.Result, error) {
	id := "b" + strconv.Itoa(len(a.Backups)+1)
	if was, again := a.Before[r.Key]; again {
		id = was.Backup
	} else {
		sum := sha256.Sum256([]byte(a.Data))
		a.Backups = append(a.Backups, copied{Data: a.Data, Migrated: a.Migrated, Backup: platform.Backup{
			ID: id, Database: in.Database, At: time.Now(), By: r.Requester, Size: int64(len(a.Data)),
			SHA256: hex.EncodeToString(sum[:]), Grade: "readable", Release: a.Live, Why: in.Why,
		}})
	}
	return platform.Result{Say: id + " stored", Backup: id, Data: a.remember(r, before{Backup: id})}, nil
}

// putBack restores the backup that the step itself took.
func putBack(a *app, r platform.Run, _ args, _ string) (platform.Result, error) {
	var was before
	if raw := r.Results[r.Step.Name]; len(raw) > 0 {
		if err := json.Unmarshal(raw, &was); err != nil {
			return platform.Result{}, err
		}
	} else {
		was = a.Before[r.Key]
	}
	if was.Backup == "" {
		return platform.Result{Say: "nothing had been captured"}, nil
	}
	return a.fill(was.Backup)
}

func restore(a *app, r platform.Run, in args, _ string) (platform.Result, error) {
	if _, again := a.Before[r.Key]; again {
		return platform.Result{Say: in.Backup + " restored"}, nil
	}
	a.remember(r, before{Backup: a.Backups[len(a.Backups)-1].ID}) // the safety backup of the step before
	return a.fill(in.Backup)
}

func restoreBack(a *app, r platform.Run, _ args, _ string) (platform.Result, error) {
	was, ok := a.Before[r.Key]
	if !ok {
		return platform.Result{Say: "nothing had been restored"}, nil
	}
	return a.fill(was.Backup)
}

func (a *app) fill(id string) (platform.Result, error) {
	b, ok := a.backup(id)
	if !ok {
		return platform.Result{}, fault.New(fault.Missing, "fake.restore", "", "The backup %s is gone.", id)
	}
	a.Data, a.Migrated = b.Data, b.Migrated
	return platform.Result{Say: id + " restored"}, nil
}
