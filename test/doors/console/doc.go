// Package console has a browser, Chromium without a screen, use the web console of a real server. The steps are in steps.mjs, which
// playwright-core drives; `go test ./test/doors/console -args -screenshots` renews the pictures in docs/console.
package console
