package config

import (
	"reflect"
	"strings"
	"testing"
)

func TestPropertiesSyntax(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     []property
	}{
		{"an equals sign separates", "a=b\n", []property{{"a", "b", 1, false}}},
		{"a colon separates", "a:b", []property{{"a", "b", 1, false}}},
		{"a blank separates", "a b", []property{{"a", "b", 1, false}}},
		{"blanks round the separator belong to neither side", " \t\fa \t=\f b", []property{{"a", "b", 1, false}}},
		{"only one sign separates, the second is part of the value", "a = = b", []property{{"a", "= b", 1, false}}},
		{"a key alone has an empty value", "a\n", []property{{"a", "", 1, false}}},
		{"an empty key is a key", "=b", []property{{"", "b", 1, false}}},
		{"trailing blanks of the value are trimmed", "a=b \t \n", []property{{"a", "b", 1, false}}},
		{"a hash or an exclamation mark begins a comment", "# x=1\n  ! y=2\na=b", []property{{"a", "b", 3, false}}},
		{"a hash inside a value is no comment", "a=b # c", []property{{"a", "b # c", 1, false}}},
		{"a comment is not continued", "# x \\\na=b", []property{{"a", "b", 2, false}}},
		{"a backslash continues the line, the next one's blanks are dropped", "a=b,\\\n   c", []property{{"a", "b,c", 1, false}}},
		{"lines after a continuation keep their numbers", "a=1\\\n2\nb=3", []property{{"a", "12", 1, false}, {"b", "3", 3, false}}},
		{"two backslashes at the end are one backslash and no continuation", "a=b\\\\\nc=d", []property{{"a", `b\`, 1, false}, {"c", "d", 2, false}}},
		{"a backslash at the end of the file vanishes", "a=b\\", []property{{"a", "b", 1, false}}},
		{"a continuation line may begin with a hash", "a=b\\\n#c", []property{{"a", "b#c", 1, false}}},
		{"a comment may follow a lone backslash", "\\\n#c\na=b", []property{{"a", "b", 3, false}}},
		{"all three line ends count", "a=1\rb=2\r\nc=3\nd=4", []property{{"a", "1", 1, false}, {"b", "2", 2, false}, {"c", "3", 3, false}, {"d", "4", 4, false}}},
		{"separators may be escaped in keys", `a\=b\:c\ d=e`, []property{{"a=b:c d", "e", 1, false}}},
		{"unknown escapes drop the backslash, so Windows paths lose theirs", `a=C:\data\zk`, []property{{"a", "C:datazk", 1, false}}},
		{"t, n, r and f are control characters", `a=x\ty\nz\rv\fw`, []property{{"a", "x\ty\nz\rv\fw", 1, false}}},
		{"four hexadecimal digits name a character", `a=\u00e9\u4E2D`, []property{{"a", "é中", 1, false}}},
		{"a surrogate pair is one character", `a=\uD83D\uDE00`, []property{{"a", "😀", 1, false}}},
		{"bytes are Latin-1", "a=\xe9", []property{{"a", "é", 1, true}}},
		{"duplicates are all kept", "a=1\na=2", []property{{"a", "1", 1, false}, {"a", "2", 2, false}}},
		{"blank lines say nothing", "\n \n\t\n", nil},
		{"a lone backslash says nothing", "\\\n\na=b", []property{{"a", "b", 3, false}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, problems := parseProperties([]byte(tc.in))
			if len(problems) > 0 || !reflect.DeepEqual(got, tc.want) {
				t.Errorf("%q: got %+v, problems %v; want %+v", tc.in, got, problems, tc.want)
			}
		})
	}
}

func TestMalformedUnicodeEscapeIsAProblemWithItsLine(t *testing.T) {
	got, problems := parseProperties([]byte("a=1\npath=C:\\users\\\n  x\nb=2"))
	if len(problems) != 1 || problems[0].Line != 2 || len(got) != 2 || got[1].line != 4 {
		t.Fatalf("got %+v, problems %+v", got, problems)
	}
}

// FuzzParseProperties: the parser never panics, never makes more than the input could hold, and
// what it read survives being written and read again.
func FuzzParseProperties(f *testing.F) {
	for _, seed := range []string{"a=b", "a\\\n b", `k\u00e9y:v`, "#c\n!d\n\\", "\xff=\xfe\\", `\uD800=\uDC00`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		props, problems := parseProperties(in)
		if len(props)+len(problems) > len(in) {
			t.Fatalf("%d properties from %d bytes", len(props)+len(problems), len(in))
		}
		total := 0
		for _, p := range props {
			total += len(p.key) + len(p.value)
			if p.line < 1 || p.line > len(in)+1 {
				t.Fatalf("line %d", p.line)
			}
			again, _ := parseProperties([]byte("k=" + escapeProperty(p.value)))
			if len(again) != 1 || again[0].value != p.value {
				t.Fatalf("%q became %+v", p.value, again)
			}
		}
		if total > 3*len(in) { // a byte is at most two of UTF-8, a lone surrogate of six bytes three
			t.Fatalf("%d bytes of text from %d", total, len(in))
		}
	})
}

func TestAFileOfHostileLinesIsReadInLinearSpace(t *testing.T) {
	in := strings.Repeat("a\\\n", 200_000)
	props, _ := parseProperties([]byte(in))
	if len(props) != 1 || len(props[0].key) != 200_000 {
		t.Fatalf("got %d properties", len(props))
	}
}
