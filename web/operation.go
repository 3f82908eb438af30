package web

import (
	"net/http"
	"strconv"
	"time"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
)

// operationAnswer is the body of GET /v1/operations/{id}.
type operationAnswer struct {
	ID          int64            `json:"id"`
	Kind        platform.Kind    `json:"kind"`
	App         string           `json:"app"`
	Environment string           `json:"environment"`
	State       platform.State   `json:"state"`
	Reason      string           `json:"reason"`
	Message     string           `json:"message"`
	RequestedBy string           `json:"requested_by"`
	Ref         string           `json:"ref"`
	SHA         string           `json:"sha"`
	Undone      bool             `json:"undone"`
	Release     string           `json:"release"`
	Backup      string           `json:"backup"`
	Steps       []stepAnswer     `json:"steps"`
	Approvals   []approvalAnswer `json:"approvals"`
	CreatedAt   *moment          `json:"created_at"`
	StartedAt   *moment          `json:"started_at"`
	EndedAt     *moment          `json:"ended_at"`
}

type stepAnswer struct {
	Name      string         `json:"name"`
	State     chat.StepState `json:"state"`
	StartedAt *moment        `json:"started_at"`
	EndedAt   *moment        `json:"ended_at"`
}

type approvalAnswer struct {
	Person   string  `json:"person"`
	Decision string  `json:"decision"` // approved, rejected, broke-glass
	At       *moment `json:"at"`
}

// moment is a time as RFC 3339 in UTC; there is none (null) while it has not
// come.
type moment string

func at(t time.Time) *moment {
	if t.IsZero() {
		return nil
	}
	m := moment(t.UTC().Format(time.RFC3339Nano))
	return &m
}

func (s *Server) operation(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		s.refuse(w, fault.New(fault.Invalid, "web.operation", "GET /v1/operations/214", "%q is not the number of an operation.", r.PathValue("id")))
		return
	}
	op, err := s.options.Operations.Operation(r.Context(), id)
	if err != nil {
		s.refuse(w, err)
		return
	}
	steps, err := s.options.Operations.Steps(r.Context(), id)
	if err != nil {
		s.refuse(w, err)
		return
	}
	decisions, err := s.options.Operations.Decisions(r.Context(), id)
	if err != nil {
		s.refuse(w, err)
		return
	}
	s.answer(w, http.StatusOK, project(op, steps, decisions))
}

// project turns rows into what a caller reads.
func project(op platform.Operation, records []platform.StepRecord, decisions []platform.Decision) operationAnswer {
	a := operationAnswer{
		ID: op.ID, Kind: op.Kind, App: op.Target.App, Environment: op.Target.Environment,
		State: op.State, Reason: op.Reason, Message: op.Message, RequestedBy: op.Requester.Label(),
		Undone: op.Undone, Release: op.Release, Backup: op.Backup,
		Steps: projectSteps(op, records), Approvals: []approvalAnswer{},
		CreatedAt: at(op.Created), StartedAt: at(op.Started), EndedAt: at(op.Ended),
	}
	if op.Source != nil {
		a.Ref, a.SHA = op.Source.Ref, op.Source.SHA
	}
	for _, d := range decisions {
		word := "rejected"
		switch {
		case d.Broke:
			word = "broke-glass"
		case d.Approve:
			word = "approved"
		}
		a.Approvals = append(a.Approvals, approvalAnswer{Person: d.Person.Label(), Decision: word, At: at(d.At)})
	}
	return a
}

// projectSteps is one line per step of the plan: what became of it, which for a
// step that was taken back is undone.
func projectSteps(op platform.Operation, records []platform.StepRecord) []stepAnswer {
	steps := make([]stepAnswer, len(op.Plan.Steps))
	for i, s := range op.Plan.Steps {
		steps[i] = stepAnswer{Name: s.Name, State: chat.StepPending}
		if op.State.Ended() {
			steps[i].State = chat.StepSkipped
		}
	}
	for _, r := range records {
		if r.Index < 0 || r.Index >= len(steps) {
			continue
		}
		s := &steps[r.Index]
		switch {
		case !r.Undo:
			s.State, s.StartedAt, s.EndedAt = r.State, at(r.Started), at(r.Ended)
		case r.State == chat.StepDone || r.State == chat.StepUndone:
			s.State = chat.StepUndone
		case r.State == chat.StepUnknown:
			s.State = chat.StepUnknown
		}
	}
	return steps
}
