package herokutest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// schedule is a backup that is taken every day.
type schedule struct {
	uuid, name, zone string
	hour             int
}

func (s *schedule) show() obj {
	return obj{"uuid": s.uuid, "name": s.name, "hour": s.hour, "timezone": s.zone, "retain_weeks": 1, "retain_months": 0, "days": []string{}}
}

func (h *Heroku) scheduleRoutes(r routes) {
	const root = "/client/v11/databases/{db}/transfer-schedules"
	r.base(200, "GET "+root, func(b *database, c *call) (any, error) {
		all := []obj{}
		for _, s := range b.schedules {
			all = append(all, s.show())
		}
		return all, nil
	})
	r.base(http.StatusCreated, "POST "+root, func(b *database, c *call) (any, error) {
		var in struct {
			Hour json.RawMessage // text from the CLI
			Zone string          `json:"timezone"`
			Name string          `json:"schedule_name"`
		}
		if err := c.read(&in); err != nil {
			return nil, err
		}
		hour, err := strconv.Atoi(strings.Trim(string(in.Hour), `"`))
		if err != nil || hour < 0 || hour > 23 {
			return nil, invalid("The hour must be between 0 and 23.")
		}
		if _, err := time.LoadLocation(in.Zone); err != nil || in.Zone == "" {
			return nil, invalid("The time zone %q does not exist.", in.Zone)
		}
		s := &schedule{uuid: h.id(), name: in.Name, zone: in.Zone, hour: hour}
		b.schedules = slices.DeleteFunc(b.schedules, func(o *schedule) bool { return o.name == in.Name })
		b.schedules = append(b.schedules, s)
		return s.show(), nil
	})
	r.base(200, "DELETE "+root+"/{schedule}", func(b *database, c *call) (any, error) {
		for _, s := range b.schedules {
			if s.uuid == c.PathValue("schedule") {
				b.schedules = slices.DeleteFunc(b.schedules, func(o *schedule) bool { return o == s })
				return s.show(), nil
			}
		}
		return nil, missing("schedule", "schedule")
	})
}

// Fire takes the scheduled backups of an app's database, as if it were the hour.
func (h *Heroku) Fire(app string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.ofApp(app)
	for _, s := range b.schedules {
		h.backup(b, s)
	}
	h.tell()
}

// Schedule schedules backups of the database of an app, as somebody else would.
func (h *Heroku) Schedule(app string, hour int, zone string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.ofApp(app)
	b.schedules = append(b.schedules, &schedule{uuid: h.id(), name: "DATABASE_URL", zone: zone, hour: hour})
}
