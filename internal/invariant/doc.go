// Package invariant stops the process when something that must never happen has happened.
//
// Any package may call it, the pure ones included. It has no state. Check is always on, in production too:
// a server that goes on with a broken invariant tells clients things that are not true, which is worse than
// being down. Expensive is for checks that cost more than the work they guard; it does nothing unless the
// build has the tag `invariants`, as the simulation and the tests have.
//
// The invariants have names, listed in docs/invariants.md with what tests each. Where one is relied on the
// code says so: `// INVARIANT(watch-before-reply): …`.
//
// It is not for bad input, nor for errors of the environment: those are returned.
package invariant
