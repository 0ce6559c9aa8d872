module kerb/test/fuse

go 1.26.0

require (
	github.com/hanwen/go-fuse/v2 v2.9.0
	kerb v0.0.0
)

require (
	aead.dev/minisign v0.3.0 // indirect
	github.com/pelletier/go-toml/v2 v2.4.3 // indirect
	go.etcd.io/bbolt v1.5.0 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace kerb => ../..
