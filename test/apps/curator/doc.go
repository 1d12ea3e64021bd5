// Package curator plays the newest Curator and the newest Java client of ZooKeeper, over NIO and over Netty: recipes that stand on persistent
// watches, and what they say of servers that are killed and restarted under them. Its tests need the build tag apps.
//
// The older Curator that Debian ships is played by test/interop/curator.
package curator
