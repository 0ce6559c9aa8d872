// Package notice makes what a passer-by sees of a transparency record: the sign on the
// pole, as SVG or as a page to print, and the controller's static page about a device.
//
// The sign's QR code leads to the controller's page and names the hash of the policy in
// its fragment. The page has an element of that name, so that a browser shows, without a
// script, whether the sign belongs to the rules in force.
//
// Both say "not provided" where the controller has not answered. Nothing in them is loaded
// from elsewhere, and neither has a script. The package serves nothing.
package notice
