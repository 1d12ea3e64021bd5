package admin

import (
	"encoding/json"
	"strings"
)

// entry is one name and value of an object.
type entry struct {
	key   string
	value any // object, []object, []string, []int64, or what json takes
}

// object is a JSON object whose members stay in order.
type object []entry

// append writes the object as Jackson prints it: two spaces of indentation, blanks around the colon, arrays in a line.
func (o object) append(b []byte, depth int) []byte {
	if len(o) == 0 {
		return append(b, "{ }"...)
	}
	b = append(b, '{')
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = newLine(b, depth+1)
		b = append(appendJSON(b, m.key, depth), " : "...)
		b = appendJSON(b, m.value, depth+1)
	}
	return append(newLine(b, depth), '}')
}

func newLine(b []byte, depth int) []byte {
	return append(append(b, '\n'), strings.Repeat("  ", depth)...)
}

// appendJSON writes a value.
func appendJSON(b []byte, v any, depth int) []byte {
	switch v := v.(type) {
	case object:
		return v.append(b, depth)
	case []object:
		return appendList(b, v, depth)
	case []string:
		return appendList(b, v, depth)
	case []int64:
		return appendList(b, v, depth)
	case float64:
		return appendDouble(b, v)
	}
	text, err := json.Marshal(v)
	if err != nil {
		text = []byte("null")
	}
	return append(b, text...)
}

// appendList writes an array.
func appendList[T any](b []byte, list []T, depth int) []byte {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(append(b, ' '), v, depth)
	}
	return append(b, " ]"...)
}
