module kerb/test/oracle

go 1.26.0

require (
	github.com/google/differential-privacy/go/v3 v3.0.0
	github.com/icholy/digest v1.2.0
	kerb v0.0.0
)

require (
	aead.dev/minisign v0.3.0 // indirect
	github.com/golang/glog v1.2.0 // indirect
	github.com/pelletier/go-toml/v2 v2.4.3 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/exp v0.0.0-20240222234643-814bf88cf225 // indirect
	golang.org/x/sys v0.49.0 // indirect
	gonum.org/v1/gonum v0.14.0 // indirect
)

replace kerb => ../..
