package cli

import "regexp"

// word is how ZooKeeper's command line takes the words of a line: blanks part them, save in quotes.
var word = regexp.MustCompile(`\s*([^"']\S*|"[^"]*"|'[^']*')\s*`)

// split parts a line into words and takes off their quotes. There are no escapes; a quote within a word stays.
func split(line string) []string {
	var words []string
	for _, m := range word.FindAllStringSubmatch(line, -1) {
		w := m[1]
		if n := len(w); n > 1 && (w[0] == '"' || w[0] == '\'') && w[n-1] == w[0] {
			w = w[1 : n-1]
		}
		words = append(words, w)
	}
	return words
}
