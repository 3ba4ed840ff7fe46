#include "server/app/send/input.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace kapok::send_app {
namespace {

// Seven packets every 10 ms, for as many seconds; each packet ends with its number.
Bytes seconds_of_stream(int seconds) {
  Bytes bytes;
  ByteWriter out(bytes);
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(seconds) * 700; ++i) {
    const std::size_t end = bytes.size() + 188;
    out.u8(0x47);
    out.u16(0x0100);
    if (i % 7 == 0) {
      out.u8(0x30);
      out.u8(7);
      out.u8(0x10);
      const std::uint32_t base = i / 7 * 900;  // 90 kHz
      out.u32(base >> 1);
      out.u16(static_cast<std::uint16_t>((base & 1) << 15 | 0x7E00));
    } else {
      out.u8(0x10);
    }
    bytes.resize(end, std::byte{0xFF});
    out.patch_u32(end - 4, i);
  }
  return bytes;
}

class SendInput : public testing::Test {
 protected:
  SendInput() : path_(testing::TempDir() + "kapok-send-input-" + std::to_string(::getpid())) {}
  ~SendInput() override { std::filesystem::remove(path_); }

  std::unique_ptr<Input> open(const Bytes& bytes, Options options = {}) {
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    options.input = path_;
    auto input = Input::open(options);
    EXPECT_TRUE(input);
    return std::move(*input);
  }
  // The next message, however long the thread takes.
  static std::optional<TsMessage> next(Input& input) {
    while (!input.ended())
      if (input.next_due())
        return input.pop();
      else
        std::this_thread::yield();
    return std::nullopt;
  }

 private:
  std::string path_;
};

TEST_F(SendInput, GivesTheFileBackInOrderAndEnds) {
  const Bytes stream = seconds_of_stream(5);
  const auto input = open(stream);
  Bytes read;
  nanoseconds last{-1};
  while (const auto message = next(*input)) {
    EXPECT_GT(message->due, last);
    last = message->due;
    read.insert(read.end(), message->bytes.bytes().begin(), message->bytes.bytes().end());
  }
  EXPECT_EQ(read, stream);
  EXPECT_FALSE(input->error());
  EXPECT_EQ(last, milliseconds(4'990));
}

TEST_F(SendInput, ReadsAheadByTheLatencyAndASecondAtMost) {
  Options options;
  options.latency = milliseconds(200);
  const auto input = open(seconds_of_stream(60), options);
  // The queue is full when the thread stands still; it may have no more than this at any time.
  std::size_t messages = 0;
  for (int i = 0; i < 200; ++i) {
    const auto message = next(*input);
    ASSERT_TRUE(message);
    EXPECT_LE(input->held(), milliseconds(1'200));
    ++messages;
  }
  EXPECT_EQ(messages, 200U);
  // And it ends here, with most of the file unread.
}

TEST_F(SendInput, ALoopGoesOnWhereTheFileEnds) {
  Options options;
  options.loop = true;
  const auto input = open(seconds_of_stream(1), options);
  for (int i = 0; i < 250; ++i) {
    const auto message = next(*input);
    ASSERT_TRUE(message);
    EXPECT_NEAR(static_cast<double>(message->due.count()), i * 1e7, 1e6);
  }
}

TEST_F(SendInput, WhatIsNoMpegTsEndsWithAnError) {
  const auto input = open(Bytes(200'000));
  EXPECT_FALSE(next(*input));
  ASSERT_TRUE(input->error());
  EXPECT_TRUE(input->error()->message.contains("MPEG-TS"));
}

TEST(SendInputFile, ThatDoesNotExistIsNamed) {
  Options options;
  options.input = "/nowhere/clip.ts";
  const auto input = Input::open(options);
  ASSERT_FALSE(input);
  EXPECT_TRUE(input.error().message.contains("/nowhere/clip.ts"));
}

}  // namespace
}  // namespace kapok::send_app
