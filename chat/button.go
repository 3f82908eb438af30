package chat

// Button types Line in the clicker's name. It carries no right, and its line
// says under which state of the world it was meant ("/rollback ocpizza to r3 if
// r4"), so that a stale click is refused and not carried out.
type Button struct {
	Label   string `json:"label"`
	Line    string `json:"line"`
	Danger  bool   `json:"danger,omitempty"`
	Confirm string `json:"confirm,omitempty"` // the question asked first
}
