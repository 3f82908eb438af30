package chat

// Form asks for values privately. Submitting it types Line with the values as
// the Fields (and Secrets) of the Inbound.
type Form struct {
	Title  string      `json:"title"`
	Text   string      `json:"text,omitempty"` // a sentence above the fields
	Line   string      `json:"line"`
	Submit string      `json:"submit"` // label of the button
	Fields []FormField `json:"fields"`
}

// FormField is one question of a form.
type FormField struct {
	Name     string    `json:"name"`
	Label    string    `json:"label"`
	Kind     FieldKind `json:"kind"`
	Help     string    `json:"help,omitempty"`
	Value    string    `json:"value,omitempty"`   // what it starts with
	Choices  []string  `json:"choices,omitempty"` // for ChoiceField
	Complete string    `json:"complete,omitempty"`
	Required bool      `json:"required,omitempty"`
}

// FieldKind is the kind of a form field.
type FieldKind string

const (
	TextField   FieldKind = "text"
	AreaField   FieldKind = "area"
	ChoiceField FieldKind = "choice"
	SecretField FieldKind = "secret" // its value arrives in Inbound.Secrets and is sealed before it is stored
)
