// turbo decodes every picture of a Motion-JPEG AVI file to grey with
// libjpeg-turbo, on one thread, and prints the median over the passes of
// nanoseconds of CPU time per picture: the peer of test/bench/jpeg.
//
//	cc -O2 -o turbo turbo.c -lturbojpeg && ./turbo CLIP PASSES
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <turbojpeg.h>

struct frame { unsigned char *at; unsigned long size; };

static void die(const char *what) { fprintf(stderr, "turbo: %s\n", what); exit(1); }

static unsigned u32(const unsigned char *p) {
	return p[0] | p[1] << 8 | p[2] << 16 | (unsigned)p[3] << 24;
}

static int by_value(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv) {
	if (argc != 3) die("usage: turbo CLIP PASSES");
	FILE *f = fopen(argv[1], "rb");
	if (!f) die("cannot open the clip");
	fseek(f, 0, SEEK_END);
	long size = ftell(f);
	rewind(f);
	unsigned char *file = malloc(size);
	if (!file || fread(file, 1, size, f) != (size_t)size) die("cannot read the clip");

	struct frame *frames = malloc(sizeof *frames * (size / 8));
	int n = 0;
	for (long p = 0; p + 12 <= size;) {
		unsigned long len = u32(file + p + 4);
		if (!memcmp(file + p, "RIFF", 4) || !memcmp(file + p, "LIST", 4)) { p += 12; continue; }
		if (p + 8 + (long)len > size) break;
		if (!memcmp(file + p, "00dc", 4) && len) frames[n++] = (struct frame){file + p + 8, len};
		p += 8 + len + (len & 1);
	}
	if (!n) die("no pictures in the clip");

	tjhandle tj = tjInitDecompress();
	int w, h, sub, cs;
	if (tjDecompressHeader3(tj, frames[0].at, frames[0].size, &w, &h, &sub, &cs)) die(tjGetErrorStr2(tj));
	unsigned char *grey = malloc((size_t)w * h);
	int passes = atoi(argv[2]);
	double *ns = malloc(sizeof *ns * (passes + 1));
	for (int pass = 0; pass <= passes; pass++) {
		struct timespec a, b;
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
		for (int i = 0; i < n; i++)
			if (tjDecompress2(tj, frames[i].at, frames[i].size, grey, w, w, h, TJPF_GRAY, 0))
				die(tjGetErrorStr2(tj));
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
		ns[pass] = ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / n;
	}
	qsort(ns + 1, passes, sizeof *ns, by_value); // the first pass warms up
	printf("%.0f\n", ns[1 + passes / 2]);
	return 0;
}
