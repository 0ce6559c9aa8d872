package register

// A threat is one way in which people could be harmed, with the measure against it and the
// tests that show it. A test of this package finds a name that no longer exists.
type threat struct {
	What, Measure string
	Tests         []string // function names
}

// threats are the threats that a reviewer asks about.
func threats() []threat {
	return []threat{
		{"An insider wants to see video", "no type of the program holds a picture outside one step; the process that sees pixels can open no file and no connection", []string{"TestPictureIsGone", "TestSenseWorksAndCanDoNothingElse", "TestAPlantedLeakIsCaught"}},
		{"A stolen device", "only cleared numbers are stored; they expire, delivered or not, also in the bytes of the file", []string{"TestTheStoredSizeSaysNothingOfTheCounts", "TestWithoutABrokerNothingOutlivesTheRetention"}},
		{"Small counts are taken from each other", "noise or suppression once, before storing; every stream of a sensor is charged", []string{"TestNoWithheldNumberCanBeRecovered", "TestTwoStreamsOfOneSensorAreCharged"}},
		{"Time and length of messages tell who passed", "windows end by the clock; messages of one length", []string{"TestNoneAndManyCrossingsGiveMessagesOfOneSizeAtOneTime", "TestTheLengthOfAWindowSaysNothingAboutTheStreet"}},
		{"Somebody between device and platform", "TLS, with the authority or the certificate that site.toml names", []string{"TestTheBrokerMustBeTheOneThatTheAuthorityVouchesFor"}},
		{"The platform asks for more", "a closed set of commands, which the policy allows one by one", []string{"TestTheBrokerCommandsOnlyWhatThePolicyAllows", "TestNoCommandIsHeardUnlessOneIsAllowed"}},
		{"The configuration drifts", "a looser, older or unsigned policy is refused; the device runs on under the last one", []string{"TestADeviceRunsOnUnderTheLastPolicyThatItAdmitted", "TestEveryFlippedBitOfASignatureSpoilsIt"}},
		{"The page for aiming is abused", "silhouettes only, a code that is good once, sessions that end", []string{"TestACodeIsGoodOnce", "TestTheWallsMarkIsNotInThePreview"}},
		{"A poisoned camera stream", "limits before memory is used; the parser sits behind walls", []string{"TestAHostileCameraHurtsNobodyButItself", "TestHugeDeclaredPictureCostsNoMemory"}},
		{"A clock that lies", "windows run on monotonic time; a time that cannot be trusted is marked", []string{"TestTheClockMayLieButTheAccountDoesNot", "TestWindowsRunOnWhateverTheClockDoes"}},
		{"An update by a stranger, or an older one", "signature before parsing; lower versions are refused", []string{"TestUpdatesAreTriedKeptOrTakenBack"}},
		{"A library is changed", "every library has a written reason; builds are reproducible", []string{"TestEveryDependencyHasItsReason"}},
	}
}

// ThreatTests returns the names of all tests that the DPIA pack names.
func ThreatTests() (names []string) {
	for _, t := range threats() {
		names = append(names, t.Tests...)
	}
	return names
}
