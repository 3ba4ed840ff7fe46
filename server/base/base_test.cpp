#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <future>
#include <thread>

#include "server/base/buffer.hpp"
#include "server/base/clock.hpp"
#include "server/base/crc32.hpp"
#include "server/base/crypto.hpp"
#include "server/base/ids.hpp"
#include "server/base/mailbox.hpp"
#include "server/base/task.hpp"
#include "server/base/worker_thread.hpp"

namespace kapok {
namespace {

Result<int> halve(int n) {
  if (n % 2 != 0) return fail(Errc::malformed, "{} is odd", n);
  return n / 2;
}
Result<int> quarter(int n) {
  const int half = KAPOK_TRY(halve(n));
  return KAPOK_TRY(halve(half));
}

TEST(Result, TryPassesTheErrorOn) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_EQ(quarter(6).error().message, "3 is odd");
}

TEST(ByteReader, NeverReadsPastTheEnd) {
  const Bytes bytes{std::byte{1}, std::byte{2}, std::byte{3}};
  ByteReader in(bytes);
  EXPECT_EQ(in.u16().value(), 0x0102);
  EXPECT_EQ(in.u16().error().code, Errc::malformed);
  EXPECT_EQ(in.u8().value(), 3);
  EXPECT_TRUE(in.empty());
}

TEST(ByteWriter, IsTheInverseOfTheReader) {
  Bytes out;
  ByteWriter write(out);
  write.u24(0x010203);
  write.u64(0x1122334455667788);
  write.patch_u32(0, 0xAABBCCDD);
  ByteReader in(out);
  EXPECT_EQ(in.u32().value(), 0xAABBCCDDU);
  EXPECT_EQ(in.left(), 7U);
}

TEST(Buffer, SlicesShareTheBytes) {
  const Buffer whole = Buffer::copy_of("kapok tree");
  const Buffer part = whole.slice(6);
  EXPECT_EQ(part.text(), "tree");
  EXPECT_EQ(part.data(), whole.data() + 6);
}

TEST(Base64Url, RefusesTextsThatAreNotCanonical) {
  EXPECT_EQ(to_base64url(as_bytes("ab")), "YWI");
  EXPECT_TRUE(from_base64url("YWI"));
  EXPECT_FALSE(from_base64url("YWJ"));
  EXPECT_FALSE(from_base64url("YWI="));
  EXPECT_FALSE(from_base64url("Y"));
}

TEST(Base64, RoundTrips) {
  for (const std::string_view text : {"", "a", "ab", "abc", "abcd"})
    EXPECT_EQ(as_text(from_base64(to_base64(as_bytes(text))).value()), text);
}

TEST(Hmac, MatchesRfc4231Case2) {
  EXPECT_EQ(to_hex(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Sha256, PiecesEqualTheWhole) {
  Sha256 hash;
  hash.update(as_bytes("ka"));
  hash.update(as_bytes("pok"));
  EXPECT_EQ(hash.finish(), sha256(as_bytes("kapok")));
}

TEST(Ids, AllowOnlyWhatIsSafeInPathsAndUrls) {
  EXPECT_TRUE(is_valid_id("museum-1_hall"));
  for (const std::string_view bad : {"", "-a", "_a", "A", "a/b", "a.b", "a%2f", "..", "a b"})
    EXPECT_FALSE(is_valid_id(bad)) << bad;
  EXPECT_TRUE(is_valid_id(std::string(64, 'a')));
  EXPECT_FALSE(is_valid_id(std::string(65, 'a')));
}

TEST(FormatUtc, WritesMilliseconds) {
  EXPECT_EQ(format_utc(UtcTime(microseconds(1'790'000'000'123'999))), "2026-09-21T14:13:20.123Z");
}

TEST(Mailbox, RefusesWhenFullAndEndsAfterClose) {
  boost::asio::io_context shard;
  Mailbox<int> mailbox(shard.get_executor(), 2);
  TaskGroup tasks(shard.get_executor());
  std::vector<int> got;
  const auto consume = [](Mailbox<int>& from, std::vector<int>& into) -> Task<> {
    while (true) {
      const auto item = co_await from.pop();
      if (!item) co_return;
      into.push_back(*item);
    }
  };
  EXPECT_TRUE(mailbox.push(1));
  EXPECT_TRUE(mailbox.push(2));
  EXPECT_FALSE(mailbox.push(3));
  tasks.spawn(consume(mailbox, got));
  mailbox.close();
  shard.run();
  EXPECT_EQ(got, (std::vector{1, 2}));
  EXPECT_EQ(mailbox.refused(), 1U);
  EXPECT_EQ(tasks.alive(), 0U);
}

TEST(Crc32, IsThatOfMpeg2) {
  EXPECT_EQ(crc32(as_bytes("123456789")), 0x0376e6e7u);
  EXPECT_EQ(crc32(from_hex("3132333435363738390376e6e7").value()), 0u);
}

TEST(WorkerThread, FinishesWhatWasSubmittedInOrder) {
  std::vector<int> done;
  {
    WorkerThread worker("test", 100);
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(worker.submit([&done, i] { done.push_back(i); }));
  }
  ASSERT_EQ(done.size(), 50U);
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
}

TEST(WorkerThread, RefusesWhatIsOverItsLimitAndTakesJobsAgainLater) {
  WorkerThread worker("test", 2);
  std::promise<void> begun;
  std::promise<void> go_on;
  EXPECT_TRUE(worker.submit([&] {
    begun.set_value();
    go_on.get_future().wait();
  }));
  begun.get_future().wait();
  std::atomic<int> done = 0;
  EXPECT_TRUE(worker.submit([&] { ++done; }));
  EXPECT_TRUE(worker.submit([&] { ++done; }));
  EXPECT_FALSE(worker.submit([&] { ++done; }));
  EXPECT_EQ(worker.waiting(), 2U);
  go_on.set_value();
  std::promise<void> last;
  while (!worker.submit([&] { last.set_value(); })) std::this_thread::yield();
  last.get_future().wait();
  EXPECT_EQ(done, 2);
}

TEST(WorkerThread, WhatJobsHoldIsBoundedAndOneThatHoldsMoreIsTakenAlone) {
  WorkerThread worker("test", {.jobs = 100, .bytes = 1000});
  std::promise<void> begun;
  std::promise<void> go_on;
  EXPECT_TRUE(worker.submit(
      [&] {
        begun.set_value();
        go_on.get_future().wait();
      },
      600));
  begun.get_future().wait();
  // What is being worked on counts; what holds nothing is always taken.
  EXPECT_TRUE(worker.submit([] {}, 400));
  EXPECT_FALSE(worker.submit([] {}, 1));
  EXPECT_TRUE(worker.submit([] {}));
  EXPECT_EQ(worker.waiting_bytes(), 1000U);
  go_on.set_value();
  while (worker.waiting_bytes() != 0) std::this_thread::yield();
  EXPECT_TRUE(worker.submit([] {}, 5000));
}

TEST(WorkerThread, BehindAJobThatTakesTooLongNothingIsQueuedThatHoldsBytes) {
  WorkerThread worker("test", {.jobs = 100, .bytes = 1000, .age = std::chrono::milliseconds(20)});
  std::promise<void> go_on;
  EXPECT_TRUE(worker.submit([&] { go_on.get_future().wait(); }, 1));
  std::this_thread::sleep_for(std::chrono::milliseconds(40));
  EXPECT_FALSE(worker.submit([] {}, 1));
  EXPECT_TRUE(worker.submit([] {}));
  go_on.set_value();
  while (!worker.submit([] {}, 1)) std::this_thread::yield();
}

}  // namespace
}  // namespace kapok
