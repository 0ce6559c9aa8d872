// The peer of the motion detector: OpenCV's MOG2, opening, closing, contours
// and bounding boxes, on one core, over pictures in memory. No following.
//   opencv_mog2 PICTURES WIDTH HEIGHT PASSES     prints nanoseconds per picture
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/video/background_segm.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

int main(int argc, char **argv) {
	if (argc != 5) {
		std::fprintf(stderr, "usage: opencv_mog2 PICTURES WIDTH HEIGHT PASSES\n");
		return 2;
	}
	std::ifstream in(argv[1], std::ios::binary);
	std::vector<unsigned char> all((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
	const int w = std::atoi(argv[2]), h = std::atoi(argv[3]), passes = std::atoi(argv[4]);
	const size_t n = all.size() / (size_t(w) * h);
	if (n == 0) return 1;
	cv::setNumThreads(1);
	const cv::Mat kernel = cv::getStructuringElement(cv::MORPH_ELLIPSE, {3, 3});
	size_t boxes = 0;
	const auto begin = std::chrono::steady_clock::now();
	for (int p = 0; p < passes; p++) {
		auto mog = cv::createBackgroundSubtractorMOG2(500, 16, true);
		cv::Mat mask;
		std::vector<std::vector<cv::Point>> contours;
		for (size_t i = 0; i < n; i++) {
			const cv::Mat picture(h, w, CV_8UC1, &all[i * w * h]);
			mog->apply(picture, mask);
			cv::threshold(mask, mask, 200, 255, cv::THRESH_BINARY);
			cv::morphologyEx(mask, mask, cv::MORPH_OPEN, kernel);
			cv::morphologyEx(mask, mask, cv::MORPH_CLOSE, kernel);
			cv::findContours(mask, contours, cv::RETR_EXTERNAL, cv::CHAIN_APPROX_SIMPLE);
			for (const auto &c : contours) boxes += cv::boundingRect(c).area() > 40;
		}
	}
	const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - begin;
	std::printf("%.0f\n", spent.count() / double(n * passes));
	return boxes == 0;
}
