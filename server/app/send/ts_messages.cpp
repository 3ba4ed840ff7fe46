#include "server/app/send/ts_messages.hpp"

#include <algorithm>

#include "server/picture/containers/mpegts/ts_packet.hpp"

namespace kapok::send_app {

namespace {

using mpegts::kPacketBytes;

constexpr std::uint64_t kClockTicks =
    (std::uint64_t{1} << mpegts::kClockBits) * mpegts::kPcrPerTick;
constexpr std::uint64_t kTicksPerSecond = 27'000'000;
// References lie at most 100 ms apart [2.7.2]; beyond this it is a jump.
constexpr std::uint64_t kMaxStep = kTicksPerSecond;

}  // namespace

Result<void> TsMessages::push(ByteSpan bytes, std::vector<TsMessage>& out) {
  while (!bytes.empty()) {
    if (cut_.empty() && bytes.front() != mpegts::kSyncByte) {
      const auto next = std::ranges::find(bytes, mpegts::kSyncByte);
      skipped_ += static_cast<std::size_t>(next - bytes.begin());
      bytes = {next, bytes.end()};
      if (skipped_ > kMaxSkipped) return fail(Errc::malformed, "the input is no MPEG-TS");
      continue;
    }
    if (cut_.empty() && bytes.size() >= kPacketBytes) {
      KAPOK_TRY(take_packet(bytes.first(kPacketBytes), out));
      bytes = bytes.subspan(kPacketBytes);
      continue;
    }
    const std::size_t wanted = std::min(kPacketBytes - cut_.size(), bytes.size());
    cut_.insert(cut_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(wanted));
    bytes = bytes.subspan(wanted);
    if (cut_.size() < kPacketBytes) continue;
    KAPOK_TRY(take_packet(cut_, out));
    cut_.clear();
  }
  return {};
}

Result<void> TsMessages::take_packet(ByteSpan packet, std::vector<TsMessage>& out) {
  if (pace_ == Pace::arrival) {
    append(packet, nanoseconds(0), out);
    return {};
  }
  return take_by_clock(packet, out);
}

Result<void> TsMessages::take_by_clock(ByteSpan packet, std::vector<TsMessage>& out) {
  const auto read = mpegts::read_packet(packet);
  if (read && read->pcr && clock_pid_.value_or(read->pid) == read->pid) {
    clock_pid_ = read->pid;
    if (clock_) {
      const std::uint64_t step = (*read->pcr + kClockTicks - *clock_) % kClockTicks;
      const bool jump = read->discontinuity || step == 0 || step > kMaxStep;
      release(jump ? at_last_rate(between_.size())
                   : nanoseconds(static_cast<std::int64_t>(step * 1000 / 27)),
              out);
    } else {
      release(nanoseconds(0), out);
    }
    clock_ = read->pcr;
  }
  between_.insert(between_.end(), packet.begin(), packet.end());
  if (between_.size() <= kMaxBetweenClocks) return {};
  if (nanoseconds_per_byte_ == 0)
    return fail(Errc::malformed,
                "the input has no clock (PCR) to be sent by; pipe it in without --pace to send it "
                "as it comes");
  release(at_last_rate(between_.size()), out);
  return {};
}

nanoseconds TsMessages::at_last_rate(std::size_t bytes) const {
  return nanoseconds(static_cast<std::int64_t>(nanoseconds_per_byte_ * static_cast<double>(bytes)));
}

void TsMessages::release(nanoseconds span, std::vector<TsMessage>& out) {
  const auto packets = static_cast<std::int64_t>(between_.size() / kPacketBytes);
  for (std::int64_t i = 0; i < packets; ++i)
    append(ByteSpan(between_).subspan(static_cast<std::size_t>(i) * kPacketBytes, kPacketBytes),
           now_ + span * i / packets, out);
  if (packets > 0 && span.count() > 0)
    nanoseconds_per_byte_ =
        static_cast<double>(span.count()) / static_cast<double>(between_.size());
  now_ += span;
  between_.clear();
}

void TsMessages::append(ByteSpan packet, nanoseconds due, std::vector<TsMessage>& out) {
  if (message_.empty()) {
    message_.reserve(kPacketsPerMessage * kPacketBytes);
    message_due_ = due;
  }
  message_.insert(message_.end(), packet.begin(), packet.end());
  if (message_.size() == kPacketsPerMessage * kPacketBytes) close_message(out);
}

void TsMessages::close_message(std::vector<TsMessage>& out) {
  if (message_.empty()) return;
  out.push_back({.bytes = Buffer(std::move(message_)), .due = message_due_});
  message_ = {};
}

void TsMessages::finish(std::vector<TsMessage>& out) {
  release(at_last_rate(between_.size()), out);
  close_message(out);
  cut_.clear();
  clock_.reset();
}

}  // namespace kapok::send_app
