package neural_test

import (
	"fmt"

	"kerb/counting/neural"
	"kerb/counting/neural/onnx/onnxtest"
)

func ExampleLoad() {
	net, err := neural.Load(onnxtest.Encode(smallDetector()), "small.onnx", neural.Opts{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer net.Close()
	picture, shape := net.Input("")
	fmt.Println(shape, len(picture))
	net.Run()
	_, shape = net.Output("")
	fmt.Println(shape, net.Info().Operators["Conv"])
	// Output:
	// [1 3 32 40] 3840
	// [1 32 16 20] 3
}
