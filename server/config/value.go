package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"paddock/consensus/quorum"
)

// parsed is the outcome of reading one value.
type parsed struct {
	text string // canonical text of what was understood, for Describe
	warn string // what is surprising about it; "" = nothing
	bad  string // why there is no value; "" = there is one
}

// parse reads a value into the field that a key binds, or into nothing. A lax value that ZooKeeper
// would replace by the default leaves the field alone.
func (k *Key) parse(text string, into any) parsed {
	switch k.Kind {
	case KindBool:
		return k.parseBool(text, into)
	case KindOnlyYes, KindUnlessNo:
		return k.parseWord(text, into)
	case KindFloat:
		return parseFloat(text, into)
	case KindList:
		return parseList(text, into)
	case KindHours:
		return parseHours(text, into)
	case KindInt, KindTicks, KindPort, KindMillis, KindSeconds, KindBytes, KindKiB:
		return k.parseNumber(text, into)
	case KindHost:
		host, err := quorum.ParseHost(text)
		if err != nil {
			return parsed{text: host, bad: err.Error()}
		}
		if shellFix(host) != "" {
			return parsed{text: host, bad: host + " is not a host name or address"}
		}
		if p, ok := into.(*string); ok {
			*p = host
		}
		return parsed{text: host}
	default:
		if p, ok := into.(*string); ok {
			*p = text
		}
		return parsed{text: text}
	}
}

func (k *Key) parseBool(text string, into any) parsed {
	v := strings.EqualFold(text, "true")
	out := parsed{text: strconv.FormatBool(v)}
	if !v && !strings.EqualFold(text, "false") {
		if !k.lax() {
			return parsed{bad: fmt.Sprintf("%q is neither true nor false", text)}
		}
		out.warn = fmt.Sprintf("%q is not \"true\" and therefore means false, as in ZooKeeper", text)
	}
	if p, ok := into.(*bool); ok {
		*p = v
	}
	return out
}

func (k *Key) parseWord(text string, into any) parsed {
	word, other, v := "yes", "no", text == "yes"
	if k.Kind == KindUnlessNo {
		word, other, v = "no", "yes", text != "no"
	}
	var out parsed
	out.text = "no"
	if v {
		out.text = "yes"
	}
	if text != word && text != other {
		out.warn = fmt.Sprintf("%q is not %q and therefore means %s, as in ZooKeeper", text, word, out.text)
	}
	if p, ok := into.(*bool); ok {
		*p = v
	}
	return out
}

func (k *Key) parseNumber(text string, into any) parsed {
	bits := 32
	if k.Wide {
		bits = 64
	}
	v, err := strconv.ParseInt(text, 10, bits)
	var out parsed
	if k.lax() {
		var readable bool
		v, readable = javaDecode(text, bits)
		plain, plainErr := strconv.ParseInt(text, 10, bits)
		switch {
		case !readable:
			return parsed{text: k.Default, warn: fmt.Sprintf("%q is not %s, so the default %s holds, as in ZooKeeper", text, integerNoun(text, bits), k.shownDefault())}
		case plainErr != nil || plain != v:
			out.warn = fmt.Sprintf("%q is read as %d, as in ZooKeeper", text, v)
		}
	} else if err != nil {
		if k.Kind == KindPort {
			return parsed{bad: fmt.Sprintf("%q is not a port", text)}
		}
		return parsed{bad: fmt.Sprintf("%q is not %s", text, integerNoun(text, bits))}
	}
	if k.Kind == KindPort {
		if v < -1 || v > 65535 {
			return parsed{bad: fmt.Sprintf("%d is not a port (1 to 65535)", v)}
		}
		v = max(v, 0) // -1 is another way of writing "no port"
	}
	out.text = strconv.FormatInt(v, 10)
	k.store(v, into)
	return out
}

// integerNoun says what a text should have been: it may be a number, only too large.
func integerNoun(text string, bits int) string {
	if digits := strings.TrimLeft(text, "+-"); digits != "" && strings.Trim(digits, "0123456789") == "" {
		return fmt.Sprintf("a %d-bit integer", bits)
	}
	return "an integer"
}

func (k *Key) shownDefault() string {
	if k.Note != "" {
		return k.Note
	}
	return k.Default
}

// store scales a number into its field, saturating.
func (k *Key) store(v int64, into any) {
	switch p := into.(type) {
	case *int:
		*p = int(v)
	case *int64:
		*p = v
		if k.Kind == KindKiB {
			*p = saturate(v, 1024)
		}
	case *time.Duration:
		unit := time.Millisecond
		if k.Kind == KindSeconds {
			unit = time.Second
		}
		*p = time.Duration(saturate(v, int64(unit)))
	}
}

func saturate(v, by int64) int64 {
	switch {
	case v > math.MaxInt64/by:
		return math.MaxInt64
	case v < math.MinInt64/by:
		return math.MinInt64
	default:
		return v * by
	}
}

// javaDecode is Integer.decode and Long.decode: a sign, then 0x, 0X or # for hexadecimal, 0 for octal.
func javaDecode(text string, bits int) (int64, bool) {
	body, sign := text, ""
	if body != "" && (body[0] == '-' || body[0] == '+') {
		body = body[1:]
		if text[0] == '-' {
			sign = "-"
		}
	}
	base := 10
	switch {
	case strings.HasPrefix(body, "0x"), strings.HasPrefix(body, "0X"):
		base, body = 16, body[2:]
	case strings.HasPrefix(body, "#"):
		base, body = 16, body[1:]
	case len(body) > 1 && body[0] == '0':
		base, body = 8, body[1:]
	}
	if body == "" || body[0] == '-' || body[0] == '+' || strings.Contains(body, "_") {
		return 0, false
	}
	v, err := strconv.ParseInt(sign+body, base, bits)
	if err != nil {
		return 0, false
	}
	return v, true
}

func parseFloat(text string, into any) parsed {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return parsed{bad: fmt.Sprintf("%q is not a number", text)}
	}
	if p, ok := into.(*float64); ok {
		*p = v
	}
	return parsed{text: strconv.FormatFloat(v, 'g', -1, 64)}
}

func parseList(text string, into any) parsed {
	var words []string
	for word := range strings.SplitSeq(text, ",") {
		if word = javaTrim(word); word != "" {
			words = append(words, word)
		}
	}
	if p, ok := into.(*[]string); ok {
		*p = words
	}
	return parsed{text: strings.Join(words, ",")}
}

var intervalUnits = []struct {
	suffix string
	unit   time.Duration
}{ // "ms" before "m" and "s"
	{"ms", time.Millisecond}, {"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour},
}

// parseHours reads whole hours, or a number with a unit.
func parseHours(text string, into any) parsed {
	digits, unit := text, time.Hour
	for _, u := range intervalUnits {
		if d, ok := strings.CutSuffix(text, u.suffix); ok {
			digits, unit = d, u.unit
			break
		}
	}
	v, err := strconv.ParseInt(digits, 10, 32)
	if err != nil {
		return parsed{bad: fmt.Sprintf("%q is not a number of hours, nor a number with ms, s, m, h or d", text)}
	}
	if p, ok := into.(*time.Duration); ok {
		*p = time.Duration(saturate(v, int64(unit)))
	}
	return parsed{text: text}
}
