package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/invopop/jsonschema"

	"maitred/platform/engine"
)

var update = flag.Bool("update", false, "write docs/maitred.schema.json anew")

const schemaFile = "../docs/maitred.schema.json"

// schema is what editors check a maitred.yml by, made from the same structs.
func schema(t *testing.T) []byte {
	t.Helper()
	r := jsonschema.Reflector{
		FieldNameTag: "yaml", RequiredFromJSONSchemaTags: true, Anonymous: true, ExpandedStruct: true,
		Mapper: func(of reflect.Type) *jsonschema.Schema {
			switch of {
			case reflect.TypeFor[time.Duration]():
				return &jsonschema.Schema{Type: "string", Pattern: `^[0-9].*(ms|s|m|h|d)$`, Examples: []any{"90s", "15m", "1h", "30d"}}
			case reflect.TypeFor[engine.Weekday]():
				return &jsonschema.Schema{Type: "string", Enum: []any{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}}
			case reflect.TypeFor[engine.Clock]():
				return &jsonschema.Schema{Type: "string", Pattern: `^([01][0-9]|2[0-4]):[0-5][0-9]$`}
			}
			return nil
		},
	}
	r.Mapper = named(&r, r.Mapper)
	for _, path := range []string{".", "../bot", "../platform/engine", "../platform/host"} {
		if err := r.AddGoComments("maitred/config", path); err != nil {
			t.Fatal(err)
		}
	}
	s := r.Reflect(&Config{})
	s.Title, s.Required = "maitred.yml", []string{"data_dir"}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

// named writes a Named as what it is in the file: an object.
func named(r *jsonschema.Reflector, others func(reflect.Type) *jsonschema.Schema) func(reflect.Type) *jsonschema.Schema {
	return func(of reflect.Type) *jsonschema.Schema {
		if _, ok := reflect.New(of).Interface().(mapping); !ok {
			return others(of)
		}
		entry, _ := of.Elem().FieldByName("Value")
		inner := *r
		inner.ExpandedStruct, inner.DoNotReference, inner.Anonymous = true, true, true
		value := inner.ReflectFromType(entry.Type)
		value.Version = ""
		return &jsonschema.Schema{Type: "object", AdditionalProperties: value}
	}
}

func TestTheSchemaIsThatOfTheCode(t *testing.T) {
	made := schema(t)
	if *update {
		if err := os.WriteFile(schemaFile, made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made, kept) {
		t.Errorf("%s is not what the structs say; run: go test ./config -run Schema -update", schemaFile)
	}
}

// TestEveryFieldCanBeRead walks the structs for a type that the decoder does not
// know, which it would refuse in every file.
func TestEveryFieldCanBeRead(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var walk func(of reflect.Type, path string)
	walk = func(of reflect.Type, path string) {
		if seen[of] {
			return
		}
		seen[of] = true
		switch of.Kind() {
		case reflect.Struct:
			for i := range of.NumField() {
				f := of.Field(i)
				if name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); name != "" && name != "-" {
					walk(f.Type, path+"."+name)
				} else if f.IsExported() && name == "" && f.Name != "Name" && f.Name != "Value" {
					t.Errorf("%s.%s has no yaml tag", path, f.Name)
				} else if f.Name == "Value" {
					walk(f.Type, path)
				}
			}
		case reflect.Slice, reflect.Pointer, reflect.Map:
			walk(of.Elem(), path)
		case reflect.String, reflect.Bool, reflect.Int:
		default:
			if of != reflect.TypeFor[time.Duration]() && of != reflect.TypeFor[engine.Clock]() {
				t.Errorf("%s is a %s, which the decoder does not read", path, of)
			}
		}
	}
	walk(reflect.TypeFor[Config](), "config")
}
