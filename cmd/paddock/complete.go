package main

import (
	"github.com/spf13/cobra"
)

// oneOf has shells complete the values of a flag, which must be defined.
func oneOf(c *cobra.Command, flag string, values ...string) {
	complete(c, flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// noFile has shells offer no files for flags that name none.
func noFile(c *cobra.Command, flags ...string) {
	for _, flag := range flags {
		complete(c, flag, cobra.NoFileCompletions)
	}
}

func complete(c *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := c.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err) // the flag is not defined
	}
}
