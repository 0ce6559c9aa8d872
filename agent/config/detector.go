package config

// Values of the key detector: how a camera's objects are found.
const (
	AutoDetector   = "auto"   // the network where this machine is fast enough for it, otherwise motion
	NeuralDetector = "neural" // a network on single pictures, fused with motion
	MotionDetector = "motion" // the difference to a background model alone
)
