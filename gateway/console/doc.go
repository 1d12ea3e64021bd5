// Package console is the web console: static files that use the REST API as any other client does.
//
// The sources are in src and static; `npm ci && npm run build` makes dist of them, which is what is embedded and committed. A test holds
// dist to the sources.
package console
