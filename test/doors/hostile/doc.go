// Package hostile sends to the gRPC and HTTP doors of a real server what nobody should: wrong types, endless bodies, broken text, forged headers,
// floods. Each must be refused with an error that says why, within bounds of memory, while others are served; afterwards the process must hold
// no more goroutines and descriptors than before.
package hostile
