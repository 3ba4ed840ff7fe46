#include "transcoder/gstreamer/video_encoder.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "transcoder/gstreamer/pipe.hpp"

namespace kapok::gstreamer {
namespace {

Bytes bytes_of(std::initializer_list<int> values) {
  Bytes bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

TEST(ParameterSets, WhatStandsBeforeTheLastVpsIsLeftOut) {
  EXPECT_EQ(before_parameter_sets(bytes_of({0, 0, 0, 1, 0x40, 1, 7, 0, 0, 1, 0x26, 1, 9})), 0U);
  EXPECT_EQ(before_parameter_sets(bytes_of({0, 0, 0, 1, 0x40, 1, 7, 0, 0, 1, 2,    3, 9,
                                            0, 0, 0, 1, 0x40, 1, 7, 0, 0, 1, 0x26, 1, 9})),
            13U);
  EXPECT_EQ(before_parameter_sets(bytes_of({9, 9, 0, 0, 1, 0x40, 1, 7})), 2U);
}

TEST(ParameterSets, APictureWithoutAnyStaysWhole) {
  EXPECT_EQ(before_parameter_sets({}), 0U);
  EXPECT_EQ(before_parameter_sets(bytes_of({0, 0, 0, 1, 2, 1, 9, 0, 0, 1, 0x40})), 0U);
}

// Bytes at the front are left out behind the encoder; the buffer's time stays.
TEST(PipeSkip, LeavesOutTheFrontOfABufferAndKeepsItsTime) {
  initialise();
  std::vector<std::pair<std::size_t, GstClockTime>> came;
  Pipe::Setup setup{.text = "identity",
                    .after = "identity",
                    .in = caps_of("application/x-test"),
                    .out = caps_of("application/x-test"),
                    .skip = [](ByteSpan bytes) { return bytes.size() > 8 ? std::size_t{8} : 0; }};
  auto pipe = Pipe::open(std::move(setup), [&](GstSample& sample) {
                GstBuffer* buffer = gst_sample_get_buffer(&sample);
                came.emplace_back(gst_buffer_get_size(buffer), GST_BUFFER_PTS(buffer));
              }).value();
  for (const std::size_t size : {std::size_t{8}, std::size_t{20}}) {
    BufferPtr buffer(gst_buffer_new_allocate(nullptr, size, nullptr));
    GST_BUFFER_PTS(buffer.get()) = size;
    ASSERT_TRUE(pipe->push(std::move(buffer)));
  }
  ASSERT_TRUE(pipe->finish());
  EXPECT_EQ(came, (std::vector<std::pair<std::size_t, GstClockTime>>{{8, 8}, {12, 20}}));
}

}  // namespace
}  // namespace kapok::gstreamer
