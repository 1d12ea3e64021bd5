// Package typo finds the name that somebody has meant who wrote another.
//
// It is a function of its arguments alone.
package typo
