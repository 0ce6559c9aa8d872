// Runs a network under onnxruntime's C library, to count the instructions of
// the arm64 build under qemu-user.
//
//	aarch64-linux-gnu-gcc -O1 -o ort ort.c -L DIR -l:libonnxruntime.so.1
//	qemu-aarch64 -L /usr/aarch64-linux-gnu … ./ort MODEL INPUT SIDE OUTPUT RUNS
//
// The functions are called by their place in struct OrtApi, which
// onnxruntime_c_api.h promises never to change.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef void *(*call)();
typedef struct { const call *(*api)(uint32_t version); const char *(*version)(void); } base;
const base *OrtGetApiBase(void);

enum { message = 2, env = 3, session = 7, run = 9, options = 10, intra = 24, inter = 25, tensor = 49, memory = 69 };

static const call *api;

static void must(void *status) {
  if (status) {
    fprintf(stderr, "onnxruntime: %s\n", (const char *)api[message](status));
    exit(1);
  }
}

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  api = OrtGetApiBase()->api(17);
  void *e, *o, *s, *m, *x, *y = NULL;
  must(api[env](2, "count", &e));
  must(api[options](&o));
  must(api[intra](o, 1));
  must(api[inter](o, 1));
  must(api[session](e, argv[1], o, &s));
  must(api[memory](0, 0, &m));
  int64_t side = atoi(argv[3]), shape[] = {1, 3, side, side};
  size_t n = 3 * side * side;
  float *data = malloc(n * sizeof *data);
  for (size_t i = 0; i < n; i++) data[i] = i * 7919 % 255;
  must(api[tensor](m, data, n * sizeof *data, shape, (size_t)4, 1, &x));
  const char *in[] = {argv[2]}, *out[] = {argv[4]};
  for (int i = atoi(argv[5]); i > 0; i--) must(api[run](s, NULL, in, (const void **)&x, (size_t)1, out, (size_t)1, &y));
  return 0;
}
