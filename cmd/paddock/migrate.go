package main

import "github.com/spf13/cobra"

func newMigrate() *cobra.Command {
	c := &cobra.Command{Use: "migrate", Short: "Move from ZooKeeper to Paddock"}
	c.AddCommand(newMigrateCheck(), newMigrateImport())
	return group(c)
}
