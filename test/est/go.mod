module kerb/test/est

go 1.26.0

require (
	github.com/eclipse/paho.mqtt.golang v1.5.1
	github.com/globalsign/est v1.0.6
	kerb v0.0.0
)

require (
	github.com/go-chi/chi v4.1.2+incompatible // indirect
	github.com/google/go-tpm v0.3.2 // indirect
	github.com/gorilla/websocket v1.5.3 // indirect
	github.com/smallstep/pkcs7 v0.2.3 // indirect
	go.mozilla.org/pkcs7 v0.0.0-20200128120323-432b2356ecb1 // indirect
	golang.org/x/net v0.61.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.50.0 // indirect
	golang.org/x/term v0.48.0 // indirect
	golang.org/x/time v0.0.0-20210220033141-f8bda1e9f3ba // indirect
)

replace kerb => ../..
