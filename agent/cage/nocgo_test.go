//go:build !cgo

package cage

const withCgo = false
