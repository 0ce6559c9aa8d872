// Package transparency makes the transparency record of a device: one JSON object that
// lists the data that are captured, processed, sent, kept and known, for its reviewers.
//
// Every value has one of two origins. An enforced value is read from what the program
// enforces or measures: the policy, site.toml, the walls as measured, the audit log, the
// spool, the build, the model card. A declared value is an answer of the controller in
// declared.toml. The package never fills a declared value: without an answer it is
// "not provided".
//
// Collect makes a Record, Parse reads one back, Compare lists what changed between two
// for a passer-by, and a Fleet groups the records of many devices. Package register
// writes them in the forms of public registers; package notice makes the sign and the page.
//
// It reads no picture and no exact count, and it refuses a declared.toml with any mistake.
package transparency
