package main

import (
	"strings"

	"github.com/spf13/cobra"

	"paddock/internal/cli"
	"paddock/server"
)

func newCLI() *cobra.Command {
	return &cobra.Command{
		Use:                "cli [-server HOST:PORT] [command [arguments]]",
		Short:              "Talk to a server: all commands of zkCli.sh, and more",
		DisableFlagParsing: true, // its options are those of zkCli.sh, with one dash
		RunE: func(c *cobra.Command, args []string) error {
			streams := cli.Streams{In: c.InOrStdin(), Out: handedOn(c.OutOrStdout()), Err: c.ErrOrStderr()}
			if code := cli.Main(c.Context(), args, streams, server.ZooKeeperVersion+"-paddock-"+version); code != 0 {
				return exit(code)
			}
			return nil
		},
		ValidArgsFunction: func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			directive := cobra.ShellCompDirectiveNoFileComp
			if strings.HasPrefix(typed, "/") {
				directive |= cobra.ShellCompDirectiveNoSpace // a path may go on
			}
			return cli.Complete(c.Context(), args, typed), directive
		},
	}
}
